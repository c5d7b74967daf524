"""Every attack of hostile_attacks.py for some seconds: honest jobs are run meanwhile and memory stays under its limit.

ROTA_ATTACK_SECONDS (2) is how long each lasts, ROTA_ATTACK_SCALE (0.1) of how many connections and names. How fast honest
clients are served meanwhile is not judged here but by `./scripts/rota hostile`.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import rota_harness
from hostile_attacks import ATTACKS, MEMORY_LIMITS
from rota_harness import PATIENCE, SANITIZER, SOURCE, RotaTest, eventually
from test_hostile_peers import HonestLoad

SECONDS = float(os.environ.get("ROTA_ATTACK_SECONDS", "2"))
SCALE = os.environ.get("ROTA_ATTACK_SCALE", "0.1")
NEAR = 96 << 20  # of where it began: a thousand connections' buffers, and what the allocator keeps


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

    def attack(self, name):
        self.b = self.broker()
        self.worker(self.b, slots=2)
        before = self.memory()
        peak = before
        with HonestLoad(self, self.b) as load:
            eventually(lambda: load.done, 30, "honest jobs run")
            attacker = subprocess.Popen(
                [sys.executable, "-B", SOURCE / "tests/integration/hostile_attacks.py", name, self.b.clients, self.b.workers,
                 "--seconds", str(SECONDS), "--patience", str(60 * PATIENCE), "--scale", SCALE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                env=self.environment)
            try:
                self.assertEqual("attacking\n", attacker.stdout.readline())
                done = load.done
                while self.goes_on(attacker):
                    peak = max(peak, self.memory())
                report = json.loads(attacker.stdout.read())
                eventually(lambda: load.done >= done + 2, 30, "honest jobs were and are run")
            finally:
                attacker.kill()
                attacker.wait()
                attacker.stdin.close()
                attacker.stdout.close()
        self.assertTrue(report["took_place"], report)
        # A sanitizer's runtime keeps freed memory and shadows of it.
        self.assertLess(peak, MEMORY_LIMITS[name] * (4 if SANITIZER else 1), report)
        print(f"peak {peak >> 20} of {MEMORY_LIMITS[name] >> 20} MiB, ", end="", file=sys.stderr)
        return before, report

    def assert_back(self, before):
        if SANITIZER:
            return  # its runtime keeps what was freed
        eventually(lambda: self.memory() < before + NEAR, 40, lambda: f"memory is back: {self.memory() >> 20} MiB, was {before >> 20}")

    def test_submit_flood(self):
        self.attack("submit-flood")

    def test_big_submits(self):
        self.attack("big-submits")

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
