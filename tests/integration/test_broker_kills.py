"""The broker is killed with SIGKILL again and again under load: what was acknowledged ends well, and runs once.

ROTA_TEST_SCALE scales the numbers (1: 10,000 commands, 100,000 handler jobs).
"""

import threading

import rota_harness
from rota_harness import BIN, Program, RotaTest, eventually, scale

COMMANDS = scale(10_000, 200)
HANDLER_JOBS = scale(100_000, 1000)
KILLS = 5
CHUNK = 500
HANDLER_CHUNK = 2000
SCRIPT = 'echo $ROTA_JOB_ATTEMPT >> runs/$ROTA_JOB_LINE'
LONG = 'echo $ROTA_JOB_ATTEMPT >> runs/$ROTA_JOB_LINE; sleep 2'


class BrokerKills(RotaTest):
    seconds = 540

    def setUp(self):
        super().setUp()
        self.runs = self.directory / "runs"
        self.runs.mkdir()
        self.acknowledged = {}  # line → id
        self.handler_jobs = []
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
        for n in range(3):
            Program(self, [BIN / "rota", "--broker", broker.workers, "bench", "worker", "--queue", "handlers", "--jobs", "0",
                           "--name", f"h{n}"], "\0")

        def submit_all():
            for start in range(0, COMMANDS, CHUNK):
                self.submit_lines(endpoint, [f"short-{n}" for n in range(start, min(start + CHUNK, COMMANDS))], SCRIPT)

        def submit_handler_jobs():
            for start in range(0, HANDLER_JOBS, HANDLER_CHUNK):
                outcome = self.rota(endpoint, "--timeout", "60s", "submit", "--queue", "handlers", "--type", "bench.noop", "--array",
                                    f"{start}-{min(start + HANDLER_CHUNK, HANDLER_JOBS) - 1}", seconds=90, code=None)
                if outcome.code != 0:
                    self.refused.append(outcome)
                self.handler_jobs += outcome.lines
        load = threading.Thread(target=submit_handler_jobs)
        load.start()
        submitter = threading.Thread(target=submit_all)
        submitter.start()
        running_at_kill = set()
        for kill in range(KILLS):
            # Long jobs that certainly run at the kill.
            lines = [f"long-{kill}-{n}" for n in range(2)]
            self.submit_first(endpoint, lines)
            eventually(lambda: all((self.runs / line).exists() for line in lines), 60, f"the long jobs of round {kill} run")
            broker.kill()
            running_at_kill.update(lines)
            broker = self.restart(broker)
            share = (kill + 1) * COMMANDS // (KILLS + 1)
            eventually(lambda: len(list(self.runs.iterdir())) >= share, 180, f"{share} jobs started", every=0.1)
        submitter.join(300)
        load.join(300)
        self.assertFalse(submitter.is_alive() or load.is_alive())
        self.assertEqual([], self.refused)
        self.assertEqual(COMMANDS + 2 * KILLS, len(self.acknowledged))
        self.assertEqual(HANDLER_JOBS, len(set(self.handler_jobs)))

        # Exit 0: all of them are final, and succeeded.
        self.rota(broker, "wait", "-", stdin="\n".join([*self.acknowledged.values(), *self.handler_jobs]) + "\n", seconds=300)
        facts = {fact["id"]: fact for fact in self.statuses(broker, list(self.acknowledged.values()))}
        for line, job in self.acknowledged.items():
            fact = facts[job]
            self.assertEqual(("succeeded", 1, 0), (fact["state"], fact["attempt"], fact["losses"]), (line, fact))
            self.assertEqual("1\n", (self.runs / line).read_text(), (line, fact))
        self.assertLessEqual(running_at_kill, set(self.acknowledged))
        for fact in self.statuses(broker, self.handler_jobs):
            self.assertEqual(("succeeded", 1, 0), (fact["state"], fact["attempt"], fact["losses"]), fact)
        for worker in workers:
            self.assertEqual(0, worker.stop(), worker.log_text())
        print(f"\n{COMMANDS} commands, {HANDLER_JOBS} handler jobs, {KILLS} kills: none lost, none run twice")

    def submit_first(self, endpoint, lines):
        outcome = self.rota(endpoint, "--timeout", "60s", "submit", "--priority", "100", "--each-line", "-", "--", "sh", "-c",
                            LONG, "sh", stdin="".join(f"{line}\n" for line in lines), seconds=90)
        self.acknowledged.update(zip(lines, outcome.lines))


if __name__ == "__main__":
    rota_harness.main()
