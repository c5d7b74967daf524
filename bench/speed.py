#!/usr/bin/env python3
"""Measures what the README claims: jobs a second through their whole life with fsync, and latency beside a bare relay.

Prints; judges nothing. Runs of the product and of the relay alternate, because a machine's speed drifts.
"""

import argparse
import statistics
import sys
from pathlib import Path

from bench_broker import Bench


def lifecycle(bench, options):
    print(f"\nlifecycle: fsync, 100-byte payload, one client, one worker process, {options.jobs} jobs, {options.runs} runs")
    rates = []
    for _ in range(options.runs):
        result = bench.run("lifecycle", "--jobs", str(options.jobs), "--durability", "fsync", "--payload", "100B")
        rates.append(result["jobs_per_second"])
        print(f"  {result['jobs_per_second']:>10.0f} jobs/s   {result.get('jobs_per_commit', 0):.0f} jobs a commit   "
              f"{result.get('store_bytes_per_job', 0):.0f} B/job   p50 {result.get('p50_us', 0):.0f} us", flush=True)
    print(f"  median {statistics.median(rates):.0f} jobs/s")


def latency(bench, options):
    print(f"\nlatency: one job in flight, memory, {options.round_trips} jobs, beside a bare ZeroMQ relay with the same hops")
    ratios = []
    for _ in range(options.runs):
        relay = bench.relay("--jobs", str(options.round_trips), "--payload", "100")
        product = bench.run("latency", "--jobs", str(options.round_trips), "--durability", "memory", "--payload", "100B")
        ratios.append(product["p50_us"] / relay["p50_us"])
        print(f"  rota p50 {product['p50_us']:.0f} us, p99 {product['p99_us']:.0f} us   relay p50 {relay['p50_us']:.0f} us, "
              f"p99 {relay['p99_us']:.0f} us   ratio {ratios[-1]:.2f}", flush=True)
    print(f"  median ratio {statistics.median(ratios):.2f}")


def main():
    parser = argparse.ArgumentParser(description="Speed and latency of the built programs.")
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--jobs", type=int, default=500_000, help="jobs a lifecycle run (default 500000)")
    parser.add_argument("--round-trips", type=int, default=20_000, help="jobs a latency run (default 20000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each (default 3)")
    parser.add_argument("--data", type=Path, default=Path("build"), help="where the store lies: its disk is what is measured")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    bench = Bench(options.bin.resolve(), options.data.resolve())
    try:
        lifecycle(bench, options)
        latency(bench, options)
    except KeyboardInterrupt:
        return 130
    finally:
        bench.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
