#!/usr/bin/env python3
"""Lists of a large store, and what a purge of half of it does to everybody else's latency.

Prints; judges nothing. Latencies of the running queue before and during a purge come from one run, in turns, because a
machine's speed drifts.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from bench_broker import Bench


def fill(bench, queue, jobs):
    bench.rota("bench", "submit", "--jobs", str(jobs), "--queue", queue, "--batch", "512", "--window", "16384")


def finish(bench, queue, jobs):
    bench.rota("bench", "lifecycle", "--jobs", str(jobs), "--queue", queue, "--batch", "512", "--window", "16384",
               "--workers", "1", "--workers-endpoint", bench.ready["workers"])


def lists(bench, runs):
    for what, arguments in (("newest 100", ()), ("newest 100 of a queue", ("--queue", "half")),
                            ("newest 100 that succeeded", ("--state", "succeeded")), ("running (none)", ("--state", "running")),
                            ("failed (none)", ("--state", "failed")), ("newest 1000", ("--limit", "1000"))):
        times = []
        for _ in range(runs):
            begun = time.perf_counter()
            bench.rota("list", *arguments)
            times.append((time.perf_counter() - begun) * 1000)
        print(f"  list {what:<28} {statistics.median(times):7.1f} ms   worst {max(times):.1f} ms", flush=True)


def latency(bench, options, jobs):
    return bench.rota("bench", "latency", "--queue", "live", "--rate", str(options.rate), "--jobs", str(jobs), "--workers", "1",
                      "--workers-endpoint", bench.ready["workers"], background=True)


def purge(bench, options, what):
    """p99 of the live queue before, and while another queue is purged."""
    before = bench.result(latency(bench, options, options.rate * options.seconds))[0]
    load = latency(bench, options, options.rate * options.seconds)
    time.sleep(0.3)  # the load has begun
    begun = time.perf_counter()
    forgotten = bench.rota("purge", "--queue", "half", "--yes")[0]["forgotten"]
    took = time.perf_counter() - begun
    ended = load.poll() is not None
    during = bench.result(load)[0]
    print(f"  {what:<9} {forgotten} jobs forgotten in {took:.2f} s   live queue p99 {before['p99_us']:.0f} us before, "
          f"{during['p99_us']:.0f} us during   ratio {during['p99_us'] / before['p99_us']:.2f}"
          f"{'   (the load ended first)' if ended else ''}", flush=True)
    return during["p99_us"] / before["p99_us"]


def main():
    parser = argparse.ArgumentParser(description="Lists and purges of a large store.")
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="jobs in the store, half of them in the purged queue")
    parser.add_argument("--rate", type=int, default=1000, help="jobs a second of the queue that runs on")
    parser.add_argument("--seconds", type=int, default=10, help="how long each latency is measured")
    parser.add_argument("--runs", type=int, default=3, help="runs of each")
    parser.add_argument("--data", type=Path, default=Path("build"), help="where the store lies: its disk is what is measured")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    half = options.jobs // 2
    bench = Bench(options.bin.resolve(), options.data.resolve())
    try:
        bench.start()
        fill(bench, "rest", options.jobs - half)
        ratios = {"queued": [], "finished": []}
        for run in range(options.runs):
            for what, make in (("queued", fill), ("finished", finish)):
                make(bench, "half", half)
                if run == 0:
                    print(f"\nlists of {options.jobs} jobs, {half} of them {what}")
                    lists(bench, 5)
                    print(f"\npurge of {half} jobs beside {options.rate} jobs/s, fsync")
                ratios[what].append(purge(bench, options, what))
        for what, values in ratios.items():
            print(f"  median ratio, {what}: {statistics.median(values):.2f}")
    except KeyboardInterrupt:
        return 130
    finally:
        bench.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
