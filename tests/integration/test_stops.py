"""SIGSTOP of the broker and of workers with handlers, past the lease. (Of exec workers: test_stopped_worker.py.)"""

import os
import signal
from pathlib import Path

import rota_harness
from rota_harness import BIN, QUICK_LEASE, Program, RotaTest, eventually
from tcp_proxy import TcpProxy

HOLDS = "echo $ROTA_JOB_WORKER >> runs/$ROTA_JOB_ID; until [ -e go ]; do sleep 0.05; done; echo $ROTA_JOB_WORKER"


class Stops(RotaTest):
    def setUp(self):
        super().setUp()
        (self.directory / "runs").mkdir()
        self.b = self.broker(*QUICK_LEASE)

    def ran(self, job):
        file = self.directory / "runs" / job
        return file.read_text().split() if file.exists() else []

    def test_broker_that_was_stopped_past_the_lease_gives_no_running_job_away(self):
        proxies = [TcpProxy(self.b.workers) for _ in range(2)]
        for proxy in proxies:
            self.addCleanup(proxy.close)
        workers = [self.worker(proxy.endpoint, slots=2) for proxy in proxies]
        running = self.rota(self.b, "submit", "--array", "1-4", "--", "sh", "-c", HOLDS).lines
        eventually(lambda: all(self.ran(job) for job in running), 20, "four jobs run")
        queued = self.rota(self.b, "submit", "--array", "1-20", "--", "sh", "-c", HOLDS).lines
        before = [proxy.connections for proxy in proxies]
        self.b.process.send_signal(signal.SIGSTOP)
        # By then the lease is over: a worker opens a new socket when it has heard nothing for so long.
        eventually(lambda: all(p.connections > n for p, n in zip(proxies, before)), 60, "both workers notice the silence")
        self.b.process.send_signal(signal.SIGCONT)
        eventually(lambda: len(self.rota(self.b, "workers").lines) >= 3, 30, "both are back")
        (self.directory / "go").touch()
        self.rota(self.b, "wait", *running, *queued, seconds=60)
        for fact in self.statuses(self.b, running + queued):
            self.assertEqual(("succeeded", 0), (fact["state"], fact["losses"]), fact)
            self.assertEqual(1, len(self.ran(fact["id"])), fact)
        self.assertEqual(0, self.b.metric("rota_losses_total"))
        self.assertTrue(all(worker.alive for worker in workers))

    def test_completion_sent_to_a_stopped_broker_counts_once(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "sh", "-c", HOLDS + "; touch ended")
        eventually(lambda: self.ran(job), 20, "it runs")
        self.b.process.send_signal(signal.SIGSTOP)
        (self.directory / "go").touch()
        eventually(lambda: (self.directory / "ended").exists(), 20, "it ends while the broker is stopped")
        self.b.process.send_signal(signal.SIGCONT)
        fact = self.wait_state(self.b, job, "succeeded")
        self.assertEqual((1, 0), (fact["attempt"], fact["losses"]))
        self.assertEqual(1, len(self.ran(job)))
        self.assertEqual(1, self.queue(self.b)["succeeded"])

    def stop_in_mid_sieve(self, worker):
        """Ids of the jobs that the worker was given: it is stopped while it works at the last one, whose lease has ended. One
        that is quicker than the stop is followed by another."""
        jobs = []
        while True:
            idle = self.processor_seconds(worker)
            jobs.append(self.submit(self.b, "--type", "primes", "--payload", "100000000"))
            # No process is started between the sight of it and the stop.
            eventually(lambda: self.processor_seconds(worker) >= idle + 0.03, 60, "it sieves", every=0.005)
            worker.process.send_signal(signal.SIGSTOP)
            if self.wait_state(self.b, jobs[-1], ("ready", "succeeded"))["state"] == "ready":
                return jobs
            worker.process.send_signal(signal.SIGCONT)

    @staticmethod
    def processor_seconds(program):
        fields = Path(f"/proc/{program.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return int(fields[11]) / os.sysconf("SC_CLK_TCK")

    def test_stopped_handler_is_replaced_and_its_completion_is_stale(self):
        """`retries` are not spent on it."""
        first = Program(self, [BIN / "prime-worker", self.b.workers], "serving primes").wait_ready()
        jobs = self.stop_in_mid_sieve(first)
        Program(self, [BIN / "prime-worker", self.b.workers], "serving primes").wait_ready()
        self.rota(self.b, "wait", *jobs, seconds=90)
        self.assertEqual([("succeeded", 0)] * (len(jobs) - 1) + [("succeeded", 1)],
                         [(fact["state"], fact["losses"]) for fact in self.statuses(self.b, jobs)])
        result = self.rota(self.b, "result", jobs[-1]).out
        self.assertEqual("5761455", result.strip())
        stale = self.b.metric("rota_stale_tokens_total")
        first.process.send_signal(signal.SIGCONT)
        eventually(lambda: self.b.metric("rota_stale_tokens_total") > stale, 60, "its late completion is refused")
        self.assertEqual(result, self.rota(self.b, "result", jobs[-1]).out)
        self.assertEqual(len(jobs), self.queue(self.b)["succeeded"])


if __name__ == "__main__":
    rota_harness.main()
