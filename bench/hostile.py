#!/usr/bin/env python3
"""What hostile peers cost honest ones: each attack of tests/integration/hostile_attacks.py against a broker of its own.

An honest client submits a job and waits for its end, one after the other, undisturbed and during the attack; a worker of ours
runs them. Printed for each attack: the honest client's p50 and p99 of both, the ratio of the p99s (at most 2 is wanted), the
broker's memory at its peak against the stated limit, and after the attack. The attacker is a process of its own at a fixed
rate and at lower priority, so that it is the broker that is measured and not who gets the processor. Undisturbed and
disturbed rounds alternate, and the median of the rounds' ratios counts; one over 2 is marked OVER. A disturbed round
lasts until the attack has taken place (a million names take ten seconds, on a busy machine far more).

Exits with 1 if an attack did not take place in each of its rounds, a limit of memory was passed, a broker died or an honest request
failed; with --strict also for a ratio over 2. An honest client that is told to try again later does so, and its job takes that much longer.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/integration"))

import rota_peer as peer  # noqa: E402
from hostile_attacks import ATTACKS, NEED_A_HANGING_DISK, broker_options, memory_limit  # noqa: E402

ATTACKER = Path(__file__).resolve().parents[1] / "tests/integration/hostile_attacks.py"
MIB = 1024 * 1024
MEASURED = [name for name in ATTACKS if name not in NEED_A_HANGING_DISK]
WANTED_RATIO = 2.0
ANSWER_SECONDS = 30
PATIENCE = 120  # seconds more for an attack that has not taken place yet


class Arena:
    """A broker, an honest worker and an honest client."""

    def __init__(self, binaries, directory, more=()):
        self.log = open(directory / "log", "w+", encoding="utf-8")
        self.broker = subprocess.Popen(
            [binaries / "rota-broker", "--data", directory / "data", "--clients", "tcp://127.0.0.1:*", "--workers",
             "tcp://127.0.0.1:*", "--http", "off", *more], stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.ready = dict(re.findall(r"(\w+)=(\S+)", self.broker.stdout.readline()))
        self.worker = subprocess.Popen(
            [binaries / "rota", "bench", "worker", "--broker", self.ready["workers"], "--jobs", "100000000", "--queue", "honest"],
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.client = peer.Peer(self.ready["clients"])
        self.client.hello()
        self.request = 10
        self.failed = 0

    def close(self):
        self.client.close()
        self.worker.kill()
        self.worker.wait()
        self.broker.terminate()
        try:
            self.broker.wait(30)
        except subprocess.TimeoutExpired:
            self.broker.kill()
            self.broker.wait()
        self.log.close()

    def memory(self):
        """RssAnon: what the broker holds besides the store's pages, which the system can take back."""
        status = Path(f"/proc/{self.broker.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) * 1024

    def job(self):
        """Seconds from a submit to its end being known; None if it failed."""
        self.request += 1
        frame = peer.submit_frame(self.request, [peer.make_id("honest")], queue="honest", kind="bench.noop", flags=1)
        begun = time.monotonic()
        self.client.send(frame)
        while True:
            message = self.client.receive(ANSWER_SECONDS)
            if message is None:
                break
            if message[1] != self.request:
                continue
            if message[0] == peer.NOTIFY:
                return time.monotonic() - begun
            if message[0] == peer.ERROR and message[2] == peer.RETRY_LATER and time.monotonic() < begun + ANSWER_SECONDS:
                time.sleep(message[4] / 1000 if len(message) > 4 else 0.1)
                self.client.send(frame)
                continue
            if message[0] == peer.ERROR or message[0] == peer.SUBMITTED and message[2] != [0]:
                break
        self.failed += 1
        return None

    def measure(self, seconds, watch, goes_on=lambda: False):
        """Latencies over so long, and as long as goes_on()."""
        samples = []
        end = time.monotonic() + seconds
        while (time.monotonic() < end or goes_on()) and self.failed < 3:
            taken = self.job()
            if taken is not None:
                samples.append(taken)
            watch()
        return sorted(samples)


def quantile(samples, share):
    return samples[min(len(samples) - 1, int(len(samples) * share))] if samples else float("inf")


def read_report(lines):
    """What an attacker said at its end; nothing if it did not come to that."""
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}


def attack(name, options):
    with tempfile.TemporaryDirectory(prefix="rota-hostile-", dir=options.directory) as directory:
        arena = Arena(options.bin, Path(directory), broker_options(name))
        try:
            return fight(arena, name, options)
        finally:
            arena.close()


def fight(arena, name, options):
    peak = [0]

    def watch():
        peak[0] = max(peak[0], arena.memory())
    arena.measure(0.5, watch)  # warm
    rounds, told, took_place = [], {}, True
    for _ in range(options.rounds):
        calm = arena.measure(options.seconds, watch)
        attacker = subprocess.Popen(
            ["nice", "-n", "10", sys.executable, "-B", ATTACKER, name, arena.ready["clients"], arena.ready["workers"],
             "--seconds", str(options.seconds), "--patience", str(PATIENCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            attacker.stdout.readline()
            disturbed = arena.measure(0, watch, lambda one=attacker: one.poll() is None)
        finally:
            report = attacker.communicate(timeout=60)[0].splitlines()
        told = read_report(report)
        took_place = took_place and told.get("took_place", False)
        rounds.append((calm, disturbed))
        time.sleep(0.5)  # its connections end
    ratio = statistics.median(quantile(disturbed, 0.99) / quantile(calm, 0.99) for calm, disturbed in rounds)
    after = arena.memory()
    all_calm = sorted(sample for calm, _ in rounds for sample in calm)
    all_disturbed = sorted(sample for _, disturbed in rounds for sample in disturbed)
    return {
        "attack": name, "calm_p50_ms": quantile(all_calm, 0.5) * 1e3, "calm_p99_ms": quantile(all_calm, 0.99) * 1e3,
        "p50_ms": quantile(all_disturbed, 0.5) * 1e3, "p99_ms": quantile(all_disturbed, 0.99) * 1e3, "ratio": ratio,
        "jobs": len(all_disturbed), "failed": arena.failed, "died": arena.broker.poll() is not None, "peak_mib": peak[0] / MIB,
        "limit_mib": memory_limit(name) / MIB, "after_mib": after / MIB, "took_place": took_place, "over": ratio > WANTED_RATIO,
        "attacker": told}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=Path(__file__).resolve().parents[1] / "build/release/bin")
    parser.add_argument("--directory", help="where the stores are made; /dev/shm keeps a shared disk's hiccups out of it")
    parser.add_argument("--seconds", type=float, default=5, help="of a round, undisturbed and disturbed each (5), or longer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for a ratio over 2 too")
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of {', '.join(MEASURED)}; all unless given")
    options = parser.parse_args()
    if unknown := [name for name in options.attacks if name not in MEASURED]:
        parser.error(f"no such attack: {', '.join(unknown)}; there are {', '.join(MEASURED)}")
    good = True
    if options.output == "text":
        print("                       took   undisturbed        under attack             p99     memory, MiB")
        print("attack                place  p50 ms   p99 ms    p50 ms   p99 ms   jobs  ratio    peak limit after", flush=True)
    for name in options.attacks or MEASURED:
        seen = attack(name, options)
        good = good and seen["peak_mib"] <= seen["limit_mib"] and not seen["failed"] and not seen["died"]
        good = good and seen["took_place"]
        good = good and not (options.strict and seen["over"])
        if options.output == "json":
            print(json.dumps(seen), flush=True)
            continue
        notes = ["OVER"] if seen["over"] else []
        notes += [f"{seen['failed']} honest requests failed"] if seen["failed"] else []
        notes += ["the broker died"] if seen["died"] else []
        notes += ["more memory than the limit"] if seen["peak_mib"] > seen["limit_mib"] else []
        if not seen["took_place"]:
            notes.append(f"the attack did not take place: {seen['attacker'] or 'it said nothing'}")
        place = "yes" if seen["took_place"] else "NO"
        print(f"{name:20}  {place:>5} {seen['calm_p50_ms']:7.2f}  {seen['calm_p99_ms']:7.2f}   {seen['p50_ms']:7.2f}  "
              f"{seen['p99_ms']:7.2f} {seen['jobs']:6}  {seen['ratio']:5.2f}   {seen['peak_mib']:5.0f} {seen['limit_mib']:5.0f} "
              f"{seen['after_mib']:5.0f}  {'; '.join(notes)}", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
