"""A backlog of a million jobs: memory a job, time to serve again after a kill, and that all of it drains.

ROTA_TEST_SCALE scales the number. Times are printed; only what would be a fault is judged.
"""

import re
import time
from pathlib import Path

import rota_harness
from rota_harness import SANITIZER, RotaTest, eventually, scale

JOBS = scale(1_000_000, 50_000)
BYTES_PER_JOB = 160
SERVE_SECONDS = 5
SLOW_MACHINE = 4  # what a loaded machine may take longer


def anonymous_memory(pid):
    """RssAnon in bytes."""
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


class Backlog(RotaTest):
    seconds = 540

    def test_a_million_queued_jobs_stay_small_survive_a_kill_and_drain(self):
        broker = self.broker()
        self.rota(broker, "bench", "submit", "--queue", "warm", "--jobs", "1000", seconds=60)
        before = anonymous_memory(broker.pid)
        outcome = self.rota(broker, "--output", "json", "bench", "submit", "--queue", "backlog", "--jobs", str(JOBS),
                            "--payload", "100B", seconds=240)
        eventually(lambda: self.queue(broker, "backlog")["ready"] == JOBS, 60, "all are queued", every=0.2)
        per_job = (anonymous_memory(broker.pid) - before) / JOBS
        print(f"{JOBS} jobs queued, {outcome.json()['jobs_per_second']:.0f} a second, {per_job:.1f} bytes of memory a job")
        if not SANITIZER:  # its runtime has its own memory for every allocation
            self.assertLessEqual(per_job, BYTES_PER_JOB if JOBS >= 500_000 else 2 * BYTES_PER_JOB)

        broker.kill()
        began = time.monotonic()
        broker = self.restart(broker)
        self.rota(broker, "ping")
        served = time.monotonic() - began
        print(f"serves again {served:.2f} s after the restart, {anonymous_memory(broker.pid) / JOBS:.1f} bytes a job")
        self.assertLess(served, SERVE_SECONDS * SLOW_MACHINE)
        self.assertEqual(JOBS, self.queue(broker, "backlog")["ready"])

        began = time.monotonic()
        self.rota(broker.workers, "bench", "worker", "--queue", "backlog", "--jobs", str(JOBS), seconds=300)
        counts = {}

        def drained():
            counts.update(self.queue(broker, "backlog"))
            return counts["succeeded"] == JOBS
        eventually(drained, 120, lambda: f"all succeed: {counts}", every=0.2)
        print(f"drained in {time.monotonic() - began:.1f} s")
        self.assertEqual((0, 0, 0), tuple(counts[k] for k in ("ready", "running", "failed")))


if __name__ == "__main__":
    rota_harness.main()
