"""The contract of rota: its commands, options, outputs and exit codes. CONTRACT names the test of each row."""

import json
import time

import msgpack
import rota_harness
import rota_peer as peer
from contract_page import Page
from contract_rows import assert_covers
from rota_harness import BIN, RotaTest, eventually

SUBMIT = "test_cli.Submit."
COMMON = {
    "--broker": ["test_cli.Commands.test_settings_come_from_option_then_environment_then_file"],
    "--timeout": ["test_bad_input.Unreachable.test_broker_that_is_not_there_is_named_within_the_timeout",
                  SUBMIT + "test_wait_says_why_nothing_runs_and_gives_up_at_its_timeout"],
    "--output": ["Outputs.test_quiet_prints_what_scripts_read", "test_contract_docs.Json"],
    "--config": ["test_contract_docs.Sources"],
    "--log-level": ["test_contract_docs.Sources"],
    "--log-format": ["test_contract_docs.Sources"],
    "--help": ["test_cli.Programs.test_every_program_tells_its_version_and_help"],
    "--version": ["test_cli.Programs.test_every_program_tells_its_version_and_help"],
}
# Options of each command, and what else its row of the contract promises.
CONTRACT = {
    "submit": {
        "--queue": ["test_bad_input.Usage.test_queue_name_out_of_rule",
                    SUBMIT + "test_queues_are_served_by_those_who_name_them"],
        "--type": ["test_contract_worker.Commands.test_named_command_gets_the_payload_on_stdin"],
        "--payload": ["test_contract_worker.Commands.test_named_command_gets_the_payload_on_stdin"],
        "--payload-file": ["test_contract_worker.Commands.test_named_command_gets_the_payload_on_stdin"],
        "--stdin": [SUBMIT + "test_standard_input_reaches_the_command", "Submit.test_stdin_from_a_file"],
        "--env": [SUBMIT + "test_job_sees_its_own_facts_and_can_submit_jobs"],
        "--cwd": [SUBMIT + "test_job_sees_its_own_facts_and_can_submit_jobs"],
        "--each-line": [SUBMIT + "test_each_line_makes_one_job_a_line_in_order"],
        "--array": [SUBMIT + "test_array_makes_one_job_an_index"],
        "--id": [SUBMIT + "test_made_ids_can_be_submitted_again_without_a_second_job", "Submit.test_id_of_another_queue",
                 "test_bad_input.Usage.test_foreign_uuid_is_refused_with_the_command_that_makes_ids"],
        "--name": [SUBMIT + "test_facts_of_a_job_in_json"],
        "--header": ["Submit.test_headers_reach_the_handler"],
        "--key": [SUBMIT + "test_key_lets_one_unfinished_job_stand_for_all"],
        "--key-for": ["Submit.test_key_is_held_beyond_the_end"],
        "--priority": [SUBMIT + "test_higher_priority_goes_first"],
        "--delay": [SUBMIT + "test_delayed_job_waits_and_expired_job_never_runs"],
        "--at": ["Submit.test_time_of_day"],
        "--retries": [SUBMIT + "test_failed_attempts_are_retried_after_a_backoff"],
        "--backoff": [SUBMIT + "test_failed_attempts_are_retried_after_a_backoff", "Submit.test_backoff_grows_to_its_limit"],
        "--losses": ["test_contract_broker.Leases.test_worker_silent_beyond_its_lease_loses_its_jobs"],
        "--time-limit": [SUBMIT + "test_time_limit_ends_a_command"],
        "--expires": [SUBMIT + "test_delayed_job_waits_and_expired_job_never_runs"],
        "--keep": ["test_contract_broker.Limits.test_results_beyond_the_limit_go_first_and_keep_ends",
                   SUBMIT + "test_wait_gets_the_end_of_jobs_that_are_not_kept"],
        "--durability": [SUBMIT + "test_memory_jobs_run_too"],
        "--wait": [SUBMIT + "test_wait_exits_with_the_jobs_own_exit_code_and_passes_its_output_through",
                   SUBMIT + "test_interrupt_cancels_what_is_not_acknowledged_too", "Submit.test_interrupt_cancels_the_jobs"],
        "excluding options": ["Errors.test_options_that_exclude_each_other"],
    },
    "id": {"--queue": ["Submit.test_id_of_another_queue"],
           "--count": [SUBMIT + "test_made_ids_can_be_submitted_again_without_a_second_job"]},
    "status": {"facts": [SUBMIT + "test_facts_of_a_job_in_json"],
               "table": ["test_cli.Commands.test_status_of_several_is_a_table_in_text_and_lines_in_json"],
               "ids from stdin": ["Outputs.test_ids_from_stdin"]},
    "wait": {"survives restarts": ["test_cli.Commands.test_wait_survives_a_broker_restart_and_says_so"],
             "says when contact is lost and back": ["Errors.test_wait_says_that_contact_is_lost_and_back"],
             "ids from stdin": ["Outputs.test_ids_from_stdin"]},
    "result": {"not final: 75, failed: 1": ["test_cli.Commands.test_result_of_a_job_that_is_not_final_or_failed"],
               "ids from stdin": ["Outputs.test_ids_from_stdin"]},
    "list": {option: ["test_list"] for option in ("--queue", "--state", "--type", "--since", "--limit", "--from")},
    "cancel": {"queued and running": ["test_cli.Commands.test_cancel_queued_and_running_jobs"],
               "ids from stdin": ["Outputs.test_ids_from_stdin"]},
    "retry": {"--queue": ["test_contract_docs.Json.test_count", "test_list"], "--state": ["test_list"],
              "same id, attempt counted on": ["Errors.test_retry_of_a_running_job_is_refused"],
              "ids from stdin": ["Outputs.test_ids_from_stdin"]},
    "purge": {"--queue": ["test_contract_docs.Json.test_count"], "--state": ["test_list"],
              "--yes": ["Errors.test_purge_without_yes_does_nothing"]},
    "queues": {"row": ["test_contract_docs.Json.test_queue_and_worker"]},
    "pause": {"hands out nothing": ["test_cli.Commands.test_paused_queue_takes_jobs_and_hands_out_nothing"]},
    "resume": {"goes on": ["test_cli.Commands.test_paused_queue_takes_jobs_and_hands_out_nothing"]},
    "workers": {"row": ["test_contract_docs.Json.test_queue_and_worker"]},
    "drain": {"clean end": ["test_contract_worker.Settings.test_drain_from_afar_is_a_clean_end"],
              "unknown worker: 2": ["Errors.test_unknown_names"]},
    "stats": {"counters": ["test_contract_docs.Json.test_stats"]},
    "ping": {"round trip": ["test_cli.Commands.test_queues_workers_stats_and_ping"]},
    "bench": {
        **{option: ["Bench.test_every_option_has_its_effect"] for option in
           ("--jobs", "--payload", "--batch", "--window", "--rate", "--durability", "--queue", "--keep", "--slots", "--workers",
            "--workers-endpoint")},
        "--name": ["Bench.test_own_worker_serves_so_many_jobs"],
        "figures": ["test_contract_docs.Json.test_bench"],
        "without a worker": ["Bench.test_without_a_worker_it_says_so_and_gives_up_at_its_timeout"],
    },
}
# Exit codes of all commands.
EXITS = {
    0: [SUBMIT + "test_submit_prints_an_id_and_the_result_is_the_output"],
    1: ["test_cli.Commands.test_result_of_a_job_that_is_not_final_or_failed"],
    2: ["test_bad_input.Usage.test_unknown_jobs", "Errors.test_unknown_names"],
    64: ["test_bad_input.Usage"],
    69: ["test_bad_input.Unreachable.test_broker_that_is_not_there_is_named_within_the_timeout"],
    70: [SUBMIT + "test_output_that_cannot_be_written_is_an_error"],
    75: ["test_store_full.FullStore.test_store_limit"],
    77: ["test_bad_input.Directory.test_read_only_directory_is_refused"],
    124: [SUBMIT + "test_wait_says_why_nothing_runs_and_gives_up_at_its_timeout"],
    130: ["Submit.test_interrupt_cancels_the_jobs"],
}


class Coverage(RotaTest):
    def test_every_command_option_and_exit_code_has_a_test(self):
        page = Page()
        assert_covers(self, "rota", COMMON, __file__)
        self.assertEqual(page.commands(), set(CONTRACT))
        for command, contract in CONTRACT.items():
            assert_covers(self, f"rota {command}", contract, __file__)
        self.assertEqual({int(row["exit"]) for row in page.table("Exit codes", "exit")}, set(EXITS))
        assert_covers(self, "", {str(code): tests for code, tests in EXITS.items()}, __file__, also=map(str, EXITS))


class Submit(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def test_stdin_from_a_file(self):
        self.worker(self.b)
        file = self.directory / "input"
        file.write_text("from a file")
        self.assertEqual("FROM A FILE", self.rota(self.b, "submit", "--wait", "--stdin", file, "--", "tr", "a-z", "A-Z").out)

    def test_id_of_another_queue(self):
        made = self.rota(self.b, "id", "--queue", "mail").out.strip()
        outcome = self.rota(self.b, "submit", "--id", made, "--", "true", code=64)
        self.assert_sentence(outcome, made, "rota id")
        self.assertEqual(made, self.submit(self.b, "--queue", "mail", "--id", made, "--", "true"))
        outcome = self.rota(self.b, "submit", "--queue", "mail", "--id", made, "--", "false", code=64)
        self.assert_sentence(outcome)

    def test_headers_reach_the_handler(self):
        self.submit(self.b, "--type", "traced", "--header", "traceparent=00-ab", "--header", "tenant=x=y", "--name", "n")
        with peer.Peer(self.b.workers) as worker:
            worker.worker_hello("w", b"s" * 16, types=("traced",))
            shared = worker.receive_type(peer.DISPATCH)[3][0]
            spec = msgpack.unpackb(shared[2], raw=False)
        self.assertEqual(("traced", {"traceparent": "00-ab", "tenant": "x=y"}), (shared[1], spec[1]))
        outcome = self.rota(self.b, "submit", "--type", "t", "--header", "a=1", "--header", "a=2", code=64)
        self.assert_sentence(outcome, "--header", "'a'")

    def test_key_is_held_beyond_the_end(self):
        self.worker(self.b)
        held = self.submit(self.b, "--key", "k", "--key-for", "1h", "--", "true")
        self.rota(self.b, "wait", held)
        self.assertEqual(held, self.submit(self.b, "--key", "k", "--", "true"))
        free = self.submit(self.b, "--key", "l", "--", "true")
        self.rota(self.b, "wait", free)
        self.assertNotEqual(free, self.submit(self.b, "--key", "l", "--", "true"))

    def test_time_of_day(self):
        later = self.submit(self.b, "--at", "2100-01-01T01:00:00+01:00", "--", "true")
        facts = self.status(self.b, later)
        self.assertEqual(("scheduled", "2100-01-01T00:00:00.000Z"), (facts["state"], facts["run_at"]))
        past = self.submit(self.b, "--at", "2020-01-01T00:00:00Z", "--", "true")
        self.assertEqual("ready", self.status(self.b, past)["state"])
        for wrong in ("tomorrow", "2100-01-01", "2100-13-01T00:00:00Z"):
            self.assert_sentence(self.rota(self.b, "submit", "--at", wrong, "--", "true", code=64), "--at", wrong)

    def test_backoff_grows_to_its_limit(self):
        self.worker(self.b)
        job = self.submit(self.b, "--retries", "4", "--backoff", "100ms,100,200ms", "--", "sh", "-c", "date +%s%N >> at; false")
        self.rota(self.b, "wait", job, code=1)
        times = [int(line) / 1e9 for line in (self.directory / "at").read_text().split()]
        waits = [after - before for before, after in zip(times, times[1:])]
        self.assertEqual(4, len(waits))
        self.assertGreaterEqual(waits[0], 0.08)
        for wait in waits[1:]:
            self.assertGreaterEqual(wait, 0.16)  # 200 ms less 20 %
            self.assertLess(wait, 5)             # not 10 s

    def test_interrupt_cancels_the_jobs(self):
        self.worker(self.b, slots=1)
        waiting = self.start_rota(self.b, "submit", "--wait", "--array", "1-3", "--", "sh", "-c", "sleep 600")
        eventually(lambda: self.queue(self.b)["running"] == 1, 20, "the first runs")
        waiting.kill(2)
        self.assertEqual(1, waiting.wait(20), waiting.log_text())
        self.assertEqual(3, self.queue(self.b)["cancelled"])
        stubborn = self.start_rota(self.b, "submit", "--wait", "--", "sh", "-c", "trap '' TERM; touch up; sleep 600")
        eventually(lambda: (self.directory / "up").exists(), 20, "it runs")
        stubborn.kill(2)
        eventually(lambda: "interrupt again" in stubborn.log_text(), 20, "it says what a second signal does")
        stubborn.kill(2)
        self.assertEqual(130, stubborn.wait(20), stubborn.log_text())


class Outputs(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def quiet(self, *words, **keywords):
        outcome = self.rota(self.b, "--output", "quiet", *words, **keywords)
        self.assertEqual("", outcome.err, outcome)
        return outcome.out

    def test_quiet_prints_what_scripts_read(self):
        self.worker(self.b, name="bee")
        good = self.quiet("submit", "--", "echo", "out").strip()
        bad = self.quiet("submit", "--", "sh", "-c", "echo err >&2; exit 3").strip()
        self.assertEqual("", self.quiet("wait", good, bad, code=1))
        self.assertEqual("succeeded\nfailed\n", self.quiet("status", good, bad))
        self.assertEqual("out\n", self.quiet("result", good))
        self.assertEqual("", self.quiet("result", bad, code=1))
        self.assertEqual("now\n", self.quiet("submit", "--wait", "--", "echo", "now"))
        self.assertEqual("", self.quiet("submit", "--wait", "--array", "1-3", "--", "echo", "x"))
        self.assertEqual(2, len(self.quiet("id", "--count", "2").split()))
        self.assertEqual("bee\n", self.quiet("workers"))
        self.assertEqual("default\n", self.quiet("queues"))
        for words in (["pause", "default"], ["resume", "default"], ["stats"], ["ping"]):
            self.assertEqual("", self.quiet(*words), words)
        self.assertEqual(good + "\n", self.quiet("retry", good))
        self.rota(self.b, "wait", good)
        waiting = self.submit(self.b, "--delay", "1h", "--", "true")
        self.assertEqual(waiting + "\n", self.quiet("cancel", waiting))
        self.assertRegex(self.quiet("bench", "submit", "--jobs", "10", "--queue", "b"), r"^\d+\n$")
        self.assertEqual("10\n", self.quiet("purge", "--queue", "b", "--yes"))
        self.assertEqual("", self.quiet("drain", "bee"))

    def test_errors_are_said_in_every_output(self):
        for output, begin in (("text", "rota: "), ("quiet", "rota: "), ("json", '{"error":')):
            outcome = self.rota(self.b, "--output", output, "drain", "nobody", code=2)
            self.assertTrue(outcome.err.startswith(begin), outcome)
            self.assertEqual((1, ""), (len(outcome.err.splitlines()), outcome.out))

    def test_ids_from_stdin(self):
        jobs = self.rota(self.b, "submit", "--array", "1-3", "--", "echo", "x").lines
        several = "\n".join(jobs) + "\n"
        self.assertEqual(jobs, [row["id"] for row in
                                self.rota(self.b, "--output", "json", "status", "-", stdin=several).json_lines()])
        self.rota(self.b, "cancel", "-", stdin="\n" + several + "\n")
        self.assertEqual(3, self.queue(self.b)["cancelled"])
        self.rota(self.b, "retry", jobs[0], "-", stdin="\n".join(jobs[1:]))
        self.assertEqual(3, self.queue(self.b)["ready"])
        self.worker(self.b)
        self.rota(self.b, "wait", "-", stdin=several)
        self.assertEqual("x\n", self.rota(self.b, "result", "-", stdin=jobs[2] + "\n").out)
        self.assert_sentence(self.rota(self.b, "wait", "-", stdin="", code=64))
        self.assert_sentence(self.rota(self.b, "status", "-", stdin="bad line\n", code=64), "bad line")

    def test_common_options_stand_on_both_sides_of_a_command(self):
        outcome = self.rota("tcp://127.0.0.1:9", "ping", "--broker", self.b.clients, "--output", "json", code=None)
        self.assertEqual(64, outcome.code, outcome)  # given twice
        outcome = self.run_to_end([BIN / "rota", "ping", "--broker", self.b.clients, "--timeout", "5s", "--output", "json"])
        self.assertEqual({"broker", "round_trip_us"}, set(json.loads(outcome.out)))


class Errors(RotaTest):
    """What bad input gets: an exit code, a sentence that says what to do, and nothing changed."""

    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def test_waiting_that_runs_out_names_the_unfinished_jobs(self):
        several = self.rota(self.b, "--timeout", "1s", "submit", "--wait", "--array", "1-5", "--", "true", code=124).err
        self.assertRegex(several, r"rota: 5 of 5 jobs are not final; they go on: \S+, \S+, \S+ and 2 more\n")
        jobs = self.rota(self.b, "--output", "quiet", "list").lines
        self.assertEqual(3, sum(job in several for job in jobs), several)
        outcome = self.rota(self.b, "--output", "json", "--timeout", "1s", "wait", jobs[4], code=124)
        self.assertIn(jobs[4], json.loads(outcome.err)["error"]["message"])

    def test_why_a_job_did_not_succeed_is_an_error_in_json(self):
        waiting = self.submit(self.b, "--delay", "1h", "--", "true")
        self.rota(self.b, "cancel", waiting)
        self.worker(self.b)
        failed = self.submit(self.b, "--", "sh", "-c", "exit 3")
        self.rota(self.b, "wait", failed, code=1)
        outcomes = [self.rota(self.b, "--output", "json", "result", job, code=1) for job in (waiting, failed)]
        outcomes.append(self.rota(self.b, "--output", "json", "submit", "--wait", "--", "/no/such", code=1))
        for code, outcome in zip(("CANCELLED", "EXIT", "EXEC_FAILED"), outcomes):
            error = json.loads(outcome.err)["error"]
            self.assertEqual(({"code", "message", "retryable"}, code), (set(error), error["code"]), outcome)

    def test_bounds_are_told_as_they_can_be_given(self):
        self.assert_sentence(self.rota(self.b, "list", "--since", "99999d", code=64), "--since", "at most 3660d")
        self.assert_sentence(self.rota(self.b, "bench", "submit", "--payload", "1GiB", code=64), "from 0B to 64MiB")

    def test_purge_without_yes_does_nothing(self):
        self.submit(self.b, "--", "true")
        outcome = self.rota(self.b, "purge", "--queue", "default", code=64)
        self.assert_sentence(outcome, "--yes", "default", "nothing")
        self.assertEqual(1, self.queue(self.b)["ready"])
        self.assert_sentence(self.rota(self.b, "purge", "--yes", code=64), "--queue")
        self.assert_sentence(self.rota(self.b, "purge", "--queue", "default", "--state", "running", "--yes", code=64), "--state")
        self.assertEqual(1, self.queue(self.b)["ready"])

    def test_list_of_nothing(self):
        self.submit(self.b, "--", "true")
        outcome = self.rota(self.b, "list", "--type", "nobody")
        self.assertEqual("", outcome.out)
        self.assert_sentence(outcome)
        self.assertEqual(("", ""), tuple(getattr(self.rota(self.b, "--output", "json", "list", "--type", "nobody"), name)
                                         for name in ("out", "err")))

    def test_cursor_of_another_list(self):
        for queue in ("one", "two"):
            self.rota(self.b, "submit", "--queue", queue, "--array", "1-3", "--", "true")
        more = json.loads(self.rota(self.b, "--output", "json", "list", "--queue", "one", "--limit", "1").err)["more"]["from"]
        outcome = self.rota(self.b, "list", "--queue", "two", "--from", more, code=64)
        self.assert_sentence(outcome, "cursor")
        self.assert_sentence(self.rota(self.b, "list", "--from", "xyz", code=64), "--from")

    def test_retry_of_a_running_job_is_refused(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "sh", "-c", "until [ -e go ]; do sleep 0.02; done")
        self.wait_state(self.b, job, "running")
        outcome = self.rota(self.b, "retry", job, code=1)
        self.assert_sentence(outcome, job)
        self.assertEqual(("running", 1), tuple(self.status(self.b, job)[name] for name in ("state", "attempt")))
        (self.directory / "go").touch()
        self.rota(self.b, "wait", job)
        self.rota(self.b, "cancel", job, code=1)
        self.assertEqual("succeeded", self.status(self.b, job)["state"])
        self.rota(self.b, "retry", job)
        self.rota(self.b, "wait", job)
        self.assertEqual(("succeeded", 2), tuple(self.status(self.b, job)[name] for name in ("state", "attempt")))

    def test_unknown_names(self):
        self.assert_sentence(self.rota(self.b, "drain", "nobody", code=2), "nobody")
        self.assert_sentence(self.rota(self.b, "list", "--queue", "none", code=2), "none")
        self.assert_sentence(self.rota(self.b, "retry", "--queue", "none", code=2), "none")
        self.assert_sentence(self.rota(self.b, "purge", "--queue", "none", "--yes", code=2), "none")
        self.assert_sentence(self.rota(self.b, "drain", "a b", code=64), "a b")
        self.assert_sentence(self.rota(self.b, "pause", "a b", code=64), "a b")

    def test_options_that_exclude_each_other(self):
        for words, named in ((["--delay", "1s", "--at", "2100-01-01T00:00:00Z", "--", "true"], "--delay"),
                             (["--each-line", "-", "--array", "1-2", "--", "true"], "--each-line"),
                             (["--type", "t", "--payload", "x", "--payload-file", "-"], "--payload"),
                             (["--type", "t", "--stdin", "-"], "--stdin"), (["--type", "t", "--env", "A=b"], "--env"),
                             (["--type", "t", "--cwd", "/"], "--cwd"), (["--payload", "x", "--", "true"], "--stdin"),
                             (["--key-for", "1s", "--", "true"], "--key"),
                             (["--array", "1-2", "--key", "k", "--", "true"], "--key"),
                             (["--each-line", "-", "--stdin", "-", "--", "true"], "stdin")):
            outcome = self.rota(self.b, "submit", *words, code=64)
            self.assert_sentence(outcome, named)
        outcome = self.rota(self.b, "ping", "--", "true", code=64)
        self.assert_sentence(outcome, "ping")
        self.assertEqual([], self.rota(self.b, "--output", "json", "queues").json_lines())

    def test_wait_says_that_contact_is_lost_and_back(self):
        job = self.submit(self.b, "--", "true")
        waiting = self.start_rota(self.b, "wait", job)
        metric = eventually(lambda: self.rota(self.b, "--output", "json", "stats").json()["waits"] == 1, 20, "the wait is known")
        self.assertTrue(metric)
        self.b.kill()
        eventually(lambda: "lost contact" in waiting.log_text(), 40, waiting.log_text)
        self.b = self.restart(self.b)
        eventually(lambda: "is back" in waiting.log_text(), 40, waiting.log_text)
        self.worker(self.b)
        self.assertEqual(0, waiting.wait(30), waiting.log_text())
        for line in waiting.log_text().splitlines():
            self.assertTrue(line.startswith("rota: "), line)


class Bench(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def bench(self, *words, **keywords):
        return self.rota(self.b, "--output", "json", "bench", *words, **keywords).json()

    def test_every_option_has_its_effect(self):
        figures = self.bench("submit", "--jobs", "50", "--payload", "1KiB", "--batch", "8", "--window", "16", "--queue", "b")
        self.assertEqual(("submit", 50, 1024, 8, 16, "fsync"),
                         tuple(figures[name] for name in ("workload", "jobs", "payload", "batch", "window", "durability")))
        self.assertGreaterEqual(figures["commits"], 1)
        self.assertGreater(figures["store_bytes_per_job"], 1024)
        self.assertEqual(50, self.queue(self.b, "b")["ready"])
        figures = self.bench("lifecycle", "--jobs", "50", "--workers", "2", "--slots", "3", "--durability", "memory",
                             "--workers-endpoint", self.b.workers, "--keep", "0")
        self.assertEqual(("memory", 0), (figures["durability"], figures["commits"]))
        self.assertEqual(50, self.queue(self.b)["succeeded"])
        eventually(lambda: not self.rota(self.b, "--output", "json", "workers").json_lines(), 20, "its workers are gone")
        began = time.monotonic()
        figures = self.bench("latency", "--jobs", "50", "--rate", "100", "--workers", "1")
        self.assertEqual(100, figures["rate"])
        self.assertTrue(0.45 <= figures["seconds"] <= time.monotonic() - began, figures)
        self.assertLessEqual(figures["p50_us"], figures["p999_us"])

    def test_own_worker_serves_so_many_jobs(self):
        worker = rota_harness.Program(self, [BIN / "rota", "bench", "worker", "--broker", self.b.workers, "--jobs", "20",
                                             "--name", "mine"], "\0", name="bench-worker")
        eventually(lambda: "mine" in self.rota(self.b, "workers").out, 20, "it is registered")
        self.assertEqual(20, self.bench("lifecycle", "--jobs", "20")["jobs"])
        self.assertEqual(0, worker.wait(20), worker.log_text())

    def test_unknown_workload_and_option(self):
        self.assert_sentence(self.rota(self.b, "bench", "sprint", code=64), "sprint", "lifecycle")
        self.assert_sentence(self.rota(self.b, "bench", "submit", "--rate", "5", code=64), "--rate")
        for workload in ("submit", "lifecycle", "latency"):
            self.assert_sentence(self.rota(self.b, "bench", workload, "--jobs", "0", code=64), "--jobs", "at least 1")

    def test_without_a_worker_it_says_so_and_gives_up_at_its_timeout(self):
        for words in (["latency"], ["latency", "--rate", "1000"], ["lifecycle"]):
            outcome = self.rota(self.b, "--timeout", "3s", "bench", *words, "--jobs", "5", code=124)
            self.assertEqual(2, len(outcome.err.splitlines()), outcome)
            self.assertIn("rota: waiting: no connected worker serves bench.noop on default", outcome.err)
            self.assertIn("0 of 5 jobs ended, and no other within 3s", outcome.err)


if __name__ == "__main__":
    rota_harness.main()
