"""The programs' contract: commands, output, exit codes (README, "Exit codes")."""

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios

import rota_harness
from rota_harness import BIN, RotaTest, eventually

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Programs(RotaTest):
    def test_every_program_tells_its_version_and_help(self):
        for program in ("rota", "rota-broker", "rota-worker"):
            outcome = self.run_to_end([BIN / program, "--version"])
            self.assertEqual(0, outcome.code, outcome)
            self.assertRegex(outcome.out, r"\d+\.\d+\.\d+")
            outcome = self.run_to_end([BIN / program, "--help"])
            self.assertEqual(0, outcome.code, outcome)
            self.assertIn("--log-level", outcome.out)

    def test_broker_prints_where_it_serves_and_stops_on_sigterm_and_sigint(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            broker = self.broker()
            self.assertRegex(broker.ready_line, r"^rota-broker ready clients=tcp://127\.0\.0\.1:\d+ "
                                                r"workers=tcp://127\.0\.0\.1:\d+ http=http://127\.0\.0\.1:\d+$")
            status, _ = broker.get("/healthz")
            self.assertEqual(200, status)
            self.assertIn("rota", broker.get("/metrics")[1])
            broker.kill(number)
            self.assertEqual(0, broker.wait())

    def test_worker_without_anything_to_serve_names_both_options(self):
        outcome = self.run_to_end([BIN / "rota-worker", "--broker", "tcp://127.0.0.1:9"])
        self.assertEqual(64, outcome.code, outcome)
        self.assert_sentence(outcome, "--exec", "--command", program="rota-worker")

    def test_worker_started_before_its_broker_waits_for_it_and_says_so(self):
        broker = self.broker()
        broker.stop()
        worker = self.worker(broker, wait=False)
        eventually(lambda: "wait" in worker.log_text() or "reach" in worker.log_text(), 20, "the worker says that it waits")
        self.restart(broker)
        worker.wait_ready()
        self.assertEqual("w1", worker.ready["name"])
        self.assertEqual(0, worker.stop())

    def test_second_worker_of_a_live_name_is_refused_and_told_who_holds_it(self):
        broker = self.broker()
        first = self.worker(broker, name="twin")
        second = self.worker(broker, name="twin", wait=False)
        self.assertEqual(75, second.wait(20), second.log_text())
        self.assertIn("twin", second.log_text())
        self.assertIn(str(first.pid), second.log_text())
        self.assertTrue(first.alive)


class Submit(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def test_submit_prints_an_id_and_the_result_is_the_output(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "echo", "hello", "world")
        self.assertRegex(job, UUID)
        self.rota(self.b, "wait", job)
        self.assertEqual("hello world\n", self.rota(self.b, "result", job).out)

    def test_wait_exits_with_the_jobs_own_exit_code_and_passes_its_output_through(self):
        self.worker(self.b)
        outcome = self.rota(self.b, "submit", "--wait", "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7)
        self.assertEqual("out\n", outcome.out)
        self.assertIn("err\n", outcome.err)
        outcome = self.rota(self.b, "submit", "--wait", "--", "sh", "-c", "kill -9 $$", code=137)
        self.rota(self.b, "submit", "--wait", "--", "true", code=0)

    def test_command_that_cannot_be_started_fails_with_the_reason(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "/no/such/program")
        self.rota(self.b, "wait", job, code=1)
        facts = self.status(self.b, job)
        self.assertEqual("failed", facts["state"])
        self.assertEqual("EXEC_FAILED", facts["error"]["code"])
        self.assertIn("/no/such/program", facts["error"]["message"])

    def test_facts_of_a_job_in_json(self):
        self.worker(self.b, name="bee")
        job = self.submit(self.b, "--name", "greeting", "--priority", "3", "--retries", "1", "--", "sh", "-c",
                          "echo twelve bytes; echo note >&2; exit 0")
        self.rota(self.b, "wait", job)
        facts = self.status(self.b, job)
        expected = {"id": job, "name": "greeting", "queue": "default", "type": "exec", "state": "succeeded", "priority": 3,
                    "attempt": 1, "losses": 0, "retries": 1, "worker": "bee", "exit_code": 0, "result_size": 13,
                    "stderr_tail": "note\n", "durability": "fsync"}
        self.assertEqual(expected, {field: facts.get(field) for field in expected})
        for field in ("created_at", "started_at", "finished_at"):
            self.assertRegex(facts[field], TIME)
        self.assertNotIn("error", facts)
        self.assertNotIn("signal", facts)

    def test_each_line_makes_one_job_a_line_in_order(self):
        self.worker(self.b, slots=4)
        lines = ["plain", "with space", "quote'\"", "$HOME", "{}", "ünïcode"]
        outcome = self.rota(self.b, "submit", "--each-line", "-", "--", "printf", "<%s>", "{}", stdin="\n".join(lines) + "\n")
        jobs = outcome.lines
        self.assertEqual(len(lines), len(jobs))
        self.rota(self.b, "wait", *jobs)
        self.assertEqual([f"<{line}>" for line in lines], [self.rota(self.b, "result", job).out for job in jobs])
        appended = self.rota(self.b, "submit", "--each-line", "-", "--", "echo", stdin="tail\n").lines[0]
        self.rota(self.b, "wait", appended)
        self.assertEqual("tail\n", self.rota(self.b, "result", appended).out)

    def test_array_makes_one_job_an_index(self):
        self.worker(self.b, slots=4)
        jobs = self.rota(self.b, "submit", "--array", "2-10:4", "--", "sh", "-c", "echo $ROTA_JOB_INDEX").lines
        self.rota(self.b, "wait", *jobs)
        self.assertEqual(["2\n", "6\n", "10\n"], [self.rota(self.b, "result", job).out for job in jobs])

    def test_job_sees_its_own_facts_and_can_submit_jobs(self):
        self.worker(self.b, name="bee")
        job = self.submit(self.b, "--env", "COLOUR=green", "--cwd", "/usr", "--", "sh", "-c",
                          'echo "$ROTA_JOB_ID $ROTA_JOB_ATTEMPT $ROTA_JOB_QUEUE $ROTA_JOB_WORKER $COLOUR $PWD $ROTA_BROKER"')
        self.rota(self.b, "wait", job)
        self.assertEqual(f"{job} 1 default bee green /usr {self.b.clients}\n", self.rota(self.b, "result", job).out)
        job = self.submit(self.b, "--", BIN / "rota", "submit", "--", "echo", "child")
        self.rota(self.b, "wait", job)
        child = self.rota(self.b, "result", job).out.strip()
        self.rota(self.b, "wait", child)
        self.assertEqual("child\n", self.rota(self.b, "result", child).out)

    def test_standard_input_reaches_the_command(self):
        self.worker(self.b)
        data = bytes(range(256)) * 100
        outcome = self.rota(self.b, "submit", "--wait", "--stdin", "-", "--", "cat", stdin=data)
        self.assertEqual(data, outcome.bytes)

    def test_large_output_keeps_head_and_tail_and_says_what_is_missing(self):
        self.worker(self.b, "--max-output", "4KiB")
        job = self.submit(self.b, "--", "seq", "100000")
        self.rota(self.b, "wait", job)
        result = self.rota(self.b, "result", job)
        self.assertTrue(result.out.startswith("1\n2\n"))
        self.assertTrue(result.out.endswith("100000\n"))
        self.assertLess(len(result.out), 5000)

    def test_failed_attempts_are_retried_after_a_backoff(self):
        self.worker(self.b)
        marker = self.directory / "attempts"
        job = self.submit(self.b, "--retries", "2", "--backoff", "100ms", "--", "sh", "-c",
                          f"echo $ROTA_JOB_ATTEMPT >> {marker}; test $ROTA_JOB_ATTEMPT = 3")
        self.rota(self.b, "wait", job)
        self.assertEqual("1\n2\n3\n", marker.read_text())
        self.assertEqual(3, self.status(self.b, job)["attempt"])

    def test_time_limit_ends_a_command(self):
        self.worker(self.b)
        job = self.submit(self.b, "--time-limit", "300ms", "--", "sleep", "600")
        self.rota(self.b, "wait", job, code=1)
        facts = self.status(self.b, job)
        self.assertEqual(("failed", "TIMED_OUT"), (facts["state"], facts["error"]["code"]))

    def test_delayed_job_waits_and_expired_job_never_runs(self):
        late = self.submit(self.b, "--expires", "200ms", "--", "true")
        self.assertEqual("expired", self.wait_state(self.b, late, "expired")["state"])
        self.rota(self.b, "wait", late, code=1)
        self.worker(self.b)
        delayed = self.submit(self.b, "--delay", "1h", "--", "true")
        self.assertEqual("scheduled", self.status(self.b, delayed)["state"])
        soon = self.submit(self.b, "--delay", "300ms", "--", "true")
        self.rota(self.b, "wait", soon)

    def test_higher_priority_goes_first(self):
        order = self.directory / "order"
        jobs = [self.submit(self.b, "--priority", str(p), "--", "sh", "-c", f"echo {p} >> {order}") for p in (0, -5, 7)]
        self.worker(self.b, slots=1)
        self.rota(self.b, "wait", *jobs)
        self.assertEqual("7\n0\n-5\n", order.read_text())

    def test_key_lets_one_unfinished_job_stand_for_all(self):
        first = self.submit(self.b, "--key", "nightly", "--", "true")
        self.assertEqual(first, self.submit(self.b, "--key", "nightly", "--", "true"))
        self.worker(self.b)
        self.rota(self.b, "wait", first)
        self.assertNotEqual(first, self.submit(self.b, "--key", "nightly", "--", "true"))

    def test_made_ids_can_be_submitted_again_without_a_second_job(self):
        ids = self.rota(self.b, "id", "--count", "3").lines
        self.assertEqual(3, len(set(ids)))
        for _ in range(3):
            self.assertEqual(ids[0], self.submit(self.b, "--id", ids[0], "--", "true"))
        self.assertEqual(1, self.queue(self.b)["ready"])
        self.rota(self.b, "submit", "--id", ids[0], "--", "false", code=None)
        self.assertEqual(1, self.queue(self.b)["ready"])

    def test_memory_jobs_run_too(self):
        self.worker(self.b)
        job = self.submit(self.b, "--durability", "memory", "--", "echo", "light")
        self.rota(self.b, "wait", job)
        self.assertEqual("light\n", self.rota(self.b, "result", job).out)
        self.assertEqual("memory", self.status(self.b, job)["durability"])
        self.rota(self.b, "retry", job)
        self.rota(self.b, "wait", job)
        self.assertEqual(2, self.status(self.b, job)["attempt"])

    def test_wait_says_why_nothing_runs_and_gives_up_at_its_timeout(self):
        outcome = self.rota(self.b, "--timeout", "4s", "submit", "--wait", "--", "true", code=124)
        self.assertIn("no connected worker serves exec on default", outcome.err)

    def test_wait_gets_the_end_of_jobs_that_are_not_kept(self):
        self.worker(self.b)
        for number in range(10):
            outcome = self.rota(self.b, "submit", "--wait", "--keep", "0", "--", "echo", str(number))
            self.assertEqual(f"{number}\n", outcome.out)
        self.rota(self.b, "submit", "--wait", "--keep", "0", "--array", "1-600", "--", "true")
        outcome = self.rota(self.b, "submit", "--wait", "--keep", "0", "--each-line", "-", "--", "test", "x", "=", "{}",
                            stdin="x\ny\n" * 300, code=1)
        self.assertIn("300 succeeded, 300 did not", outcome.err)

    def test_job_may_end_and_be_forgotten_before_the_last_one_is_submitted(self):
        self.worker(self.b)
        process = subprocess.Popen([BIN / "rota", "--broker", self.b.clients, "submit", "--wait", "--keep", "0", "--each-line",
                                    "-", "--", "true"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(process.kill)
        process.stdin.write(b"first\n")
        process.stdin.flush()
        eventually(lambda: self.queue(self.b)["succeeded"] == 1, 20, "the first job has ended")
        _, errors = process.communicate(b"second\n", timeout=30)
        self.assertEqual(0, process.returncode, errors)
        self.assertIn(b"2 succeeded, 0 did not", errors)

    def test_large_output_that_is_not_kept_is_said_to_be_gone(self):
        self.worker(self.b)
        outcome = self.rota(self.b, "submit", "--wait", "--keep", "0", "--", "seq", "100000", code=70)
        self.assertEqual("", outcome.out)
        self.assert_sentence(outcome, "gone", "--keep", "64")
        outcome = self.rota(self.b, "submit", "--wait", "--keep", "0", "--", "sh", "-c", "seq 100000; exit 7", code=7)
        self.assert_sentence(outcome, "gone", "--keep")
        outcome = self.rota(self.b, "submit", "--wait", "--", "seq", "100000")
        self.assertEqual(100000, len(outcome.lines))

    def test_output_that_cannot_be_written_is_an_error(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "seq", "100000")
        self.rota(self.b, "wait", job)
        for words in (["result", job], ["status", job], ["wait", job], ["queues"], ["id"], ["submit", "--", "true"],
                      ["submit", "--wait", "--", "echo", "x"], ["submit", "--wait", "--", "seq", "100000"], ["--help"]):
            with open("/dev/full", "wb") as full:
                process = subprocess.run([BIN / "rota", "--broker", self.b.clients, *words], stdin=subprocess.DEVNULL,
                                         stdout=full, stderr=subprocess.PIPE, timeout=60, env=self.environment, text=True)
            self.assertEqual((70, "rota: cannot write to stdout: No space left on device\n"),
                             (process.returncode, process.stderr), words)

    def test_submit_that_waits_survives_a_broker_restart(self):
        self.worker(self.b)
        go = self.directory / "go"
        waiting = self.start_rota(self.b, "submit", "--wait", "--", "sh", "-c",
                                  f"while ! test -e {go}; do sleep 0.05; done; echo out; exit 7")
        eventually(lambda: self.queue(self.b)["running"] == 1, 20, "the job runs")
        self.b.kill()
        self.b = self.restart(self.b)
        go.touch()
        self.assertEqual(7, waiting.wait(60), waiting.log_text())
        self.assertEqual(["out"], waiting.lines)

    def test_interrupt_cancels_what_is_not_acknowledged_too(self):
        process = subprocess.Popen([BIN / "rota", "--broker", self.b.clients, "submit", "--wait", "--each-line", "-", "--",
                                    "true"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env=self.environment)
        self.addCleanup(process.kill)
        process.stdin.write(b"acknowledged\n")
        process.stdin.flush()
        eventually(lambda: self.queue(self.b)["ready"] == 1, 20, "the first job is accepted")
        os.kill(self.b.pid, signal.SIGSTOP)
        process.stdin.write(b"not acknowledged\n" * 600)  # more than one message takes
        process.stdin.flush()

        def taken():
            return struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, b"\0" * 4)) == (0,)
        eventually(taken, 20, "the lines are read")
        process.send_signal(signal.SIGINT)
        # Out of the pipe is not yet out of rota's own buffer.
        told = re.search(rb"cancelling (\d+) submitted jobs", process.stderr.readline())
        self.assertGreater(int(told[1]), 500)
        os.kill(self.b.pid, signal.SIGCONT)
        self.assertEqual(1, process.wait(30), process.stderr.read())
        process.stdin.close()
        process.stderr.close()
        row = self.queue(self.b)
        self.assertEqual((0, 0), (row["ready"], row["running"]))
        self.assertGreater(row["cancelled"], 500)

    def test_named_commands_serve_their_type_only(self):
        self.worker(self.b, "--command", "greet=echo hello", exec=False)
        job = self.submit(self.b, "--type", "greet")
        self.rota(self.b, "wait", job)
        self.assertEqual("hello\n", self.rota(self.b, "result", job).out)
        free = self.submit(self.b, "--", "true")
        self.assertEqual("ready", self.status(self.b, free)["state"])

    def test_queues_are_served_by_those_who_name_them(self):
        self.worker(self.b, "--queue", "fast=3", "--queue", "slow=1", slots=4)
        for name in ("fast", "slow"):
            self.rota(self.b, "submit", "--wait", "--queue", name, "--", "true")
        other = self.submit(self.b, "--queue", "other", "--", "true")
        self.assertEqual("ready", self.status(self.b, other)["state"])


class Commands(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def test_status_of_several_is_a_table_in_text_and_lines_in_json(self):
        jobs = self.rota(self.b, "submit", "--array", "1-3", "--", "true").lines
        table = self.rota(self.b, "status", *jobs).out
        for job in jobs:
            self.assertIn(job[-8:], table)
        self.assertEqual(jobs, [facts["id"] for facts in self.rota(self.b, "--output", "json", "status", *jobs).json_lines()])
        self.assertEqual(jobs, [facts["id"] for facts in self.rota(self.b, "--output", "json", "status", "-",
                                                                  stdin="\n".join(jobs) + "\n").json_lines()])

    def test_result_of_a_job_that_is_not_final_or_failed(self):
        job = self.submit(self.b, "--", "sh", "-c", "echo partly; echo why >&2; exit 3")
        self.rota(self.b, "result", job, code=75)
        self.worker(self.b)
        self.rota(self.b, "wait", job, code=1)
        outcome = self.rota(self.b, "result", job, code=1)
        self.assertEqual("partly\n", outcome.out)
        self.assertIn("3", outcome.err)
        facts = self.status(self.b, job)
        self.assertEqual(("failed", 3, "why\n"), (facts["state"], facts["exit_code"], facts["stderr_tail"]))

    def test_cancel_queued_and_running_jobs(self):
        queued = self.submit(self.b, "--", "true")
        self.rota(self.b, "cancel", queued)
        self.assertEqual("cancelled", self.status(self.b, queued)["state"])
        self.rota(self.b, "wait", queued, code=1)
        self.worker(self.b)
        running = self.submit(self.b, "--", "sleep", "600")
        self.wait_state(self.b, running, "running")
        self.rota(self.b, "cancel", running)
        self.wait_state(self.b, running, "cancelled")

    def test_queues_workers_stats_and_ping(self):
        self.rota(self.b, "submit", "--array", "1-5", "--queue", "later", "--", "true")
        row = self.queue(self.b, "later")
        self.assertEqual(5, row["ready"])
        self.assertEqual({"queue", "paused", "scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired",
                          "oldest_ready_s"} - set(row), set())
        self.assertIs(False, row["paused"])
        self.worker(self.b, name="bee", slots=3)
        workers = self.rota(self.b, "--output", "json", "workers").json_lines()
        self.assertEqual(["bee"], [worker["name"] for worker in workers])
        self.assertEqual(3, workers[0]["slots"])
        self.assertIn("bee", self.rota(self.b, "workers").out)
        self.assertTrue(self.rota(self.b, "--output", "json", "stats").json())
        self.assertRegex(self.rota(self.b, "ping").out, r"\d")
        self.assertIn("later", self.rota(self.b, "queues").out)

    def test_paused_queue_takes_jobs_and_hands_out_nothing(self):
        self.worker(self.b)
        self.rota(self.b, "submit", "--wait", "--", "true")
        self.rota(self.b, "pause", "default")
        job = self.submit(self.b, "--", "true")
        self.assertIs(True, self.queue(self.b)["paused"])
        self.rota(self.b, "--timeout", "1s", "wait", job, code=124)
        self.b.kill()
        self.b = self.restart(self.b)
        self.assertIs(True, self.queue(self.b)["paused"])
        self.rota(self.b, "resume", "default")
        self.rota(self.b, "wait", job)

    def test_quiet_output_prints_nothing_but_the_exit_code(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "false")
        outcome = self.rota(self.b, "--output", "quiet", "wait", job, code=1)
        self.assertEqual("", outcome.out)

    def test_settings_come_from_option_then_environment_then_file(self):
        config = self.directory / "rota.toml"
        config.write_text('broker = "tcp://127.0.0.1:1"\ntimeout = "300ms"\noutput = "json"\n')
        outcome = self.run_to_end([BIN / "rota", "--config", config, "ping"])
        self.assertEqual(69, outcome.code, outcome)
        outcome = self.run_to_end([BIN / "rota", "--config", config, "ping"],
                                  env={"ROTA_BROKER": self.b.clients, "ROTA_TIMEOUT": "10s"})
        self.assertEqual(0, outcome.code, outcome)
        json.loads(outcome.out)
        outcome = self.run_to_end([BIN / "rota", "--broker", "tcp://127.0.0.1:1", "--timeout", "300ms", "ping"],
                                  env={"ROTA_BROKER": self.b.clients})
        self.assertEqual(69, outcome.code, outcome)

    def test_usage_errors_are_objects_in_json_wherever_that_was_chosen(self):
        config = self.directory / "rota.toml"
        config.write_text('output = "json"\n')
        for words, env in ((["--output", "json"], {}), ([], {"ROTA_OUTPUT": "json"}), (["--config", config], {}),
                           ([], {"ROTA_CONFIG": str(config)})):
            for wrong in (["frobnicate"], ["status"], ["submit", "--retries", "x", "--", "true"], ["--timeout", "x", "ping"],
                          ["status", "no-id"], ["submit"], ["--no-such-option", "ping"]):
                outcome = self.run_to_end([BIN / "rota", *words, *wrong], env=env)
                self.assertEqual((64, ""), (outcome.code, outcome.out), outcome)
                error = json.loads(outcome.err)["error"]
                self.assertEqual(("BAD_MESSAGE", False), (error["code"], error["retryable"]))
                self.assertTrue(error["message"])
        self.assert_sentence(self.run_to_end([BIN / "rota", "--output", "text", "status"], env={"ROTA_OUTPUT": "json"}))

    def test_wait_survives_a_broker_restart_and_says_so(self):
        job = self.submit(self.b, "--", "true")
        waiting = self.start_rota(self.b, "wait", job)
        eventually(lambda: self.b.metric("rota.*") and waiting.alive, 5, "the wait is under way")
        self.b.kill()
        self.b = self.restart(self.b)
        self.worker(self.b)
        self.assertEqual(0, waiting.wait(60), waiting.log_text())

    def test_check_verifies_a_stopped_store_and_backup_copies_a_live_one(self):
        jobs = self.rota(self.b, "submit", "--array", "1-50", "--", "true").lines
        outcome = self.run_to_end([BIN / "rota-broker", "backup", "--data", self.directory / "data", self.directory / "copy"])
        self.assertEqual(0, outcome.code, outcome)
        self.assertEqual(0, self.b.stop())
        for name in ("data", "copy"):
            outcome = self.run_to_end([BIN / "rota-broker", "check", "--data", self.directory / name])
            self.assertEqual(0, outcome.code, outcome)
        copy = self.broker(data="copy")
        self.assertEqual(50, self.queue(copy)["ready"])
        self.assertEqual("ready", self.status(copy, jobs[0])["state"])


if __name__ == "__main__":
    rota_harness.main()
