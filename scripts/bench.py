#!/usr/bin/env python3
"""Measures what the README claims: jobs a second through their whole life with fsync, and latency beside a bare relay.

Prints; judges nothing. Runs of the product and of the relay alternate, because a machine's speed drifts.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


class Bench:
    def __init__(self, programs, data):
        self.programs = programs
        self.directory = Path(tempfile.mkdtemp(prefix="rota-bench-", dir=data))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ROTA_")}
        self.broker = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        """A fresh broker on an empty directory."""
        self.stop()
        data = self.directory / "data"
        shutil.rmtree(data, ignore_errors=True)
        self.broker = subprocess.Popen([self.programs / "rota-broker", "--data", data, "--clients", "tcp://127.0.0.1:*",
                                        "--workers", "tcp://127.0.0.1:*", "--http", "off", "--log-level", "warn"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.environment)
        line = self.broker.stdout.readline().decode()
        if " ready " not in line:
            sys.exit("bench: the broker did not start")
        self.ready = dict(word.split("=", 1) for word in line.split() if "=" in word)

    def stop(self):
        if self.broker is not None:
            self.broker.terminate()
            try:
                self.broker.wait(10)
            except subprocess.TimeoutExpired:
                self.broker.kill()
                self.broker.wait()
            self.broker.stdout.close()
            self.broker = None

    def run(self, workload, *arguments):
        self.start()
        done = subprocess.run([self.programs / "rota", "--broker", self.ready["clients"], "--output", "json", "bench", workload,
                               "--workers", "1", "--workers-endpoint", self.ready["workers"], *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.environment, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: rota bench {workload} exited with {done.returncode}")
        return json.loads(done.stdout)

    def relay(self, *arguments):
        done = subprocess.run([self.programs / "rota-relay-bench", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              env=self.environment, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: the relay exited with {done.returncode}")
        return json.loads(done.stdout)


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
