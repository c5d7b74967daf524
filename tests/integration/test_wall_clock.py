"""The wall clock of a broker's host jumps an hour forward and back while it runs (libfaketime).

Leases, delays, backoff, keep and the dedup window are durations: they run on. Nothing is lost, nothing runs twice.
"""

import os
import unittest
from pathlib import Path

import rota_harness
from rota_harness import QUICK_LEASE, SANITIZER, RotaTest, eventually

LIBRARIES = [path for path in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
HOUR = 3600


@unittest.skipUnless(LIBRARIES, "needs libfaketime (apt-get install libfaketime)")
@unittest.skipIf(SANITIZER, "a sanitizer's runtime and libfaketime stand in front of the same calls")
class WallClock(RotaTest):
    def setUp(self):
        super().setUp()
        (self.directory / "runs").mkdir()
        self.clock = self.directory / "clock"
        self.jump(0)
        self.fake = {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                     "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.b = self.broker(*QUICK_LEASE, env=self.fake)

    def tearDown(self):
        super().tearDown()
        # What the library of a killed broker leaves behind.
        for program in self.programs:
            for name in (f"faketime_shm_{program.pid}", f"sem.faketime_sem_{program.pid}"):
                Path("/dev/shm", name).unlink(missing_ok=True)

    def jump(self, seconds):
        """Sets the broker's wall clock to so much beside the true one."""
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        os.replace(fresh, self.clock)

    def ran(self, job):
        file = self.directory / "runs" / job
        return file.read_text().split() if file.exists() else []

    def command(self, script):
        return ["--", "sh", "-c", "echo $ROTA_JOB_ATTEMPT >> runs/$ROTA_JOB_ID; " + script]

    def test_jumps_end_no_lease_and_lose_nothing(self):
        self.worker(self.b, slots=4)
        held = self.submit(self.b, *self.command("until [ -e go ]; do sleep 0.05; done"))
        eventually(lambda: self.ran(held), 20, "it runs")
        once = self.rota(self.b, "id").out.strip()
        self.assertEqual(once, self.submit(self.b, "--id", once, *self.command("true")))
        self.wait_state(self.b, once, "succeeded")
        delayed, flaky = [], []
        for offset in (HOUR, 0, -HOUR, 0):
            delayed.append(self.submit(self.b, "--delay", "1s", *self.command("true")))
            flaky.append(self.submit(self.b, "--retries", "2", "--backoff", "1s", *self.command("[ $ROTA_JOB_ATTEMPT = 2 ]")))
            never = self.submit(self.b, "--delay", "30m", *self.command("true"))
            self.jump(offset)
            for job in (delayed[-1], flaky[-1]):
                self.wait_state(self.b, job, "succeeded", seconds=20)
            self.assertEqual("scheduled", self.status(self.b, never)["state"], offset)
            # Known ids stay known, and fresh ones are fresh.
            self.assertEqual(once, self.submit(self.b, "--id", once, *self.command("true")))
            fresh = self.rota(self.b, "id").out.strip()
            self.rota(self.b, "submit", "--wait", "--id", fresh, *self.command("true"))
        (self.directory / "go").touch()
        self.assertEqual(("succeeded", 1, 0), tuple(self.wait_state(self.b, held, "succeeded")[k]
                                                   for k in ("state", "attempt", "losses")))
        self.assertEqual(["1"], self.ran(held))
        self.assertEqual(["1"], self.ran(once))
        for job in delayed:
            self.assertEqual(["1"], self.ran(job))
        for job in flaky:
            self.assertEqual(["1", "2"], self.ran(job))
        self.assertEqual(0, self.b.metric("rota_losses_total"))

    def test_restart_after_a_jump(self):
        for offset in (-HOUR, HOUR):
            self.jump(0)
            done = self.submit(self.b, *self.command("true"))
            worker = self.worker(self.b)
            self.wait_state(self.b, done, "succeeded")
            self.assertEqual(0, worker.stop())
            waiting = self.submit(self.b, *self.command("true"))
            delayed = self.submit(self.b, "--delay", "2s", *self.command("true"))
            self.b.kill()
            self.jump(offset)
            self.b = self.broker(*QUICK_LEASE, env=self.fake)
            worker = self.worker(self.b)
            for job in (waiting, delayed):
                self.wait_state(self.b, job, "succeeded", seconds=30)
                self.assertEqual(["1"], self.ran(job), offset)
            self.assertEqual("succeeded", self.status(self.b, done)["state"], offset)
            self.rota(self.b, "submit", "--wait", *self.command("true"))
            self.assertEqual(["1"], self.ran(done))
            self.assertEqual(0, worker.stop())


if __name__ == "__main__":
    rota_harness.main()
