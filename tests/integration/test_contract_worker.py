"""The contract of rota-worker: each option does what docs/cli.md says. CONTRACT names the test of each row."""

import os
import re
import signal

import rota_harness
from contract_page import Page
from contract_rows import assert_covers
from rota_harness import BIN, Program, RotaTest, eventually

CONTRACT = {
    "--broker": ["Settings.test_several_brokers", "Settings.test_environment_and_file"],
    "--queue": ["Settings.test_environment_and_file", "Settings.test_heavier_queues_are_served_more_often",
                "test_cli.Submit.test_queues_are_served_by_those_who_name_them"],
    "--slots": ["Settings.test_slots_bound_what_runs_at_a_time", "Settings.test_ready_line_and_defaults"],
    "--name": ["Settings.test_ready_line_and_defaults",
               "test_cli.Programs.test_second_worker_of_a_live_name_is_refused_and_told_who_holds_it"],
    "--label": ["test_contract_docs.Json.test_queue_and_worker", "Settings.test_environment_and_file"],
    "--exec": ["Settings.test_environment_and_file",
               "test_cli.Programs.test_worker_without_anything_to_serve_names_both_options"],
    "--command": ["Commands.test_named_command_gets_the_payload_on_stdin", "Commands.test_words_of_a_command_line",
                  "test_cli.Submit.test_named_commands_serve_their_type_only"],
    "--max-output": ["Commands.test_output_beyond_the_limit_says_how_much_is_missing"],
    "--drain-timeout": ["test_drain.Drain.test_drain_timeout_bounds_the_wait"],
    "--config": ["Settings.test_environment_and_file", "test_contract_docs.Sources"],
    "--log-level": ["test_contract_docs.Sources"],
    "--log-format": ["test_contract_docs.Sources"],
    "--help": ["test_cli.Programs.test_every_program_tells_its_version_and_help"],
    "--version": ["test_cli.Programs.test_every_program_tells_its_version_and_help"],
    "ready line": ["Settings.test_ready_line_and_defaults"],
    "nothing to serve: 64": ["test_cli.Programs.test_worker_without_anything_to_serve_names_both_options"],
    "waits for its broker": ["test_cli.Programs.test_worker_started_before_its_broker_waits_for_it_and_says_so"],
    "name taken: 75": ["test_cli.Programs.test_second_worker_of_a_live_name_is_refused_and_told_who_holds_it"],
    "SIGTERM drains": ["test_drain.Drain.test_terminated_worker_loses_nothing_and_runs_nothing_twice"],
    "second SIGTERM": ["test_drain.Drain.test_second_signal_kills_the_running_jobs_which_count_as_lost"],
    "drained by rota drain": ["Settings.test_drain_from_afar_is_a_clean_end"],
    "environment of a command": ["Commands.test_environment_of_a_command"],
    "exit code, signal": ["Commands.test_exit_code_and_signal"],
    "stderr tail": ["Commands.test_last_16_kib_of_stderr_are_kept"],
    "EXEC_FAILED": ["Commands.test_command_that_cannot_be_started",
                    "test_cli.Submit.test_command_that_cannot_be_started_fails_with_the_reason"],
}


class Coverage(RotaTest):
    def test_every_option_has_a_test(self):
        assert_covers(self, "rota-worker", CONTRACT, __file__)


class Settings(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def bare_worker(self, *words, **env):
        return Program(self, [BIN / "rota-worker", *words], "rota-worker ready", env=env).wait_ready()

    def test_ready_line_and_defaults(self):
        worker = self.bare_worker("--broker", self.b.workers, "--exec", "--queue", "a", "--queue", "b=3", "--name", "x.y")
        self.assertEqual(f"rota-worker ready name=x.y broker={self.b.workers} queues=a,b=3 slots={len(os.sched_getaffinity(0))}",
                         worker.ready_line)
        two = [self.bare_worker("--exec", ROTA_WORKER_BROKER=self.b.workers).ready for _ in range(2)]
        self.assertEqual("default", two[0]["queues"])
        self.assertNotEqual(two[0]["name"], two[1]["name"])
        for ready in two:
            self.assertTrue(ready["name"].startswith(os.uname().nodename), ready)

    def test_environment_and_file(self):
        # ROTA_BROKER is the clients' endpoint and nothing to a worker.
        worker = self.bare_worker(ROTA_WORKER_BROKER=self.b.workers, ROTA_BROKER=self.b.clients, ROTA_QUEUE="a,b=2",
                                  ROTA_SLOTS="3", ROTA_NAME="env", ROTA_EXEC="1", ROTA_LABEL="k=v,l=w")
        self.assertEqual({"name": "env", "broker": self.b.workers, "queues": "a,b=2", "slots": "3"}, worker.ready)
        config = self.directory / "worker.toml"
        config.write_text(f'broker = "{self.b.workers}"\nqueue = ["c", "d=5"]\nslots = 1\nname = "file"\nlabel = ["zone=a"]\n'
                          'command = ["greet=echo hello, world"]\n')
        worker = self.bare_worker("--config", config, "--slots", "2", ROTA_SLOTS="3")
        self.assertEqual({"name": "file", "broker": self.b.workers, "queues": "c,d=5", "slots": "2"}, worker.ready)
        labels = {row["name"]: row["labels"] for row in self.rota(self.b, "--output", "json", "workers").json_lines()}
        self.assertEqual({"env": "k=v,l=w", "file": "zone=a"}, labels)
        self.assertEqual("hello, world\n", self.rota(self.b, "submit", "--wait", "--queue", "c", "--type", "greet").out)

    def test_several_brokers(self):
        other = self.broker(data="other")
        worker = self.bare_worker("--broker", self.b.workers, "--broker", other.workers, "--exec", "--name", "both")
        eventually(lambda: len([line for line in worker.lines if line.startswith("rota-worker ready")]) == 2, 20,
                   "a ready line for each broker")
        for broker in (self.b, other):
            outcome = self.rota(broker, "submit", "--wait", "--", "sh", "-c", "echo $ROTA_JOB_WORKER $ROTA_BROKER")
            self.assertEqual(f"both {broker.clients}\n", outcome.out)

    def test_slots_bound_what_runs_at_a_time(self):
        self.worker(self.b, slots=2)
        self.rota(self.b, "submit", "--array", "1-4", "--", "sh", "-c",
                  "touch run.$ROTA_JOB_INDEX; until [ -e go ]; do sleep 0.02; done")
        eventually(lambda: len(list(self.directory.glob("run.*"))) == 2, 20, "two jobs run")
        self.assertEqual((2, 2), tuple(self.queue(self.b)[state] for state in ("running", "ready")))
        (self.directory / "go").touch()
        eventually(lambda: self.queue(self.b)["succeeded"] == 4, 20, "all are done")
        self.assertEqual(4, len(list(self.directory.glob("run.*"))))

    def test_heavier_queues_are_served_more_often(self):
        for queue in ("light", "heavy"):
            self.rota(self.b, "submit", "--queue", queue, "--array", "1-40", "--", "sh", "-c", "echo $ROTA_JOB_QUEUE >> order")
        self.worker(self.b, "--queue", "light=1", "--queue", "heavy=3", slots=1)
        eventually(lambda: self.queue(self.b, "heavy")["succeeded"] == 40, 30, "the heavy queue is empty")
        first = (self.directory / "order").read_text().split()[:32]
        self.assertTrue(20 <= first.count("heavy") <= 28, first)  # 24 of 32 at three to one

    def test_drain_from_afar_is_a_clean_end(self):
        worker = self.worker(self.b, name="leaving")
        self.rota(self.b, "drain", "leaving")
        self.assertEqual(0, worker.wait(20), worker.log_text())

    def test_values_out_of_rule(self):
        for words, named in ((["--queue", "a=0"], "--queue"), (["--queue", "a", "--queue", "a"], "--queue"),
                             (["--slots", "0"], "--slots"), (["--name", "a b"], "--name"), (["--label", "x"], "--label"),
                             (["--label", "a=1", "--label", "a=2"], "--label"),
                             (["--command", "noequals"], "--command"), (["--command", "a='open"], "--command"),
                             (["--command", "a=true", "--command", "a=false"], "--command"),
                             (["--exec", "--command", "exec=true"], "--command"), (["--broker", "tcp://x"], "--broker"),
                             (["--max-output", "1 parsec"], "--max-output")):
            outcome = self.run_to_end([BIN / "rota-worker", *words])
            self.assertEqual(64, outcome.code, f"{words}: {outcome}")
            self.assert_sentence(outcome, named, program="rota-worker")


class Commands(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def run_job(self, *words, **keywords):
        return self.rota(self.b, "submit", "--wait", *words, **keywords)

    def test_named_command_gets_the_payload_on_stdin(self):
        self.worker(self.b, "--command", "upper=tr a-z A-Z", "--command", "count=wc -c", exec=False)
        self.assertEqual("SOME TEXT", self.run_job("--type", "upper", "--payload", "some text").out)
        data = bytes(range(256)) * 1000
        self.assertEqual("256000\n", self.run_job("--type", "count", "--payload-file", "-", stdin=data).out)
        file = self.directory / "input"
        file.write_text("from a file")
        self.assertEqual("FROM A FILE", self.run_job("--type", "upper", "--payload-file", file).out)
        self.assertEqual("0\n", self.run_job("--type", "count").out)

    def test_words_of_a_command_line(self):
        self.worker(self.b, "--command", r"""show=printf '<%s>' one "two  words" 'it'\''s' a\ b $HOME ; x""", exec=False)
        self.assertEqual("<one><two  words><it's><a b><$HOME><;><x>", self.run_job("--type", "show").out)

    def test_output_beyond_the_limit_says_how_much_is_missing(self):
        self.worker(self.b, "--max-output", "1000B")
        out = self.run_job("--", "sh", "-c", "printf head; head -c 5000 /dev/zero | tr '\\0' x; printf tail").out
        missing = int(re.search(r"(\d+) bytes missing", out)[1])
        self.assertTrue(out.startswith("head") and out.endswith("tail"))
        kept = re.sub(r"\n\[[^\]]*missing[^\]]*\]\n", "", out)
        self.assertEqual(5008, len(kept) + missing)
        self.assertLessEqual(len(kept), 1000)
        exact = self.run_job("--", "sh", "-c", "head -c 1000 /dev/zero | tr '\\0' x").out
        self.assertEqual("x" * 1000, exact)

    def test_environment_of_a_command(self):
        self.worker(self.b, "--queue", "q", "--command", "named=env", name="bee", env={"OWN": "worker's"})
        names = {row["variable"].strip("`") for row in Page().table("rota-worker", "variable")}

        def environment(*words, **keywords):
            job = self.rota(self.b, "submit", "--queue", "q", *words, **keywords).out.strip()
            self.rota(self.b, "wait", job)
            lines = self.rota(self.b, "result", job).lines
            return job, dict(line.split("=", 1) for line in lines if "=" in line)
        job, seen = environment("--env", "GIVEN=by submit", "--", "env")
        self.assertEqual({"ROTA_JOB_ID": job, "ROTA_JOB_ATTEMPT": "1", "ROTA_JOB_QUEUE": "q", "ROTA_JOB_WORKER": "bee",
                          "ROTA_BROKER": self.b.clients},
                         {name: value for name, value in seen.items() if name in names})
        self.assertEqual(("by submit", "worker's"), (seen["GIVEN"], seen["OWN"]))
        self.assertEqual({name for name in seen if name.startswith("ROTA_JOB_")} - names, set())
        _, lined = environment("--each-line", "-", "--", "env", "SHOWN={}", "env", stdin="a line\n")
        self.assertEqual(("a line", "a line"), (lined["ROTA_JOB_LINE"], lined["SHOWN"]))
        self.assertNotIn("ROTA_JOB_INDEX", lined)
        _, indexed = environment("--array", "7-7", "--", "env", "SHOWN={}", "env")
        self.assertEqual(("7", "7"), (indexed["ROTA_JOB_INDEX"], indexed["SHOWN"]))
        self.assertNotIn("ROTA_JOB_LINE", indexed)
        job, named = environment("--type", "named")
        self.assertEqual((job, self.b.clients), (named["ROTA_JOB_ID"], named["ROTA_BROKER"]))

    def test_exit_code_and_signal(self):
        self.worker(self.b)
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGHUP):
            job = self.submit(self.b, "--", "sh", "-c", f"kill -{int(number)} $$")
            self.rota(self.b, "wait", job, code=1)
            facts = self.status(self.b, job)
            self.assertEqual((128 + number, number), (facts["exit_code"], facts["signal"]))
        job = self.submit(self.b, "--", "sh", "-c", "exit 200")
        self.rota(self.b, "wait", job, code=1)
        self.assertEqual((200, None), (self.status(self.b, job)["exit_code"], self.status(self.b, job).get("signal")))

    def test_last_16_kib_of_stderr_are_kept(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "sh", "-c", "echo begin >&2; seq 100000 >&2; echo end >&2")
        self.rota(self.b, "wait", job)
        tail = self.status(self.b, job)["stderr_tail"]
        self.assertTrue(tail.endswith("100000\nend\n"), tail[-50:])
        self.assertNotIn("begin", tail)
        self.assertTrue(15 * 1024 < len(tail) <= 16 * 1024, len(tail))

    def test_command_that_cannot_be_started(self):
        self.worker(self.b, "--command", "broken=/no/such/handler")
        plain = self.directory / "plain"
        plain.write_text("no program")
        for words, named in ((["--", plain], "ermission"), (["--cwd", "/no/such/dir", "--", "true"], "/no/such/dir"),
                             (["--type", "broken"], "/no/such/handler")):
            outcome = self.run_job(*words, code=1)
            self.assert_sentence(outcome, "EXEC_FAILED", named)


if __name__ == "__main__":
    rota_harness.main()
