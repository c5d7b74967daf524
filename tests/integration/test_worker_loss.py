"""A worker that dies: its processes go with it, its jobs run elsewhere, a job that kills workers is given up."""

import signal
import time
from pathlib import Path

import rota_harness
from rota_harness import QUICK_LEASE, RotaTest, eventually, process_alive, processes_with

LEASE = 2.0
# Appends its attempt and the time to a file of its own, then holds while the file `hold` exists.
HOLDING = 'echo "$ROTA_JOB_ATTEMPT $ROTA_JOB_WORKER $(date +%s.%N)" >> runs/$ROTA_JOB_ID; ' \
          'while test -e hold; do sleep 0.05; done; echo done'


class WorkerLoss(RotaTest):
    seconds = 150

    def setUp(self):
        super().setUp()
        self.b = self.broker(*QUICK_LEASE)
        self.runs = self.directory / "runs"
        self.runs.mkdir()
        self.hold = self.directory / "hold"

    def runs_of(self, job):
        """[attempt, worker, time] of each start of the job."""
        file = self.runs / job
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def test_processes_of_a_killed_worker_are_gone_within_a_second(self):
        worker = self.worker(self.b, slots=3)
        marker = f"rota-marker-{self.directory.name}"
        for script in ("sleep 600", "setsid sleep 600 & setsid -f sleep 600; sleep 600",
                       "trap '' TERM INT HUP; (sleep 600 & sleep 600); sleep 600"):
            self.submit(self.b, "--env", f"MARKER={marker}", "--", "sh", "-c", script)
        eventually(lambda: len(processes_with(marker)) >= 8, 20, lambda: f"8 processes: {processes_with(marker)}")
        pids = processes_with(marker)
        worker.kill(signal.SIGKILL)
        began = time.monotonic()
        eventually(lambda: not any(process_alive(pid) for pid in pids), 5,
                   lambda: f"all gone: {[p for p in pids if process_alive(p)]}")
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual([], processes_with(marker))

    def test_jobs_of_a_finished_command_do_not_leave_processes_behind(self):
        self.worker(self.b)
        marker = f"rota-marker-{self.directory.name}"
        self.rota(self.b, "submit", "--wait", "--env", f"MARKER={marker}", "--", "sh", "-c", "sleep 600 & echo started")
        eventually(lambda: not processes_with(marker), 5, "the command's group is gone with it")

    def test_started_jobs_run_elsewhere_with_a_loss_and_prefetched_ones_without(self):
        slots, jobs = 2, 60
        first = self.worker(self.b, name="first", slots=slots)
        # Teaches the worker that these jobs are short, so that it prefetches.
        self.rota(self.b, "submit", "--wait", "--array", "1-300", "--", "sh", "-c", HOLDING, seconds=60)
        self.hold.touch()
        ids = self.rota(self.b, "submit", "--array", f"1-{jobs}", "--", "sh", "-c", HOLDING).lines
        started = eventually(lambda: (lambda s: s if len(s) == slots else None)([j for j in ids if self.runs_of(j)]), 20,
                             "as many jobs started as there are slots")
        first.kill(signal.SIGKILL)
        killed = time.time()
        self.hold.unlink()
        self.worker(self.b, name="second", slots=slots)
        self.rota(self.b, "wait", *ids, seconds=60)
        facts = {fact["id"]: fact for fact in self.statuses(self.b, ids)}
        for job in started:
            self.assertEqual((2, 1, "second"), tuple(facts[job][k] for k in ("attempt", "losses", "worker")), facts[job])
            runs = self.runs_of(job)
            self.assertEqual([("1", "first"), ("2", "second")], [(a, w) for a, w, _ in runs])
            # Two leases; the rest is the patience of a loaded machine.
            self.assertLess(float(runs[1][2]) - killed, 2 * LEASE + 3)
        # The worker may have started as many more as it has slots before it could say so: they count as started too.
        lost = [job for job in ids if facts[job]["losses"]]
        self.assertLessEqual(len(lost), 2 * slots)
        for job in ids:
            if job not in started:
                self.assertEqual(1, len(self.runs_of(job)), job)
        self.assertEqual(jobs, sum(fact["state"] == "succeeded" for fact in facts.values()))

    def test_job_that_kills_its_worker_is_given_up_and_its_neighbours_succeed(self):
        """The job's parent is the spawner, whose parent is the worker."""
        def worker():
            return self.worker(self.b, name="victim", slots=2, wait=False)
        current = worker().wait_ready()
        killer = self.submit(self.b, "--losses", "2", "--", "sh", "-c",
                             'echo "$ROTA_JOB_ATTEMPT w 0" >> runs/$ROTA_JOB_ID; '
                             'read pid name state parent rest < /proc/$PPID/stat; kill -9 $parent; sleep 600')
        neighbours = self.rota(self.b, "submit", "--array", "1-20", "--", "sh", "-c", "sleep 0.05; echo fine").lines
        state = {}

        def ended():
            nonlocal current
            if not current.alive:
                current = worker()
            state.update(self.status(self.b, killer))
            return state["state"] == "failed"
        eventually(ended, 90, lambda: f"the killer is given up: {state}", every=0.1)
        self.assertEqual(3, len(self.runs_of(killer)))
        self.assertEqual(3, state["losses"] if state["losses"] == 3 else state["losses"] + 1)
        self.assertIn("worker", state["error"]["message"])
        if not current.alive:
            current = worker()
        self.rota(self.b, "wait", *neighbours, seconds=60)
        self.rota(self.b, "wait", killer, code=1)

    def test_worker_whose_spawner_dies_reports_its_jobs_lost_and_exits(self):
        worker = self.worker(self.b)
        job = self.submit(self.b, "--", "sh", "-c", "test $ROTA_JOB_ATTEMPT = 2 || sleep 600")
        self.wait_state(self.b, job, "running")
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        self.assertTrue(children, "the spawner is the worker's child")
        for pid in children:
            rota_harness.os.kill(int(pid), signal.SIGKILL)
        self.assertEqual(1, worker.wait(20), worker.log_text())
        self.worker(self.b)
        self.rota(self.b, "wait", job)
        facts = self.status(self.b, job)
        self.assertEqual((2, 1), (facts["attempt"], facts["losses"]))


if __name__ == "__main__":
    rota_harness.main()
