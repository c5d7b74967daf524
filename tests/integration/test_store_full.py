"""A store that is full: new jobs are refused with a sentence, all that was accepted goes on, service returns by itself."""

import os
import shutil
import subprocess
import unittest

import rota_harness
from rota_harness import PATIENCE, RotaTest, eventually

SMALL = ["--store-limit", "256MiB"]  # the smallest there is


class FullStore(RotaTest):
    seconds = 240

    def fill(self, broker):
        """Submits until the broker has no room, not even for a small job. Pages that come free make some again meanwhile."""
        def is_full():
            for submit in (["bench", "submit", "--queue", "fill", "--jobs", "1200", "--payload", "256KiB"],
                           ["submit", "--queue", "fill", "--", "true"]):
                outcome = self.rota(broker, "--timeout", f"{PATIENCE:.0f}s", *submit, code=None, seconds=120)
                self.assertIn(outcome.code, (0, 75), outcome)
            return outcome.code == 75 and broker.metric("rota_accepts_submits") == 0
        eventually(is_full, 120, "the store is full")

    def start_waiting_job(self, broker):
        """A job that runs until the file `go` exists, and then makes some result."""
        job = self.submit(broker, "--", "sh", "-c", f"while [ ! -e {self.directory}/go ]; do sleep 0.05; done; seq 20000")
        self.wait_state(broker, job, "running")
        return job

    def assert_full(self, broker, *words):
        refused = self.rota(broker, "--timeout", "1s", "submit", "--", "true", code=75)
        self.assert_sentence(refused, "new jobs are taken again when space is free", *words)
        refused = self.rota(broker, "--timeout", "1s", "--output", "json", "submit", "--", "true", code=75)
        self.assertIn('"code":"STORE_FULL"', refused.err)
        self.assertIn('"retryable":true', refused.err)

    def assert_work_goes_on(self, broker, running, queued):
        (self.directory / "go").touch()
        self.rota(broker, "wait", running, queued)
        self.assertEqual("".join(f"{n}\n" for n in range(1, 20001)), self.rota(broker, "result", running).out)

    def assert_serves_again(self, broker):
        # Without being asked to try again: the client does so until its time is over.
        self.assertEqual("back\n", self.rota(broker, "--timeout", "60s", "submit", "--wait", "--", "echo", "back").out)

    def test_store_limit(self):
        broker = self.broker(*SMALL)
        self.worker(broker, slots=1)
        running = self.start_waiting_job(broker)
        queued = self.submit(broker, "--", "true")
        self.fill(broker)
        self.assert_full(broker, "--store-limit 256.0 MiB is reached")
        self.assertLess((self.directory / "data/data.mdb").stat().st_size, 257 * 1024 * 1024)
        self.assert_work_goes_on(broker, running, queued)
        # A kill in this state loses nothing either.
        broker.kill()
        broker = self.restart(broker, *SMALL)
        self.assert_full(broker)
        self.rota(broker, "purge", "--queue", "fill", "--yes")
        self.assert_serves_again(broker)
        self.assertLess((self.directory / "data/data.mdb").stat().st_size, 257 * 1024 * 1024)

    def test_service_returns_as_finished_jobs_are_forgotten(self):
        broker = self.broker(*SMALL, "--dedup-window", f"{10 * PATIENCE:.0f}s")
        self.fill(broker)
        self.rota(broker, "purge", "--queue", "fill", "--yes")
        # Jobs that run and are kept for a while fill it as well.
        self.worker(broker, slots=1)
        self.rota(broker, "--timeout", "60s", "bench", "lifecycle", "--queue", "short", "--jobs", "400", "--payload", "256KiB",
                  "--keep", "1s", "--workers", "1", "--workers-endpoint", broker.workers, seconds=120)
        self.fill(broker)
        eventually(lambda: broker.metric(r"^rota_store_forgotten_total") >= 400, 60, "they are forgotten", every=0.2)
        self.assert_serves_again(broker)

    def small_disk(self, path):
        """Mounts a file system of 300 MiB, for as long as the test runs."""
        path.mkdir()
        mount = shutil.which("mount")
        if mount is None or os.geteuid() != 0:
            self.skipTest("only root can mount a small file system")
        done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=300m", "none", str(path)], capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, [shutil.which("umount"), "-l", str(path)], check=False)

    def test_full_disk(self):
        disk = self.directory / "disk"
        self.small_disk(disk)
        broker = self.broker(data="disk/data")
        self.worker(broker, slots=1)
        running = self.start_waiting_job(broker)
        queued = self.submit(broker, "--", "true")
        # Somebody else takes the rest of the disk.
        with open(disk / "other", "wb") as file:
            try:
                while True:
                    file.write(bytes(1024 * 1024))
                    file.flush()
            except OSError:
                pass
        self.fill(broker)
        self.assert_full(broker, "no more disk space", "No space left on device")
        self.assert_work_goes_on(broker, running, queued)
        broker.kill()
        broker = self.restart(broker, data="disk/data")
        self.assert_full(broker, "No space left on device")
        (disk / "other").unlink()
        self.assert_serves_again(broker)


class Keep(RotaTest):
    def test_job_whose_keep_is_over_is_forgotten_and_says_so(self):
        broker = self.broker("--dedup-window", "10s")
        self.worker(broker)
        brief = self.submit(broker, "--keep", "1s", "--", "echo", "brief")
        self.rota(broker, "wait", brief)
        longer = self.submit(broker, "--", "echo", "longer")
        self.rota(broker, "wait", longer)
        self.assertEqual("brief\n", self.rota(broker, "result", brief).out)
        # The dedup window is the least that a job is remembered.
        eventually(lambda: self.rota(broker, "status", brief, code=None).code == 2, 40, "it is forgotten", every=0.2)
        for command in ("status", "result", "wait", "retry", "cancel"):
            self.assert_sentence(self.rota(broker, command, brief, code=2), brief)
        listed = [job["id"] for job in self.rota(broker, "--output", "json", "list").json_lines()]
        self.assertEqual([longer], listed)
        self.assertEqual("longer\n", self.rota(broker, "result", longer).out)
        # For good: a resend of it, however late, does not run it again.
        self.rota(broker, "submit", "--id", brief, "--keep", "1s", "--", "echo", "brief", code=None)
        self.rota(broker, "status", brief, code=2)


if __name__ == "__main__":
    rota_harness.main()
