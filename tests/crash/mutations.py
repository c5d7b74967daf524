#!/usr/bin/env python3
"""Damage to every file of a store: bits, bytes, pages, length, missing files. Usage: mutations.py [--full] [--seed N]
[--cases N] [--starts N].

A broker is filled with jobs of every kind and killed. Copies of its store are damaged, and each must be refused with a clear
error, serve everything as it was, or tell of the jobs that cannot be read; never anything else. Thousands are read by
store_damage (tests/crash/damage) through the real store in a process of its own, which is given to `rota-broker check` as well;
hundreds are started as a real broker, which every job is asked of. What it says is compared here with what the sound store said
of the same jobs and results; whoever reads a job gets it as it was, or the name of what is damaged. Each broker that serves is
judged by the history checker too: of the jobs that the sound one had acknowledged none may be lost without a word, and nothing
unexpected be told. Exit 0: no promise was broken; 1: one was.
"""

import argparse
import concurrent.futures
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import damaged_store
from broker_process import BIN, EXIT_DAMAGED, BrokerProcess, CrashFailure
from damaged_history import Judged, SoundRun

PAGE = 4096
EARLY = 128  # of lock.mdb: what is read of it, its kind and the number of the last commit, and its locks
COMMIT_AT = 48  # in lock.mdb (LMDB's MDB_txninfo): the number of the last commit
AHEAD = (1, 2, -1, -2, 1 << 32, 1 << 63)
OPTIONS = ("--store-limit", "256MiB", "--lease", "1h", "--reattach", "1h")
VERDICTS = ("right", "reported", "refused", "WRONG", "MISSING", "CHECK BLIND", "CRASH", "HANG")
COLUMNS = {"store": VERDICTS, "broker": (*VERDICTS, "acked", "lost", "unexpected")}  # the last three by the history checker


def header(kind):
    return "| damage | cases | " + " | ".join(COLUMNS[kind]) + " |\n| --- |" + " ---: |" * (len(COLUMNS[kind]) + 1)


def used_bytes(data):
    """The length up to the last page that the younger root names."""
    number = lambda at: int.from_bytes(data[at:at + 8], "little")
    root = max(0, PAGE, key=lambda page: number(page + 144))
    return (number(root + 136) + 1) * PAGE


def flip(data, random_):
    at = random_.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8


def flip_header(data, random_):
    at = random_.randrange(len(data) // PAGE) * PAGE * 8 + random_.randrange(512)
    data[at // 8] ^= 1 << at % 8


def zero_page(data, random_):
    page = random_.randrange(len(data) // PAGE) * PAGE
    data[page:page + PAGE] = bytes(PAGE)


def noise_page(data, random_):
    page = random_.randrange(len(data) // PAGE) * PAGE
    data[page:page + PAGE] = random_.randbytes(PAGE)


def swap_pages(data, random_):
    one, other = (page * PAGE for page in random_.sample(range(len(data) // PAGE), 2))
    data[one:one + PAGE], data[other:other + PAGE] = data[other:other + PAGE], data[one:one + PAGE]


def cut(data, random_):
    del data[random_.randrange(len(data)):]


def flip_early(data, random_):
    at = random_.randrange(min(len(data), EARLY) * 8)
    data[at // 8] ^= 1 << at % 8


def zero_part(data, random_):
    begin, end = sorted(random_.randrange(len(data) + 1) for _ in range(2))
    data[begin:end] = bytes(end - begin)


def noise(data, random_):
    data[:] = random_.randbytes(len(data))


KINDS = {"a bit anywhere": flip, "a bit of a header": flip_header, "a page of zeros": zero_page, "a page of noise": noise_page,
         "two pages swapped": swap_pages, "the file cut": cut}
# Of the files beside data.mdb, which are no pages.
FILE_KINDS = {"a bit anywhere": flip, f"a bit of the first {EARLY} bytes": flip_early, "zeros": zero_part, "noise": noise,
              "cut": cut}


class Source:
    """The sound store and what its broker said of every job."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rota-mutations-"))
        self.store = self.folder / "sound"
        with BrokerProcess("mutations", options=OPTIONS) as broker:
            broker.start_sound()
            self.ids, cancelled = damaged_store.fill(broker)
            broker.kill()
            self.files = {path.name: path.read_bytes() for path in broker.store.iterdir()}
            shutil.copytree(broker.store, self.store)
            broker.start_sound()
            self.facts = damaged_store.facts(broker, self.ids)
            self.run = SoundRun(broker, self.ids, cancelled)
            ended = [job for job in self.ids if self.facts[job]["state"] in ("succeeded", "failed")]
            self.results = {job: damaged_store.result(broker, job) for job in (ended[0], ended[-2], ended[-1])}
        self.data = self.files["data.mdb"][:used_bytes(self.files["data.mdb"])]
        self.sound = self.files | {"data.mdb": self.data}
        self.others = sorted(name for name, data in self.files.items() if name != "data.mdb" and data)


def start_damaged(source, files):
    """Starts a broker over these files and asks it for every job. Its verdict, why, and what the history checker found."""
    with BrokerProcess("damaged", options=OPTIONS) as broker:
        broker.store.mkdir(parents=True)
        for name, data in files.items():
            (broker.store / name).write_bytes(data)
        try:
            serves = broker.start()
        except CrashFailure as late:
            return "HANG", str(late), Judged()
        if not serves:
            code = broker.process.returncode
            if code < 0 or code not in EXIT_DAMAGED:
                return "CRASH", f"exit {code}: {broker.log_text()}", Judged()
            if not re.search(r"rota-broker: .*(damaged|another version|is gone).*(backup|wrote it)", broker.log_text()):
                return "CRASH", f"no clear error: {broker.log_text()}", Judged()
            return "refused", "", Judged()
        verdict, why = compare(source, broker)
        # One that has ended of the question names what is damaged: whoever asks for anything is told.
        try:
            judged = source.run.judge(broker) if broker.alive else Judged(acked=len(source.run.jobs))
        except CrashFailure as failure:
            return "CRASH" if not broker.alive else "HANG", str(failure), Judged()
        if not broker.alive and verdict != "CRASH":
            # A broker that meets damage while it serves ends with the error that names the record.
            code = broker.process.returncode
            text = broker.log_text()
            if code not in EXIT_DAMAGED or "damaged" not in text:
                return "CRASH", f"exit {code}: {text}", judged
            return "reported", "", judged
        return verdict, why, judged


def compare(source, broker):
    try:
        said = damaged_store.facts(broker, source.ids)
        results = {job: damaged_store.result(broker, job) for job in source.results}
    except subprocess.TimeoutExpired as late:
        return "HANG", str(late)
    verdict = "right"
    for kind, expected, found in (("job", source.facts, said), ("result", source.results, results)):
        for job, one in expected.items():
            if found.get(job) == one:
                continue
            text = found.get(job) if isinstance(found.get(job), str) else ""
            if "damaged" in text or (not broker.alive):
                verdict = "reported"
            elif job not in found or "no job" in text:
                return "MISSING", f"{kind} {job}: {text}"
            else:
                return "WRONG", f"{kind} {job}: {found[job]!r}, not {one!r}"
    return verdict, ""


def real_trial(source, kind, seed):
    """Every other time with the sound lock.mdb beside it, which knows the last commit; else without, as in a restored backup."""
    random_ = random.Random(seed)
    data = bytearray(source.data)
    KINDS[kind](data, random_)
    files, beside = {"data.mdb": bytes(data)}, "without lock.mdb"
    if seed % 2 == 0:
        files["lock.mdb"], beside = source.files["lock.mdb"], "with its lock.mdb"
    return (*start_damaged(source, files), f"{kind}, seed {seed}, {beside}")


def file_trial(source, name, kind, seed):
    """Damage to a file beside a sound data.mdb."""
    data = bytearray(source.files[name])
    FILE_KINDS[kind](data, random.Random(seed))
    return (*start_damaged(source, source.sound | {name: bytes(data)}), f"{name}: {kind}, seed {seed}")


def commit_trial(source, ahead):
    """A lock.mdb that says there were so many more commits than data.mdb has, beside a sound data.mdb."""
    data = bytearray(source.files["lock.mdb"])
    number = int.from_bytes(data[COMMIT_AT:COMMIT_AT + 8], "little") + ahead
    data[COMMIT_AT:COMMIT_AT + 8] = (number % 2**64).to_bytes(8, "little")
    return (*start_damaged(source, source.sound | {"lock.mdb": bytes(data)}), f"lock.mdb: {ahead} commits ahead")


def lost_trial(source, name):
    return (*start_damaged(source, {other: data for other, data in source.sound.items() if other != name}), f"without {name}")


class Table:
    def __init__(self):
        self.is_good = True
        self._lock = threading.Lock()

    def row(self, name, outcomes):
        counts, total = Counter(), Judged()
        for verdict, why, judged, case in outcomes:
            counts[verdict] += 1
            total.add(judged)
            if judged.lost or judged.unexpected:
                with self._lock:
                    self.is_good = False
                print(f"FOUND by the checker: {case}: {judged.findings}", file=sys.stderr, flush=True)
            if verdict.isupper():
                with self._lock:
                    self.is_good = False
                print(f"FOUND {verdict}: {case}: {why}", file=sys.stderr, flush=True)
        cells = [counts[verdict] for verdict in VERDICTS] + [total.acked, total.lost, total.unexpected]
        print(f"| {name} | {counts.total()} | " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="thousands of cases, not a sample")
    parser.add_argument("--cases", type=int, help="so many of each kind through the store")
    parser.add_argument("--starts", type=int, help="so many of each kind through a broker")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    cases = chosen.cases if chosen.cases is not None else 1500 if chosen.full else 12
    starts = chosen.starts if chosen.starts is not None else 60 if chosen.full else 2
    source = Source()
    try:
        table = Table()
        print(header("store"), flush=True)
        scratch = source.folder / "scratch"
        read = subprocess.run([BIN / "store_damage", source.store, scratch, str(cases), str(chosen.seed)], check=False)
        print("\n" + header("broker"), flush=True)
        with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("ROTA_JOBS", os.cpu_count() or 2))) as pool:
            for kind in KINDS:
                seeds = range(chosen.seed * 1000, chosen.seed * 1000 + starts)
                table.row(f"{kind}, broker", pool.map(lambda seed, kind=kind: real_trial(source, kind, seed), seeds))
            for name in source.others:
                for kind in FILE_KINDS:
                    seeds = range(chosen.seed * 1000, chosen.seed * 1000 + starts)
                    table.row(f"{kind}, {name}, broker",
                              pool.map(lambda seed, name=name, kind=kind: file_trial(source, name, kind, seed), seeds))
            table.row("another last commit, lock.mdb, broker", pool.map(lambda ahead: commit_trial(source, ahead), AHEAD))
            table.row("a file lost, broker", pool.map(lambda name: lost_trial(source, name), source.files))
        return 0 if read.returncode == 0 and table.is_good else 1
    finally:
        shutil.rmtree(source.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
