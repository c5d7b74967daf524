#!/usr/bin/env python3
"""A day's churn in short: jobs that are forgotten soon after their end, and whether store and memory level off.

Prints the store's size, the bytes in use in it and the broker's memory over the run. Exits with 1 if the last third of the
run needed over a tenth more of any of them than the middle third.
"""

import argparse
import re
import statistics
import sys
import time
from pathlib import Path

from bench_broker import Bench

MIB = 1024 * 1024
TOLERANCE = 1.10
SLACK = 4 * MIB  # of what is small at all: a page more or less is no trend
MEASURED = ("file", "in use", "memory")


def anonymous_memory(pid):
    """RssAnon in bytes: what the broker holds besides the pages of the store's file that the system caches."""
    return int(re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024


def sample(bench):
    stats = bench.rota("stats")[0]
    return {"file": stats["store_file_bytes"], "in use": stats["store_used_bytes"],
            "memory": anonymous_memory(bench.broker.pid), "finished": stats["finished_jobs"],
            "completed": stats["completed"], "early": stats["forgotten_early"]}


def show(seconds, seen):
    print(f"  {seconds:7.1f} s   {seen['completed']:>9} done   {seen['finished']:>8} remembered   {seen['early']:>9} dropped   "
          f"file {seen['file'] / MIB:7.1f} MiB   in use {seen['in use'] / MIB:7.1f} MiB   memory {seen['memory'] / MIB:6.1f} MiB",
          flush=True)


def start_load(bench, options):
    common = ("--jobs", str(options.jobs), "--payload", options.payload, "--keep", "1s", "--workers", "1",
              "--workers-endpoint", bench.ready["workers"])
    if options.rate:
        return bench.rota("bench", "latency", "--rate", str(options.rate), "--slots", "64", *common, background=True)
    return bench.rota("bench", "lifecycle", *common, background=True)


def watch(bench, load, options):
    """Samples from the beginning of the load to its end."""
    samples = []
    begun = time.monotonic()
    shown = 0.0
    while load.poll() is None:
        seen = sample(bench)
        seconds = time.monotonic() - begun
        samples.append((seconds, seen))
        if seconds >= shown:
            show(seconds, seen)
            shown += options.every
        time.sleep(0.25)
    bench.result(load)
    return samples


def thirds(samples):
    """The samples of the middle and of the last third of the jobs, not of the time: a load's speed drifts."""
    jobs = samples[-1][1]["completed"]
    middle = [seen for _, seen in samples if jobs / 3 <= seen["completed"] < jobs * 2 / 3]
    last = [seen for _, seen in samples if jobs * 2 / 3 <= seen["completed"]]
    return middle, last


def judge(samples):
    middle, last = thirds(samples)
    if not middle or not last:
        sys.exit("churn: the run was too short to say anything")
    level = True
    for what in MEASURED:
        before = statistics.mean(seen[what] for seen in middle)
        after = statistics.mean(seen[what] for seen in last)
        good = after <= before * TOLERANCE + SLACK
        level = level and good
        print(f"  {what:<8} middle third {before / MIB:7.1f} MiB   last third {after / MIB:7.1f} MiB   "
              f"{100 * (after / before - 1):+6.1f} %   {'levels off' if good else 'GROWS'}")
    return level


def main():
    parser = argparse.ArgumentParser(description="Whether store and memory level off under churn.")
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("jobs", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--rate", type=int, default=0, help="jobs a second; 0: as fast as they go")
    parser.add_argument("--payload", default="100B", help="bytes in each job")
    parser.add_argument("--every", type=float, default=5, help="seconds from one printed line to the next")
    parser.add_argument("--data", type=Path, default=Path("build"), help="where the store lies")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.bin.resolve(), options.data.resolve())
    try:
        bench.start("--dedup-window", "10s", "--finished-limit", "64MiB")
        print(f"churn: {options.jobs} jobs, keep 1s, dedup window 10s, finished limit 64 MiB")
        samples = watch(bench, start_load(bench, options), options)
        seconds = samples[-1][0]
        print(f"  {options.jobs} jobs in {seconds:.1f} s, {options.jobs / seconds:.0f} a second")
        return 0 if judge(samples) else 1
    except KeyboardInterrupt:
        return 130
    finally:
        bench.close()


if __name__ == "__main__":
    sys.exit(main())
