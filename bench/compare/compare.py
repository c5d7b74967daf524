#!/usr/bin/env python3
"""Measures Rota beside beanstalkd, gearmand, Redis, NATS and RabbitMQ, in turns, and writes docs/performance.md.

./scripts/rota compare installs and builds what it needs, then calls this.
"""

import argparse
import fnmatch
import json
import signal
import sys
import time
from pathlib import Path

import machine
from exec_rate import EXEC_ROW, measure_exec
from figures import combine, latency_of, print_row
from limit_runs import NAMES, run_limit
from load import run_load
from page import write_page
from rows import ROWS
from restart_time import RESTART_ROW, measure_restart
from servers import Programs, RunFailed
from systems import SERVERS

PROBE_JOBS = 2000  # to learn how many a system does in a second
PROBE_SECONDS = 1.0  # a shorter probe says too little: it is repeated with more jobs
LIMIT_JOBS_SECONDS = 2.0
APART = [(EXEC_ROW, measure_exec), (RESTART_ROW, measure_restart)]


class Comparison:
    def __init__(self, programs, options):
        self.programs = programs
        self.options = options
        self.results = []

    def jobs_for(self, row, system):
        """How many jobs keep the system busy for about the row's seconds."""
        if self.options.jobs:
            return max(self.options.jobs, row.options.get("clients", 1))
        if row.fixed_jobs:
            return row.fixed_jobs // (10 if self.options.quick else 1)
        seconds = row.seconds / 10 if self.options.quick else row.seconds
        clients = row.options.get("clients", 1)
        jobs = max(PROBE_JOBS, clients)
        while True:
            rate = self.run(row, system, jobs)["jobs_per_second"]
            if jobs / rate >= min(PROBE_SECONDS, seconds / 2) or jobs >= row.most_jobs:
                return int(min(row.most_jobs, max(clients, 100, rate * seconds)))
            jobs = int(min(row.most_jobs, max(jobs * 4, rate * PROBE_SECONDS)))

    def run(self, row, system, jobs):
        figures = run_load(self.programs, self.options.data, system, row.workload, {**row.options, "jobs": jobs})
        if row.workload == "backlog":
            figures["jobs_per_second"] = 2 * jobs / (jobs / figures["fill_per_second"] + jobs / figures["drain_per_second"])
        figures.update(latency_of(figures))
        return figures

    def measure(self, row):
        """All turns of a row: A B C A B C …"""
        print(f"\n{row.section}: {row.title}  [{row.name}]", flush=True)
        runs, failures, jobs = {}, {}, {}
        systems = [system for system in row.systems if self.is_wanted(system)]
        for _ in range(self.options.runs):
            for system in systems:
                if system.name in failures:
                    continue
                try:
                    if system.name not in jobs:
                        jobs[system.name] = self.jobs_for(row, system)
                    figures = self.run(row, system, jobs[system.name])
                    runs.setdefault(system.name, []).append(figures)
                except RunFailed as failure:
                    failures[system.name] = str(failure)
            self.measure_limits(row, runs)
        result = {"row": row.name, "jobs": jobs, "failures": failures,
                  "figures": {name: combine(figures) for name, figures in runs.items()}}
        self.results.append(result)
        print_row(row, result)

    def measure_limits(self, row, runs):
        rota = runs.get("rota", [{}])[-1]
        for limit in row.limits:
            name = NAMES[limit]
            if rota:
                jobs = max(1000, min(row.most_jobs, int(rota["jobs_per_second"] * LIMIT_JOBS_SECONDS)))
                figures = run_limit(self.programs, self.options.data, limit, row, rota, self.options.jobs or jobs)
                figures["latency_p50_us"], figures["latency_p99_us"] = figures["p50_us"], figures["p99_us"]
                runs.setdefault(name, []).append(figures)

    def is_wanted(self, system):
        if not system.server.is_there(self.programs):
            if system.is_rota:
                sys.exit(f"compare: no rota-broker in {self.options.bin}")
            return False
        names = self.options.systems
        return not names or system.is_rota or any(fnmatch.fnmatch(system.name, name) for name in names)

    def measure_apart(self, row, measure):
        """A row that the load generator has no part in."""
        print(f"\n{row.section}: {row.title}  [{row.name}]", flush=True)
        result = measure(self.programs, self.options)
        self.results.append(result)
        print_row(row, result)


def parse_options():
    parser = argparse.ArgumentParser(prog="rota compare", description="Measures Rota beside other queues.")
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--root", type=Path, default=Path("build/tools/compare"), help="where the packages are unpacked")
    parser.add_argument("--data", type=Path, default=Path("build/compare/data"), help="its disk is what is measured")
    parser.add_argument("--only", action="append", default=[], metavar="ROW", help="rows by name or pattern (--list shows)")
    parser.add_argument("--systems", action="append", default=[], metavar="NAME", help="only these beside Rota, or a pattern")
    parser.add_argument("--runs", type=int, help="turns (5; quick: 1)")
    parser.add_argument("--jobs", type=int, default=0, help="jobs of every run (by speed)")
    parser.add_argument("--quick", action="store_true", help="one turn, a tenth of the time: shows that it works, not how fast")
    parser.add_argument("--self-test", action="store_true", help="every row with 100 jobs, over what is installed")
    parser.add_argument("--results", type=Path, default=Path("build/compare/results.json"), help="where figures are kept")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its plots from the figures")
    parser.add_argument("--page-from-results", action="store_true", help="measure nothing, write the page from --results")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the page goes")
    parser.add_argument("--list", action="store_true", help="names of the rows")
    options = parser.parse_args()
    if options.self_test:
        options.jobs, options.quick = options.jobs or 100, True
    options.runs = options.runs or (1 if options.quick else 5)
    options.data, options.root, options.bin = options.data.resolve(), options.root.resolve(), options.bin.resolve()
    return options


def wanted(options, name):
    return not options.only or any(fnmatch.fnmatch(name, pattern) for pattern in options.only)


def keep_results(options, machine_facts, results):
    """Rows measured now replace those kept before; the page can so be made from several calls on one machine."""
    kept = json.loads(options.results.read_text())["rows"] if options.results.exists() else []
    names = {result["row"] for result in results}
    rows = [result for result in kept if result["row"] not in names] + results
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_text(json.dumps({"machine": machine_facts, "rows": rows}, indent=1) + "\n")


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop servers, remove directories
    if options.list:
        print("\n".join(row.name for row in [*ROWS, *(row for row, _ in APART)]))
        return 0
    if not options.page_from_results:
        options.data.mkdir(parents=True, exist_ok=True)
        programs = Programs(options.bin, options.root)
        facts = machine.describe(programs, SERVERS, options)
        print(machine.as_text(facts))
        comparison = Comparison(programs, options)
        started = time.monotonic()
        try:
            for row in ROWS:
                if wanted(options, row.name):
                    comparison.measure(row)
                    keep_results(options, facts, comparison.results)
            for row, measure in APART:
                if wanted(options, row.name):
                    comparison.measure_apart(row, measure)
                    keep_results(options, facts, comparison.results)
        except KeyboardInterrupt:
            return 130
        print(f"\n{len(comparison.results)} rows in {time.monotonic() - started:.0f} s; figures in {options.results}")
        if options.self_test:
            failed = {f"{r['row']}: {name}: {why}" for r in comparison.results for name, why in r["failures"].items()}
            print("\n".join(sorted(failed)))
            return 1 if failed else 0
    if options.write or options.page_from_results:
        write_page(json.loads(options.results.read_text()), options.docs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
