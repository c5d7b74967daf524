"""A broker whose store is on a small disk, with a client and a worker that log what they do, and the verdict over their logs."""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import small_disk

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "history"), str(TESTS / "integration")]
import checker  # noqa: E402
import sanitizers  # noqa: E402
from nemesis import Nemesis  # noqa: E402
from rota_harness import BIN, Program, eventually, scale  # noqa: E402

PATIENT = scale(120, 120)
LEASE_MS = 5000
HEADER = ("| what | cycles | attempted | acked | refused | succeeded | lost | unexpected | duplicates | explained |\n"
          "| --- |" + " ---: |" * 9)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DiskStage:
    """One cycle, which starts nothing before start(). Attributes `directory`, `programs` and `environment` serve Program."""

    def __init__(self, directory, disk, number):
        self.directory = Path(directory)
        self.programs = []
        self.environment = {"HOME": str(directory), "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
        self.environment.update({name: value for name, value in os.environ.items() if name in sanitizers.OPTIONS})
        self.number = number
        self.data = disk.path / f"store-{number}"
        self.history = self.directory / f"history-{number}"
        self.history.mkdir()
        self.clients, self.workers = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        self.nemesis = Nemesis(self.history, lease_ms=LEASE_MS)

    def start(self):
        self.start_broker()
        self.worker = Program(self, [BIN / "history-worker", "--broker", self.workers, "--directory", self.history, "--name", "w1",
                                     "--slots", "8"], "history-worker ready", name=f"worker-{self.number}").wait_ready(PATIENT)
        self.client = Program(self, [
            BIN / "history-client", "--broker", self.clients, "--directory", self.history, "--name", "c1", "--rate", "400", "--batch",
            "16", "--window", "400", "--patience", f"{PATIENT}s", "--large", "50", "--flaky", "5", "--delayed", "10", "--longs", "2",
            "--cancels", "2"], "history-client ready", name=f"client-{self.number}").wait_ready(PATIENT)

    def start_broker(self):
        self.broker = Program(self, [
            BIN / "rota-broker", "--data", self.data, "--clients", self.clients, "--workers", self.workers, "--http", "off",
            "--lease", f"{LEASE_MS}ms", "--store-limit", "256MiB", "--log-level", "warn"], "rota-broker ready").wait_ready(PATIENT)

    def rota(self, *arguments, seconds=PATIENT):
        return subprocess.run([BIN / "rota", "--broker", self.clients, *map(str, arguments)], capture_output=True, text=True,
                              env=self.environment, check=False, timeout=seconds, stdin=subprocess.DEVNULL)

    def logged(self, event):
        """How often the client or worker has logged this."""
        wanted = f'"e":"{event}"'
        return sum(path.read_text().count(wanted) for path in self.history.glob("*.jsonl"))

    def is_serving(self):
        return self.rota("--timeout", "1s", "queues").returncode == 0

    def is_refusing(self):
        done = self.rota("--timeout", "500ms", "--output", "json", "submit", "--queue", "fill", "--type", "none", "--payload", "x")
        return done.returncode == 75 and '"code":"STORE_FULL"' in done.stderr

    def finish(self):
        """The client waits for its last ends, every job is read, and the store is checked; the report."""
        self.client.kill(signal.SIGTERM)
        self.must_end(self.client, 0)
        eventually(lambda: self.unfinished() == 0, PATIENT, "no job is left", every=0.1)
        done = subprocess.run([BIN / "history-client", "--broker", self.clients, "--directory", self.history, "--name", "last",
                               "--patience", f"{PATIENT}s", "--read"], capture_output=True, env=self.environment, check=False,
                              timeout=2 * PATIENT)
        assert done.returncode == 0, done.stderr.decode()
        self.worker.kill(signal.SIGTERM)
        self.must_end(self.worker, 0)
        self.broker.kill(signal.SIGTERM)
        self.must_end(self.broker, 0)
        done = subprocess.run([BIN / "rota-broker", "check", "--data", self.data], capture_output=True, text=True, check=False,
                              timeout=PATIENT)
        assert done.returncode == 0, done.stdout + done.stderr
        return checker.check(self.history)

    def must_end(self, program, code):
        ended = program.wait(2 * PATIENT)
        assert ended == code, f"{program.name} exited with {ended}: {program.log_text()[-3000:]}"

    def unfinished(self):
        done = self.rota("--output", "json", "queues")
        rows = [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []
        rows = [row for row in rows if row["queue"] != "fill"]
        return sum(row[state] for row in rows for state in ("scheduled", "ready", "running")) if rows else None

    def close(self):
        for program in list(self.programs):
            program.close()

    def remove_store(self):
        """Makes room for that of the next cycle."""
        shutil.rmtree(self.data)


def play(stage, cycle, disk, random_, number):
    """One cycle and the report about it; the store is left if something is wrong."""
    try:
        stage.start()
        cycle(stage, disk, random_, number)
        report = stage.finish()
    finally:
        stage.close()
    if report.ok:
        stage.remove_store()
    return report


def main(what, cycle, mebibytes, short, full, description):
    """cycle(stage, disk, random, number) does the harm; `short` and `full` cycles of it. Prints the table; the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="many cycles, not a sample")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    small_disk.enter_namespace()
    folder = Path(tempfile.mkdtemp(prefix="rota-disk-"))
    total, counts = checker.Report(), Counter()
    disk, is_well = None, False
    try:
        disk = small_disk.SmallDisk(folder, mebibytes)
        for number in range(full if chosen.full else short):
            report = play(DiskStage(folder, disk, number), cycle, disk, random.Random(chosen.seed * 1000 + number), number)
            total.add(report)
            counts["cycles"] += 1
            for finding in report.findings:
                print(f"FOUND in cycle {number}, seed {chosen.seed}: {finding}", file=sys.stderr)
        is_well = total.ok
    except small_disk.Skip as skip:
        print(f"skipped: {skip}")
        is_well = total.ok
        return small_disk.SKIPPED if total.ok else 1
    finally:
        if not is_well:
            print(f"the histories and logs are in {folder}, the store of the last cycle in disk.img there", file=sys.stderr)
        if disk is not None:
            disk.close()
        if is_well:
            shutil.rmtree(folder)
    print(HEADER)
    print(f"| {what} | {counts['cycles']} | {total.attempted} | {total.acked} | {total.refused} | {total.succeeded} | {total.lost} | "
          f"{total.unexpected} | {total.duplicates} | {total.explained} |")
    return 0 if total.ok else 1
