"""Many trials side by side, and the table that they come to."""

import argparse
import concurrent.futures
import os
import sys
import time

import faults
from broker_process import BIN
from trial import Verdict

SKIPPED = 77
# Points of a group that may be missed: how often a script calls varies a little from run to run, so its last ones may not come, and
# a broker lives on without its pid in broker.lock.
MOST_MISSED = 10
HEADER = ("| what | points | kills | attempted | acked | lost | unexpected | duplicates | explained |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")


def spread(points, most):
    """At most `most` of the points, evenly, the first and the last among them."""
    points = list(points)
    if len(points) <= most:
        return points
    return [points[round(n * (len(points) - 1) / (most - 1))] for n in range(most)]


def row(what, points, verdict):
    return (f"| {what} | {points} | {verdict.kills} | {verdict.attempted} | {verdict.acked} | {verdict.lost} | {verdict.unexpected} "
            f"| {verdict.duplicates} | {verdict.explained} |")


def was_killed(trial, *_point):
    return trial.verdict.kills > 0


class Campaign:
    """Runs trials in processes of their own and prints a row for each group of them."""

    def __init__(self, jobs=None):
        self._pool = concurrent.futures.ProcessPoolExecutor(jobs or int(os.environ.get("ROTA_JOBS", os.cpu_count() or 2)))
        self.good = True

    def group(self, what, function, arguments, see=None, was_hit=was_killed, spare=None):
        """function(*one) → Trial for each of `arguments`; prints the row and every finding. `see(trial)` for each.

        was_hit(trial, *one): whether the trial came to its point. If none did, or more than `spare` did not, nothing was shown.
        """
        total, hits = Verdict(), 0
        began = time.monotonic()
        pending = {self._pool.submit(function, *one): one for one in arguments}
        for done in concurrent.futures.as_completed(pending):
            trial = done.result()
            total.add(trial.verdict)
            hits += was_hit(trial, *pending[done])
            if see:
                see(trial)
            if not trial.verdict.good:
                for finding in trial.verdict.findings or [f"{trial.verdict}"]:
                    print(f"FOUND with {what} {pending[done]}: {finding}", file=sys.stderr, flush=True)
        if spare is None:
            spare = max(2, min(MOST_MISSED, len(pending) // 4))
        if hits == 0 or len(pending) - hits > spare:
            total.findings.append(f"{hits} of {len(pending)} points were reached")
            print(f"FOUND with {what}: {total.findings[-1]}", file=sys.stderr, flush=True)
        self.good = self.good and total.good
        print(row(what, len(pending), total), flush=True)
        print(f"  {what}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return total

    def close(self):
        self._pool.shutdown()


def main(run, description, needs_faults=True):
    """run(campaign, full, seed) prints its rows. Exits with 0 if nothing was found. Without `needs_faults` nothing is preloaded."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="every point, not a sample of them")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if needs_faults and not faults.library(BIN).exists():
        print(f"skipped: {faults.library(BIN)} is not built (sanitizers stand in front of the same calls)")
        return SKIPPED
    campaign = Campaign()
    print(HEADER, flush=True)
    try:
        run(campaign, chosen.full, chosen.seed)
    finally:
        campaign.close()
    return 0 if campaign.good else 1
