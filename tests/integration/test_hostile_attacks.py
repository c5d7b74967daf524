"""Every attack of hostile_attacks.py for some seconds: honest jobs are run meanwhile and memory stays under its limit.

ROTA_ATTACK_SECONDS (2) is how long each lasts at least, ROTA_ATTACK_SCALE (0.1) of how many connections, names and bytes; the
limits of memory are as much smaller. How fast honest clients are served meanwhile is not judged here but by
`./scripts/rota hostile`.
"""

import json
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

import rota_harness
from hostile_attacks import ATTACKS, MIB, broker_options, memory_limit
from rota_harness import BIN, PATIENCE, SANITIZER, SOURCE, RotaTest, eventually
from test_hostile_peers import HonestLoad

sys.path.insert(0, str(SOURCE / "tests/crash"))
import faults  # noqa: E402

SECONDS = float(os.environ.get("ROTA_ATTACK_SECONDS", "2"))
SCALE = float(os.environ.get("ROTA_ATTACK_SCALE", "0.1"))
NEAR = 96 << 20  # of where it began: a thousand connections' buffers, and what the allocator keeps

HUNG_SYNC, HUNG_MS = 60, 12_000  # the first are of the start, some of the honest job before the attack
ROOM = 3 << 30


class PatientLoad(HonestLoad):
    """Tries again: nobody's submit is acknowledged while the disk hangs, and `rota` waits for that for half a minute."""

    def _run(self):
        while not self._stop.is_set():
            self.done += self.test.rota(self.broker, "submit", "--wait", "--", "true", code=None).code == 0


class HostileAttacks(RotaTest):
    seconds = 180 + 10 * SECONDS

    def memory(self):
        status = Path(f"/proc/{self.b.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) * 1024

    @staticmethod
    def goes_on(attacker):
        try:
            attacker.wait(0.02)
        except subprocess.TimeoutExpired:
            return True
        return False

    def attack(self, name, broker=None, honest=HonestLoad):
        """`honest` is what goes on meanwhile: a context, with its number of ended jobs in `done`."""
        self.b = broker or self.broker(*broker_options(name, SCALE))
        self.worker(self.b, slots=2)
        before = self.memory()
        peak = before
        self.rota(self.b, "submit", "--wait", "--", "true")
        attacker = subprocess.Popen(
            [sys.executable, "-B", SOURCE / "tests/integration/hostile_attacks.py", name, self.b.clients, self.b.workers,
             "--seconds", str(SECONDS), "--patience", str(60 * PATIENCE), "--scale", str(SCALE)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=self.environment)
        try:
            self.assertEqual("attacking\n", attacker.stdout.readline())
            with honest(self, self.b) as load:
                while self.goes_on(attacker):
                    peak = max(peak, self.memory())
                report = json.loads(attacker.stdout.read())
                done = load.done
                eventually(lambda: load.done >= done + 2, 90, "honest jobs were and are run")
        finally:
            attacker.kill()
            attacker.wait()
            attacker.stdin.close()
            attacker.stdout.close()
        self.assertTrue(report["took_place"], report)
        limit = memory_limit(name, SCALE)
        # A sanitizer's runtime keeps freed memory and shadows of it.
        self.assertLess(peak, limit * (4 if SANITIZER else 1), report)
        print(f"peak {peak // MIB} of {limit // MIB} MiB, ", end="", file=sys.stderr)
        return before, report

    def broker_whose_disk_hangs(self):
        """Soon, once, for longer than it takes to bring what it bears. Its file has room: else that would be what
        refuses, in the same words, since no file is lengthened while its disk hangs."""
        counters = self.directory / "counters"
        broker = self.broker(env=faults.environment(BIN, self.directory / "data", counters, sync=f"{HUNG_SYNC} stall {HUNG_MS}"))
        with open(self.directory / "data/data.mdb", "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)
        eventually(lambda: broker.metric("rota_store_file_bytes") >= ROOM, 30, "the broker sees the room")
        self.assertLess(faults.Counters.read(counters).syncs, HUNG_SYNC // 2, "the disk does not hang before the attack")
        return broker

    def assert_back(self, before):
        if SANITIZER:
            return  # its runtime keeps what was freed
        eventually(lambda: self.memory() < before + NEAR, 40, lambda: f"memory is back: {self.memory() >> 20} MiB, was {before >> 20}")

    def test_submit_flood(self):
        self.attack("submit-flood")

    @unittest.skipUnless(faults.library(BIN).exists(), "librota-faults.so is not built: nothing makes the disk hang")
    def test_disk_flood(self):
        self.attack("disk-flood", self.broker_whose_disk_hangs(), PatientLoad)

    def test_big_submits(self):
        self.attack("big-submits")

    def test_pipelined_submits(self):
        self.attack("pipelined-submits")

    def test_big_answers_unread(self):
        before, _ = self.attack("big-answers")
        self.assert_back(before)

    def test_slow_notices(self):
        before, _ = self.attack("slow-notices")
        self.assert_back(before)

    def test_endless_multipart(self):
        before, report = self.attack("endless-multipart")
        self.assertGreater(report["cut"], 0, "its connections are ended")
        self.assert_back(before)

    def test_tiny_multipart(self):
        before, _ = self.attack("tiny-multipart")
        self.assert_back(before)

    def test_huge_claims(self):
        before, _ = self.attack("huge-claims")
        self.assert_back(before)

    def test_connections(self):
        before, _ = self.attack("connections")
        self.assert_back(before)

    def test_half_open_connections(self):
        before, _ = self.attack("half-open")
        self.assert_back(before)

    def test_queue_names(self):
        self.attack("queue-names")

    def test_hello_flood(self):
        self.attack("hello-flood")

    def test_wide_hellos(self):
        self.attack("wide-hellos")

    def test_waits(self):
        self.attack("waits")

    def test_each_attack_is_tried(self):
        tried = {name for name in ATTACKS if any(name.replace("-", "_") in test for test in dir(self))}
        self.assertEqual(set(ATTACKS), tried)


if __name__ == "__main__":
    rota_harness.main()
