"""The broker is killed with SIGKILL again and again under load: what was acknowledged ends well, and runs once.

ROTA_TEST_SCALE scales the numbers (1: 10,000 commands, 100,000 handler jobs).
"""

import json
import subprocess
import threading

import rota_harness
from rota_harness import BIN, RotaTest, eventually, scale

COMMANDS = scale(10_000, 200)
HANDLER_JOBS = scale(100_000, 1000)
KILLS = 5
CHUNK = 500
SCRIPT = 'echo $ROTA_JOB_ATTEMPT >> runs/$ROTA_JOB_LINE'
LONG = 'echo $ROTA_JOB_ATTEMPT >> runs/$ROTA_JOB_LINE; sleep 2'


class BrokerKills(RotaTest):
    seconds = 540

    def setUp(self):
        super().setUp()
        self.runs = self.directory / "runs"
        self.runs.mkdir()
        self.acknowledged = {}  # line → id
        self.refused = []

    def submit_lines(self, endpoint, lines, script):
        """Submits one job a line; remembers those acknowledged. The client itself sends again while the broker is away."""
        outcome = self.rota(endpoint, "--timeout", "60s", "submit", "--each-line", "-", "--", "sh", "-c", script, "sh",
                            stdin="".join(f"{line}\n" for line in lines), seconds=90, code=None)
        if outcome.code != 0:
            self.refused.append(outcome)
        self.acknowledged.update(zip(lines, outcome.lines))

    def test_acknowledged_jobs_succeed_and_run_once(self):
        broker = self.broker()
        endpoint = broker.clients
        workers = [self.worker(broker, slots=2) for _ in range(3)]
        handlers = [subprocess.Popen([BIN / "rota", "--broker", broker.workers, "bench", "worker", "--queue", "handlers",
                                      "--jobs", str(HANDLER_JOBS)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     env=self.environment) for _ in range(3)]
        self.addCleanup(lambda: [(process.kill(), process.wait(), process.stderr.close()) for process in handlers])

        def submit_all():
            for start in range(0, COMMANDS, CHUNK):
                self.submit_lines(endpoint, [f"short-{n}" for n in range(start, min(start + CHUNK, COMMANDS))], SCRIPT)
        load = self.rota_in_background(["--output", "json", "--timeout", "120s", "bench", "submit", "--queue", "handlers",
                                        "--jobs", str(HANDLER_JOBS)], endpoint)
        submitter = threading.Thread(target=submit_all)
        submitter.start()
        running_at_kill = set()
        for kill in range(KILLS):
            # Long jobs that certainly run at the kill.
            lines = [f"long-{kill}-{n}" for n in range(2)]
            self.rota_priority(endpoint, lines)
            eventually(lambda: all((self.runs / line).exists() for line in lines), 60, f"the long jobs of round {kill} run")
            broker.kill()
            running_at_kill.update(lines)
            broker = self.restart(broker)
            share = (kill + 1) * COMMANDS // (KILLS + 1)
            eventually(lambda: len(list(self.runs.iterdir())) >= share * 0.5, 120, f"{share} jobs started", every=0.1)
        submitter.join(300)
        self.assertFalse(submitter.is_alive())
        self.assertEqual([], self.refused)
        self.assertEqual(COMMANDS + 2 * KILLS, len(self.acknowledged))

        counts = {}

        def done():
            counts.update(self.queue(broker))
            return counts["succeeded"] >= COMMANDS + 2 * KILLS
        eventually(done, 240, lambda: f"all commands succeed: {counts}", every=0.25)
        facts = {fact["id"]: fact for fact in self.statuses(broker, list(self.acknowledged.values()))}
        for line, job in self.acknowledged.items():
            fact = facts[job]
            self.assertEqual(("succeeded", 1, 0), (fact["state"], fact["attempt"], fact["losses"]), (line, fact))
            self.assertEqual("1\n", (self.runs / line).read_text(), (line, fact))
        self.assertLessEqual(running_at_kill, set(self.acknowledged))

        out, err = load.communicate(timeout=240)
        self.assertEqual(0, load.returncode, err)
        self.assertEqual(HANDLER_JOBS, json.loads(out)["jobs"])
        eventually(lambda: self.queue(broker, "handlers")["succeeded"] >= HANDLER_JOBS, 240,
                   lambda: f"all handler jobs succeed: {self.queue(broker, 'handlers')}", every=0.25)
        row = self.queue(broker, "handlers")
        self.assertEqual((0, 0, 0, HANDLER_JOBS), tuple(row[k] for k in ("ready", "running", "failed", "succeeded")))
        for worker in workers:
            self.assertEqual(0, worker.stop(), worker.log_text())
        print(f"{COMMANDS} commands, {HANDLER_JOBS} handler jobs, {KILLS} kills: none lost, none run twice")

    def rota_in_background(self, arguments, endpoint):
        process = subprocess.Popen([BIN / "rota", "--broker", endpoint, *arguments], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        return process

    def rota_priority(self, endpoint, lines):
        outcome = self.rota(endpoint, "--timeout", "60s", "submit", "--priority", "100", "--each-line", "-", "--", "sh", "-c",
                            LONG, "sh", stdin="".join(f"{line}\n" for line in lines), seconds=90)
        self.acknowledged.update(zip(lines, outcome.lines))


if __name__ == "__main__":
    rota_harness.main()
