"""docs/cli.md and the programs say the same, in both directions: commands, options, defaults, environment, files, JSON."""

import json
import re

import rota_harness
import rota_peer as peer
from contract_page import Page, help_options
from program_help import PROGRAMS, commands_of, help_of
from rota_harness import BIN, RotaTest, eventually

ALL_THREE = {"--help", "--version", "--config", "--log-level", "--log-format"}
# Options that take any text: there is no value that they refuse. Other tests set them.
FREE = {"--config", "--data", "--advertise", "--cwd", "--payload", "--payload-file", "--stdin", "--each-line"}
BAD = "\x01nonsense"


class Help(RotaTest):
    def setUp(self):
        super().setUp()
        self.page = Page()

    def assert_same(self, heading, shown, ignored=frozenset()):
        told = {name: (placeholder, default) for name, (placeholder, default, _) in self.page.options(heading).items()}
        shown = {name: value for name, value in shown.items() if name not in ignored}
        self.assertEqual(told, shown, f"docs/cli.md, {heading!r} (first) and --help (second)")

    def test_options_and_defaults_are_those_of_help(self):
        self.assertEqual(ALL_THREE, set(self.page.options("All three")))
        for program in PROGRAMS:
            shown = help_options(help_of(program))
            self.assertEqual({}, {name: shown.get(name) for name, (placeholder, default, _) in
                                  self.page.options("All three").items() if shown.get(name) != (placeholder, default)})
            self.assert_same(program, shown, ALL_THREE)
        for command in set(commands_of("rota")):
            self.assert_same(f"rota {command}", help_options(help_of("rota", command)), {"--help"})

    def test_commands_are_those_of_help(self):
        self.assertEqual(self.page.commands(), set(commands_of("rota")))
        told = {row["command"].strip("`").split()[0] for row in self.page.table("rota-broker", "command")}
        self.assertEqual(told, set(commands_of("rota-broker")))
        quiet = " ".join(row["command"] for row in self.page.table("Output", "command"))
        self.assertEqual(set(), {name for name in self.page.commands() if not re.search(rf"\b{name}\b", quiet)})

    def test_exit_codes_are_those_of_the_contract(self):
        told = {int(row["exit"]) for row in self.page.table("Exit codes", "exit")}
        self.assertEqual({0, 1, 2, 64, 69, 70, 75, 77, 124, 130}, told)


class Sources(RotaTest):
    """Each option can be given where the page says, and nowhere else."""

    def setUp(self):
        super().setUp()
        self.page = Page()

    def words_for(self, heading):
        """A call that parses the options of this heading and does nothing."""
        if heading.startswith("rota "):
            command = heading.removeprefix("rota ")
            words = {"submit": [], "purge": ["--queue", "q"], "retry": [], "id": ["--count", "1"],
                     "list": ["--limit", "1"], "bench": ["nonsense"]}[command]
            return [BIN / "rota", "--timeout", "1ms", "--broker", "tcp://127.0.0.1:9", command, *words]
        return {"rota-broker": [BIN / "rota-broker", "--http", "nonsense"], "rota-worker": [BIN / "rota-worker"],
                "rota": [BIN / "rota", "ping"]}[heading]

    def each_option(self):
        for heading in self.page.tables:
            if heading in ("rota-broker", "rota-worker", "rota") or heading.startswith("rota "):
                for name, (_, _, environment) in self.page.options(heading).items():
                    yield heading, name, environment
        for name, (_, _, environment) in self.page.options("All three").items():
            if name not in ("--help", "--version"):
                yield from ((program, name, environment) for program in PROGRAMS)

    def test_environment(self):
        for heading, name, environment in self.each_option():
            if name in FREE or (heading, name) == ("rota-broker", "--http"):
                continue
            general = "ROTA_" + name.strip("-").upper().replace("-", "_")
            outcome = self.run_to_end([*self.words_for(heading)], env={environment or general: BAD})
            with self.subTest(program=heading, option=name):
                if environment:
                    # Addresses of the broker are looked at together with --insecure, by their option's name.
                    named = name if heading == "rota-broker" and name in ("--clients", "--workers") else environment
                    self.assertEqual(64, outcome.code, outcome)
                    self.assertRegex(outcome.err, rf"^{heading.split()[0]}: {named}: ")
                else:
                    self.assertNotIn(general, outcome.err)

    def test_file(self):
        for heading, name, environment in self.each_option():
            if name in FREE or (heading, name) == ("rota-broker", "--http"):
                continue
            key = name.strip("-")
            table = f"[{heading.removeprefix('rota ')}]\n" if heading.startswith("rota ") else ""
            config = self.directory / "a.toml"
            config.write_text(f'{table}{key} = "\\u0001nonsense"\n')
            outcome = self.run_to_end([*self.words_for(heading), "--config", config])
            with self.subTest(program=heading, option=name):
                self.assertEqual(64, outcome.code, outcome)
                if environment and name not in ("--clients", "--workers"):
                    self.assertIn(f"{config}: {key}: ", outcome.err)
                elif environment:
                    self.assertIn(f"{name}: ", outcome.err)
                else:
                    self.assertIn(f"'{heading.removeprefix('rota ')}.{key}' is given on the command line only", outcome.err)

    def test_misspelt_key_is_named_with_the_nearest_one_by_all_programs(self):
        config = self.directory / "a.toml"
        for words, text, wrong, right in (([BIN / "rota-broker"], 'store-limt = "1GiB"\n', "store-limt", "store-limit"),
                                          ([BIN / "rota-broker", "check"], 'dta = "x"\n', "dta", "data"),
                                          ([BIN / "rota-worker"], "slot = 3\n", "slot", "slots"),
                                          ([BIN / "rota", "ping"], 'brocker = "x"\n', "brocker", "broker"),
                                          ([BIN / "rota", "ping"], '[submit]\nque = "x"\n', "submit.que", "submit.queue"),
                                          ([BIN / "rota", "submit"], 'queue = "x"\n', "queue", "submit.queue")):
            config.write_text(text)
            outcome = self.run_to_end([*words, "--config", config])
            self.assertEqual(64, outcome.code, outcome)
            self.assert_sentence(outcome, config, f"'{wrong}'", f"did you mean '{right}'", program=words[0].name)

    def test_option_then_environment_then_file_for_all_programs(self):
        config = self.directory / "a.toml"
        for words, key, option in (([BIN / "rota-broker", "--http", "nonsense"], "lease", "--lease"),
                                   ([BIN / "rota-worker"], "slots", "--slots"),
                                   ([BIN / "rota", "--broker", "tcp://127.0.0.1:9", "ping"], "timeout", "--timeout")):
            config.write_text(f'{key} = "from the file"\n')
            variable = f"ROTA_{key.upper()}"
            self.assertIn(f"{option}: 'x'", self.run_to_end([*words, "--config", config, option, "x"], env={variable: "y"}).err)
            self.assertIn(f"{variable}: 'y'", self.run_to_end([*words, "--config", config], env={variable: "y"}).err)
            self.assertIn("'from the file'", self.run_to_end([*words, "--config", config]).err)
            self.assertIn("'from the file'", self.run_to_end(words, env={"ROTA_CONFIG": str(config)}).err)


class Json(RotaTest):
    """The objects that the programs print have the fields of the page, no more and no fewer."""

    def setUp(self):
        super().setUp()
        self.page = Page()
        self.b = self.broker()

    def assert_fields(self, heading, objects, unseen=frozenset()):
        """Every field of the objects is documented, the documented ones are all seen, none that is not marked `if` is absent."""
        every, optional = self.page.fields(heading)
        self.assertTrue(objects and every, heading)
        seen = set().union(*objects)
        self.assertEqual(every - set(unseen), seen, heading)
        for one in objects:
            self.assertEqual(set(), (every - optional) - set(one), f"{heading}: {one}")

    def objects(self, *words, **keywords):
        return self.rota(self.b, "--output", "json", *words, **keywords).json_lines()

    def running_with_progress(self):
        """Facts of a job whose worker told how far it is."""
        job = self.submit(self.b, "--type", "steps", "--payload", "x")
        with peer.Peer(self.b.workers) as worker:
            worker.worker_hello("steps", b"s" * 16, types=("steps",))
            self.assertIsNotNone(worker.receive_type(peer.DISPATCH))
            running = self.wait_progress(worker, job)
        return running

    def wait_progress(self, worker, job):
        raw = bytes.fromhex(job.replace("-", ""))
        stats = self.rota(self.b, "--output", "json", "stats").json()
        seen = {}

        def told():
            # The first dispatch of this broker's first epoch.
            worker.send(peer.pack(peer.RENEW, 9, 1, 1, [[raw, stats["epoch"], 1, 0.5, "half"]]))
            worker.receive_type(peer.RENEWED, 5)
            seen.update(self.status(self.b, job))
            return "progress" in seen
        eventually(told, 20, lambda: f"the progress is shown: {seen}")
        self.assertEqual({"fraction": 0.5, "message": "half"}, seen["progress"])
        return seen

    def test_job(self):
        """Of each command apart: what one of them tells does not hide that another has lost it."""
        stored = self.running_with_progress()
        waiting = self.submit(self.b, "--key", "k", "--name", "n", "--", "true")
        status, listed = [stored] + self.objects("status", waiting), self.objects("list")
        self.assertIn("waiting_for", status[-1])
        self.worker(self.b)
        texts = [self.submit(self.b, "--key", f"k{at}", "--name", "n", "--", "sh", "-c", words) for at, words in
                 enumerate(("echo out; echo err >&2", "kill -9 $$", "printf '\\377'", "exit 3"))]
        self.rota(self.b, "wait", waiting, *texts, code=1)
        status += self.objects("status", *texts)
        listed += self.objects("list")
        results = [one for job in texts for one in self.objects("result", job, code=None)]
        self.assertEqual("out\n", results[0]["result"])
        self.assertEqual("/w==", results[2]["result_base64"])
        self.assert_fields("A job", status, unseen={"result", "result_base64"})
        self.assert_fields("A job", listed, unseen={"result", "result_base64"})
        # Of final jobs: nothing is to come.
        self.assert_fields("A job", results, unseen={"progress", "waiting_for"})

    def test_submission_end_state_and_small_objects(self):
        submitted = self.objects("submit", "--delay", "1h", "--", "true")
        submitted += self.objects("submit", "--id", submitted[0]["id"], "--delay", "1h", "--", "true")
        self.assertEqual([False, True], [one["duplicate"] for one in submitted])
        self.assert_fields("A submission", submitted)
        self.assert_fields("A state", self.objects("cancel", submitted[0]["id"]) + self.objects("retry", submitted[0]["id"]))
        self.rota(self.b, "cancel", submitted[0]["id"])
        self.worker(self.b, name="bee")
        jobs = self.rota(self.b, "submit", "--each-line", "-", "--", "sh", "-c", "{}",
                         stdin="echo x >&2\nkill -9 $$\nexit 3\n").lines
        ends = self.objects("wait", *jobs, code=1)
        self.assert_fields("An end", ends)
        self.assert_fields("An end", self.objects("submit", "--wait", "--", "sh", "-c", "echo x >&2; kill -9 $$", code=137))
        for command, words in (("pause", ["default"]), ("resume", ["default"]), ("drain", ["bee"]), ("ping", []), ("id", [])):
            told = next(row["fields"] for row in self.page.table("Other objects", "object") if f"`{command}`" in row["object"])
            self.assertEqual(set(re.findall(r"`(\w+)`", told)), set(self.objects(command, *words)[0]), command)

    def test_count(self):
        self.worker(self.b)
        jobs = self.rota(self.b, "submit", "--array", "1-2", "--", "false").lines
        self.rota(self.b, "wait", *jobs, code=1)
        retried = self.objects("retry", "--queue", "default")
        self.assertEqual(2, retried[0]["retried"])
        self.rota(self.b, "wait", *jobs, code=1)
        purged = self.objects("purge", "--queue", "default", "--yes")
        self.assertEqual(2, purged[0]["forgotten"])
        self.assert_fields("A count", retried + purged)

    def test_queue_and_worker(self):
        self.submit(self.b, "--", "true")
        self.assert_fields("A queue", self.objects("queues"))
        self.worker(self.b, "--label", "zone=a", "--label", "disk=ssd", name="bee")
        workers = self.objects("workers")
        self.assert_fields("A worker", workers)
        self.assertEqual({"name": "bee", "slots": 2, "labels": "zone=a,disk=ssd", "connected": True, "draining": False},
                         {field: workers[0][field] for field in ("name", "slots", "labels", "connected", "draining")})

    def test_stats(self):
        self.assert_fields("The counters", self.objects("stats"))

    def test_errors_notes_and_more(self):
        error = self.rota(self.b, "--output", "json", "drain", "nobody", code=2)
        self.assertEqual(({"error"}, {"code", "message", "retryable"}),
                         (set(json.loads(error.err)), set(json.loads(error.err)["error"])))
        waited = self.rota(self.b, "--output", "json", "--timeout", "3s", "submit", "--wait", "--", "true", code=124)
        notes = [json.loads(line) for line in waited.err.splitlines()]
        self.assertEqual([{"notice"}, {"error"}], [set(note) for note in notes], waited)
        self.submit(self.b, "--", "true")
        listed = self.rota(self.b, "--output", "json", "list", "--limit", "1")
        self.assertEqual({"from"}, set(json.loads(listed.err)["more"]), listed)

    def test_bench(self):
        figures = [self.objects("bench", workload, *more, "--jobs", "20", "--workers", "1")[0] for workload, more in
                   (("submit", []), ("lifecycle", []), ("latency", []), ("latency", ["--rate", "1000"]))]
        self.assert_fields("Figures of bench", figures)
        self.assertEqual(["submit", "lifecycle", "latency", "latency"], [one["workload"] for one in figures])


if __name__ == "__main__":
    rota_harness.main()
