"""SIGTERM to a worker: running jobs finish, the others go back, nothing is lost or run twice."""

import signal

import rota_harness
from rota_harness import RotaTest, eventually, processes_with

SHORT = 'echo $ROTA_JOB_WORKER >> runs/$ROTA_JOB_ID'
LONG = 'echo $ROTA_JOB_WORKER >> runs/$ROTA_JOB_ID; until [ -e release ]; do sleep 0.02; done'


class Drain(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker("--lease", "10s")
        self.runs = self.directory / "runs"
        self.runs.mkdir()

    def started(self, jobs):
        return [job for job in jobs if (self.runs / job).exists()]

    def assert_each_ran_once(self, jobs):
        for fact in self.statuses(self.b, jobs):
            self.assertEqual(("succeeded", 1, 0), (fact["state"], fact["attempt"], fact["losses"]), fact)
            self.assertEqual(1, len((self.runs / fact["id"]).read_text().split()), fact)

    def test_terminated_worker_loses_nothing_and_runs_nothing_twice(self):
        leaving = self.worker(self.b, name="leaving", slots=3)
        long = self.rota(self.b, "submit", "--array", "1-2", "--", "sh", "-c", LONG).lines
        eventually(lambda: len(self.started(long)) == 2, 20, "both long jobs run")
        short = self.rota(self.b, "submit", "--array", "1-2000", "--", "sh", "-c", SHORT).lines
        eventually(lambda: len(list(self.runs.iterdir())) >= 50, 30, "short jobs are under way")
        leaving.process.send_signal(signal.SIGTERM)
        # The other worker takes what went back while the long jobs still run on the first.
        self.worker(self.b, name="staying", slots=2)
        self.rota(self.b, "wait", *short[-200:], seconds=60)
        eventually(lambda: self.queue(self.b)["running"] == 2, 30, lambda: f"only the long jobs are left: {self.queue(self.b)}")
        self.assertTrue(leaving.alive)
        (self.directory / "release").touch()
        self.assertEqual(0, leaving.wait(30), leaving.log_text())
        self.rota(self.b, "wait", *long)
        self.assert_each_ran_once(long + short)
        self.assertEqual({"leaving"}, {fact["worker"] for fact in self.statuses(self.b, long)})

    def test_idle_worker_ends_at_once(self):
        self.assertEqual(0, self.worker(self.b).stop(10))
        eventually(lambda: not self.rota(self.b, "--output", "json", "workers").json_lines(), 10, "it is listed no more")

    def test_second_signal_kills_the_running_jobs_which_count_as_lost(self):
        marker = f"rota-marker-{self.directory.name}"
        worker = self.worker(self.b)
        job = self.submit(self.b, "--env", f"MARKER={marker}", "--", "sh", "-c", "test $ROTA_JOB_ATTEMPT = 2 || sleep 600")
        self.wait_state(self.b, job, "running")
        worker.process.send_signal(signal.SIGTERM)
        eventually(lambda: "drain" in worker.log_text().lower(), 10, "the worker says that it drains")
        worker.process.send_signal(signal.SIGTERM)
        self.assertEqual(1, worker.wait(20), worker.log_text())
        self.assertEqual([], processes_with(marker))
        self.worker(self.b, name="next")
        self.rota(self.b, "wait", job)
        facts = self.status(self.b, job)
        self.assertEqual((2, 1), (facts["attempt"], facts["losses"]))

    def test_drain_timeout_bounds_the_wait(self):
        worker = self.worker(self.b, "--drain-timeout", "300ms")
        job = self.submit(self.b, "--", "sh", "-c", "test $ROTA_JOB_ATTEMPT = 2 || sleep 600")
        self.wait_state(self.b, job, "running")
        worker.process.send_signal(signal.SIGTERM)
        self.assertEqual(1, worker.wait(20), worker.log_text())
        self.worker(self.b, name="next")
        self.rota(self.b, "wait", job)


if __name__ == "__main__":
    rota_harness.main()
