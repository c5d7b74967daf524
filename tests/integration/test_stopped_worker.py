"""A worker that stops answering without dying (SIGSTOP): others take over, and what it reports later changes nothing."""

import signal

import rota_harness
from rota_harness import QUICK_LEASE, RotaTest, eventually

# On the worker `sleepy` the job holds until the file `release` exists; elsewhere it ends at once.
SCRIPT = 'echo $ROTA_JOB_WORKER >> runs/$ROTA_JOB_ID; ' \
         'if [ $ROTA_JOB_WORKER = sleepy ] && [ -e hold ]; then until [ -e release ]; do sleep 0.05; done; fi; ' \
         'echo $ROTA_JOB_WORKER; echo $ROTA_JOB_WORKER >> ends/$ROTA_JOB_ID'


class StoppedWorker(RotaTest):
    def test_the_rest_drain_the_queue_and_a_late_completion_is_stale(self):
        broker = self.broker(*QUICK_LEASE)
        runs = self.directory / "runs"
        runs.mkdir()
        ends = self.directory / "ends"
        ends.mkdir()
        sleepy = self.worker(broker, name="sleepy", slots=2)
        self.rota(broker, "submit", "--wait", "--array", "1-200", "--", "sh", "-c", SCRIPT)
        (self.directory / "hold").touch()
        ids = self.rota(broker, "submit", "--array", "1-50", "--", "sh", "-c", SCRIPT).lines
        started = eventually(lambda: (lambda s: s if len(s) == 2 else None)([j for j in ids if (runs / j).exists()]), 20,
                             "two jobs run on the worker that will stop")
        sleepy.process.send_signal(signal.SIGSTOP)
        self.worker(broker, name="awake", slots=2)
        self.rota(broker, "wait", *ids, seconds=60)
        facts = {fact["id"]: fact for fact in self.statuses(broker, ids)}
        for job in started:
            self.assertEqual((2, 1, "awake"), tuple(facts[job][k] for k in ("attempt", "losses", "worker")), facts[job])
            self.assertEqual(["sleepy", "awake"], (runs / job).read_text().split())
        for job in ids:
            self.assertEqual("succeeded", facts[job]["state"])
            if job not in started:
                self.assertEqual(["awake"], (runs / job).read_text().split(), job)

        before = broker.metric("rota_stale_tokens_total")
        (self.directory / "release").touch()
        # Its commands end while it is stopped: what it has to say when it wakes comes too late.
        eventually(lambda: all("sleepy" in (ends / job).read_text().split() for job in started), 20, "the two runs end")
        sleepy.process.send_signal(signal.SIGCONT)
        eventually(lambda: broker.metric("rota_stale_tokens_total") >= before + 2, 30,
                   lambda: f"its two late completions are refused as stale: {broker.metric('rota_stale_tokens_total')}")
        for job in started:
            self.assertEqual("awake\n", self.rota(broker, "result", job).out)
            self.assertEqual((2, "awake"), tuple(self.status(broker, job)[k] for k in ("attempt", "worker")))
        # Awake again, it is a worker like any other.
        (self.directory / "hold").unlink()
        more = self.rota(broker, "submit", "--array", "1-20", "--", "sh", "-c", SCRIPT).lines
        self.rota(broker, "wait", *more)
        self.assertEqual(0, sleepy.stop())


if __name__ == "__main__":
    rota_harness.main()
