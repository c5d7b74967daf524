#!/usr/bin/env python3
"""Shows Rota at work: a broker, three workers, one job for each of some thousands of files, one worker killed half-way.

Every result is then compared with the same command run here directly. Exit 0 only if no job was lost and none differs.
"""

import argparse
import collections
import concurrent.futures
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = 'sha256sum < "$1" | cut -c1-64 && gzip -9 -n < "$1" | wc -c'
FOLDERS = ["/usr/include", "/usr/share/doc", "/usr/lib/python3", "/usr/share/perl", "/usr/share", "/usr/lib", "/etc"]
LARGEST = 256 * 1024
LEASE_SECONDS = 3  # the default is 15; here the loss of the worker shall be noticed soon
PATIENCE_SECONDS = 600
WORKERS = ["worker-1", "worker-2", "worker-3"]
PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    pass


def die_with_parent():
    """So that not even kill -9 of the demo leaves anything running."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def find_files(count):
    """Up to `count` readable regular files of bounded size, spread over all the folders."""
    found = []
    for top in FOLDERS:
        for folder, folders, names in os.walk(top):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                # One file is one line of the input.
                if os.path.islink(path) or not path.isprintable() or not os.access(path, os.R_OK):
                    continue
                try:
                    size = os.stat(path).st_size
                except OSError:
                    continue
                if os.path.isfile(path) and 0 < size <= LARGEST:
                    found.append(path)
            if len(found) >= 10 * count:
                break
    step = max(1, len(found) // count)
    return found[::step][:count]


def run_here(path):
    """The job's command, run directly."""
    return subprocess.run(["sh", "-c", COMMAND, "sh", path], stdout=subprocess.PIPE, check=False).stdout


class Progress:
    """One line that is rewritten on a terminal, a line now and then elsewhere."""

    def __init__(self):
        self._terminal = sys.stdout.isatty()
        self._last = 0.0

    def show(self, text, now=False):
        moment = time.monotonic()
        if not now and moment - self._last < (0.2 if self._terminal else 2.0):
            return
        self._last = moment
        print(f"\r\033[K  {text}" if self._terminal else f"  {text}", end="" if self._terminal else "\n", flush=True)

    def end(self, text):
        self.show(text, now=True)
        if self._terminal:
            print(flush=True)


class Cluster:
    """The broker and its workers, in a directory of their own."""

    def __init__(self, programs, slots):
        self.programs = programs
        self.slots = slots
        self.directory = Path(tempfile.mkdtemp(prefix="rota-demo-"))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ROTA_")}
        self.processes = {}
        self.clients = self.workers_endpoint = None

    def close(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        end = time.monotonic() + 5
        for process in self.processes.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, name, *arguments):
        """Starts a program and returns the key=value pairs of the line that says it is ready."""
        log = self.directory / f"{name}.log"
        with open(log, "wb") as errors:
            process = subprocess.Popen([str(self.programs / arguments[0]), *arguments[1:]], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=errors, env=self.environment,
                                       preexec_fn=die_with_parent)
        self.processes[name] = process
        line = process.stdout.readline().decode()
        if " ready " not in line:
            raise DemoError(f"{name} did not start:\n{log.read_text(errors='replace')}")
        return dict(word.split("=", 1) for word in line.split() if "=" in word)

    def start_all(self):
        ready = self.start("broker", "rota-broker", "--data", str(self.directory / "data"), "--clients", "tcp://127.0.0.1:*",
                           "--workers", "tcp://127.0.0.1:*", "--http", "127.0.0.1:0", "--lease", f"{LEASE_SECONDS}s")
        self.clients, self.workers_endpoint = ready["clients"], ready["workers"]
        for name in WORKERS:
            self.start(name, "rota-worker", "--broker", self.workers_endpoint, "--name", name, "--slots", str(self.slots),
                       "--exec")

    def kill(self, name):
        self.processes[name].kill()
        self.processes[name].wait()

    def rota(self, *arguments, stdin=b""):
        """Runs the client; its stdout."""
        done = subprocess.run([str(self.programs / "rota"), "--broker", self.clients, *arguments], input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment, check=False)
        if done.returncode != 0:
            raise DemoError(f"rota {' '.join(arguments)[:200]} exited with {done.returncode}: {done.stderr.decode().strip()}")
        return done.stdout

    def rows(self, *arguments, stdin=b""):
        return [json.loads(line) for line in self.rota("--output", "json", *arguments, stdin=stdin).splitlines()]

    def counts(self):
        """Jobs by state."""
        for row in self.rows("queues"):
            if row["queue"] == "default":
                return row
        return collections.defaultdict(int)

    def result(self, job):
        """The result of a job; None if there is none."""
        done = subprocess.run([str(self.programs / "rota"), "--broker", self.clients, "result", job], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment, check=False)
        return done.stdout if done.returncode == 0 else None


def run_jobs(cluster, files):
    """Submits a job for each file, kills a worker half-way, waits for the end. Returns ids and seconds."""
    began = time.monotonic()
    ids = cluster.rota("submit", "--each-line", "-", "--", "sh", "-c", COMMAND, "sh", "{}",
                       stdin="".join(f"{path}\n" for path in files).encode()).decode().split()
    if len(ids) != len(files):
        raise DemoError(f"{len(files)} jobs were submitted, {len(ids)} ids came back")
    print(f"  {len(ids)} jobs accepted, each synced to disk, in {time.monotonic() - began:.2f} s")
    progress, victim = Progress(), WORKERS[1]
    alive = True
    while True:
        counts = cluster.counts()
        done = sum(counts[state] for state in ("succeeded", "failed", "cancelled", "expired"))
        text = f"{done}/{len(ids)} done, {counts['running']} running, {counts['ready']} waiting"
        if done >= len(ids):
            progress.end(text)
            return ids, time.monotonic() - began
        if alive and done * 2 >= len(ids):
            cluster.kill(victim)
            alive = False
            progress.end(f"{text}: killed {victim} with SIGKILL")
        if time.monotonic() - began > PATIENCE_SECONDS:
            progress.end(text)
            raise DemoError(f"not all jobs ended within {PATIENCE_SECONDS} s")
        progress.show(text)
        time.sleep(0.1)


def compare(cluster, ids, files):
    """The number of results that are missing and of those that differ from a direct run."""
    missing, different = 0, 0
    progress = Progress()

    def one(pair):
        job, path = pair
        return path, cluster.result(job), run_here(path)

    with concurrent.futures.ThreadPoolExecutor(max_workers=2 * (os.cpu_count() or 1)) as pool:
        for index, (path, result, expected) in enumerate(pool.map(one, zip(ids, files)), 1):
            if result is None:
                missing += 1
                progress.end(f"no result for {path}")
            elif result != expected:
                different += 1
                progress.end(f"{path}: got {result!r}, a direct run gives {expected!r}")
            progress.show(f"{index}/{len(ids)} results compared")
    progress.end(f"{len(ids)} results compared")
    return missing, different


def report(cluster, ids, seconds, missing, different):
    facts = cluster.rows("status", "-", stdin="\n".join(ids).encode() + b"\n")
    workers = collections.Counter(fact.get("worker", "?") for fact in facts)
    states = collections.Counter(fact["state"] for fact in facts)
    again = [fact for fact in facts if fact["attempt"] > 1]
    rows = [
        ("jobs", f"{len(ids)} in {seconds:.1f} s ({len(ids) / seconds:.0f} a second)"),
        ("ended", ", ".join(f"{count} {state}" for state, count in states.most_common())),
        *((f"run by {name}", f"{workers[name]}{' (killed half-way)' if name == WORKERS[1] else ''}") for name in WORKERS),
        ("losses", f"{sum(fact['losses'] for fact in facts)} (runs whose worker was lost)"),
        ("re-runs", f"{len(again)} (jobs that the killed worker had started, run again elsewhere)"),
        ("lost jobs", str(missing)),
        ("mismatches", str(different)),
    ]
    print()
    for name, value in rows:
        print(f"  {name:<16} {value}")
    return states["succeeded"] == len(ids) == len(facts)


def main():
    parser = argparse.ArgumentParser(description="Runs thousands of jobs with a worker killed half-way; checks every result.")
    parser.add_argument("--bin", type=Path, required=True, help="folder of the built programs")
    parser.add_argument("--files", type=int, default=4000, help="how many files, one job each (default 4000)")
    parser.add_argument("--slots", type=int, default=max(2, os.cpu_count() or 1), help="jobs a worker runs at a time")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))

    files = find_files(options.files)
    cluster = Cluster(options.bin.resolve(), options.slots)
    try:
        cluster.start_all()
        print(f"\nRota demo: a broker on {cluster.clients}, workers {', '.join(WORKERS)} with {options.slots} slots each")
        print(f"  {len(files)} files; each job prints a file's SHA-256 and compressed size; lease {LEASE_SECONDS} s")
        ids, seconds = run_jobs(cluster, files)
        missing, different = compare(cluster, ids, files)
        good = report(cluster, ids, seconds, missing, different)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    finally:
        cluster.close()
    if not good or missing or different:
        print("\nFAILED: a job was lost or its result differs.", file=sys.stderr)
        return 1
    print("\nEvery job ran, one worker died, no result was lost, none differs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
