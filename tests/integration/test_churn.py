"""Store and memory level off while jobs come, end and are forgotten: bench/churn.py, short."""

import sys
import unittest

import rota_harness
from rota_harness import BIN, SANITIZER, SOURCE, RotaTest

# Longer than three times the dedup window, in which nothing can be forgotten yet.
JOBS = 200_000
RATE = 4000


class Churn(RotaTest):
    seconds = 300

    @unittest.skipIf(SANITIZER, "speed and memory of a program with a sanitizer are not the broker's")
    def test_store_and_memory_level_off(self):
        outcome = self.run_to_end(
            [sys.executable, "-B", SOURCE / "bench/churn.py", "--bin", BIN, "--data", self.directory, "--rate", str(RATE),
             "--payload", "2KiB", str(JOBS)], seconds=280)
        print(outcome.out, file=sys.stderr)
        self.assertEqual(0, outcome.code, outcome)
        for what in ("file", "in use", "memory"):
            self.assertRegex(outcome.out, rf"(?m)^  {what} .* levels off$")


if __name__ == "__main__":
    rota_harness.main()
