#!/usr/bin/env python3
"""Tortures Rota: a broker, workers and clients under a seeded mix of faults, round after round, over one store.

In each round clients submit and workers run while processes are killed, stopped and drained and connections cut, torn, delayed
and held up. Then all faults end, every job is to come to an end, the broker is killed once more, every job is read again, and
tests/history/checker.py judges what everybody logged. Exit 0: nothing lost, nothing unexpected, every duplicate explained.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stage import TESTS, Finding, Stage  # noqa: E402
import checker  # noqa: E402  (its folder is in the path since stage)
import fault_mix  # noqa: E402
import nemesis  # noqa: E402
import rota_harness  # noqa: E402


class Verdict:
    """A checker at work in a process of its own, while the next round runs."""

    def __init__(self, number, history, seconds):
        self.number, self.history = number, history
        self.seconds = seconds  # in all (with faults + until all was done + the last reading), as text
        self.process = subprocess.Popen([sys.executable, "-B", TESTS / "history/checker.py", history, "--json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def report(self):
        out, err = self.process.communicate()
        if self.process.returncode not in (0, 1) or not out:
            raise Finding(f"round {self.number}: {err}")
        return checker.Report.from_json(out)


class Campaign:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.directory = Path(tempfile.mkdtemp(prefix="rota-torture-", dir=options.directory))
        self.stage = Stage(self.directory, options)
        self.total = checker.Report()
        self.failed_rounds = 0
        self.verdict = None
        self.began = time.monotonic()

    def run(self):
        number = 0
        self.stage.broker.start()
        while not self.enough():
            number += 1
            self.play(number)
        self.take_verdict()
        self.stage.broker.stop()
        self.stage.check_store()

    def enough(self):
        if time.monotonic() - self.began < self.options.seconds:
            return False
        self.take_verdict()
        return self.total.acked >= self.options.jobs_at_least and len(self.total.faults) >= self.options.kinds_at_least

    def play(self, number):
        """One round; its judgement goes on beside the next one."""
        began = time.monotonic()
        seed = self.random.getrandbits(32)
        self.stage.begin_round(number)
        harm = nemesis.Nemesis(self.stage.history, lease_ms=self.options.lease_ms, seed=seed)
        acts = fault_mix.Faults(self.stage, harm, random.Random(seed))
        acts.run(min(self.options.round, max(5, self.options.seconds - (began - self.began))))
        quiet = time.monotonic()
        self.stage.finish_clients()
        self.stage.wait_idle()
        # What is told now comes from the disk.
        acts.restart_broker()
        self.stage.wait_idle()
        reading = time.monotonic()
        self.stage.read_all()
        self.stage.finish_workers()
        harm.close()
        self.take_verdict()
        now = time.monotonic()
        seconds = f"{now - began:5.1f} s ({quiet - began:.0f} + {reading - quiet:.0f} + {now - reading:.0f})"
        self.verdict = Verdict(number, self.stage.history, seconds)

    def take_verdict(self):
        """Of the round before; its history goes if there is nothing to look at."""
        verdict, self.verdict = self.verdict, None
        if verdict is None:
            return
        report = verdict.report()
        self.total.add(report)
        print(f"round {verdict.number:3} {verdict.seconds}  attempted {report.attempted:9,}  acked {report.acked:9,}  "
              f"lost {report.lost}  unexpected {report.unexpected}  duplicates {report.duplicates:5,}  "
              f"unexplained {report.unexplained}  faults {sum(report.faults.values())}", flush=True)
        if report.ok:
            for path in verdict.history.iterdir():
                path.unlink()
            verdict.history.rmdir()
            return
        self.failed_rounds += 1
        print("\n".join(report.findings[:20]))
        print(f"the history of round {verdict.number} is kept in {verdict.history}", flush=True)

    def print_total(self):
        seconds = time.monotonic() - self.began
        print(f"\nseed {self.options.seed}, {seconds:.0f} s, {self.total.acked / seconds:,.0f} jobs/s")
        self.total.findings.clear()
        print(self.total.table(), flush=True)


def parse():
    parser = argparse.ArgumentParser(prog="rota torture", description=__doc__.splitlines()[0])
    parser.add_argument("seconds", nargs="?", type=int, default=600, help="how long [600]")
    parser.add_argument("--seed", type=int, help="of the faults [drawn]; timing is not part of it")
    parser.add_argument("--jobs-at-least", type=int, default=0, help="go on until so many jobs are acknowledged [0]")
    parser.add_argument("--kinds-at-least", type=int, default=0, help="go on until so many kinds of faults took place [0]")
    parser.add_argument("--round", type=float, default=50, help="seconds of load and faults in a round [50]")
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds from one fault to the next [1]")
    parser.add_argument("--workers", type=int, default=3, help="[3]")
    parser.add_argument("--clients", type=int, default=3, help="[3]")
    parser.add_argument("--rate", type=int, default=4000, help="jobs a second of each client, as far as it can [4000]")
    parser.add_argument("--window", type=int, default=6000, help="jobs of each client without an end at most [6000]")
    parser.add_argument("--lease-ms", type=int, default=2000, help="[2000]")
    parser.add_argument("--directory", help="where store and histories go [a temporary directory]")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "big")
    return options


def main():
    options = parse()
    print(f"torture for {options.seconds} s, seed {options.seed}", flush=True)
    campaign = Campaign(options)
    for faults in campaign.stage.broker.left_out():
        print(f"left out: {faults}", flush=True)
    failure = None
    try:
        campaign.run()
    except (Finding, rota_harness.Deadline, subprocess.TimeoutExpired) as error:
        failure = error
    except KeyboardInterrupt:
        failure = "interrupted"
    finally:
        campaign.stage.close()
    if failure:
        print(f"FINDING: {failure}\nkept: {campaign.directory}", flush=True)
    campaign.print_total()
    if failure or not campaign.total.ok or campaign.failed_rounds:
        return 1
    campaign.stage.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
