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


class Campaign:
    """Runs trials in processes of their own and prints a row for each group of them."""

    def __init__(self, jobs=None):
        self._pool = concurrent.futures.ProcessPoolExecutor(jobs or int(os.environ.get("ROTA_JOBS", os.cpu_count() or 2)))
        self.good = True

    def group(self, what, function, arguments, see=None):
        """function(*one) → Trial for each of `arguments`; prints the row and every finding. `see(trial)` for each."""
        total = Verdict()
        began = time.monotonic()
        pending = {self._pool.submit(function, *one): one for one in arguments}
        for done in concurrent.futures.as_completed(pending):
            trial = done.result()
            total.add(trial.verdict)
            if see:
                see(trial)
            if not trial.verdict.good:
                for finding in trial.verdict.findings or [f"{trial.verdict}"]:
                    print(f"FOUND with {what} {pending[done]}: {finding}", file=sys.stderr, flush=True)
        self.good = self.good and total.good
        print(row(what, len(pending), total), flush=True)
        print(f"  {what}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return total

    def close(self):
        self._pool.shutdown()


def main(run, description):
    """run(campaign, full, seed) prints its rows. Exits with 0 if nothing was found."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="every point, not a sample of them")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if not faults.library(BIN).exists():
        print(f"skipped: {faults.library(BIN)} is not built (sanitizers stand in front of the same calls)")
        return SKIPPED
    campaign = Campaign()
    print(HEADER, flush=True)
    try:
        run(campaign, chosen.full, chosen.seed)
    finally:
        campaign.close()
    return 0 if campaign.good else 1
