#!/usr/bin/env python3
"""Runs every fuzz target of a build for some time, several at once, and prints what each did.

Usage: fuzz.py --build DIR [--seconds N] [--jobs N] [TARGET...]

The corpus that a target gathers stays in DIR/corpus/TARGET, its log in DIR/logs; inputs that stop or hang it in DIR/findings.
Exit 1 if there is any.
"""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SEEDS = Path(__file__).resolve().parents[1] / "tests/fuzz/corpus"
MEMORY_LIMIT_MB = 2048
INPUT_SECONDS = 10  # an input that takes longer is a finding
# A row of messages reaches tens of thousands of features. To weigh inputs by the rare ones among them, libFuzzer's default,
# costs several times what running the input does.
OPTIONS = {"core_sequence": ["-entropic=0"]}


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run(build, target, seconds):
    """Runs one target to its end. Returns its row of the table and whether it found something."""
    corpus, findings, log = (build / part / target for part in ("corpus", "findings", "logs"))
    for folder in (corpus, findings, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    command = [build / "bin" / f"fuzz_{target}", f"-max_total_time={seconds}", f"-rss_limit_mb={MEMORY_LIMIT_MB}",
               f"-timeout={INPUT_SECONDS}", "-print_final_stats=1", f"-artifact_prefix={findings}/",
               *OPTIONS.get(target, []), corpus]
    if (SEEDS / target).is_dir():
        command.append(SEEDS / target)
    with open(log, "wb") as out:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out).returncode
    text = log.read_text(errors="replace")
    executions = last_number(r"stat::number_of_executed_units: *(\d+)", text)
    inputs = sorted(path.name for path in findings.iterdir())
    failed = code != 0 or bool(inputs)
    row = (target, f"{executions:,}",
           str(last_number(r"Done \d+ runs in (\d+) second", text)), str(sum(1 for _ in corpus.iterdir())),
           str(last_number(r"cov: (\d+)", text)), ", ".join(inputs) or (f"exit code {code}" if code else "none"))
    return row, failed


def print_table(rows):
    rows = [("target", "executions", "seconds", "corpus", "edges", "findings"), *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [text.rjust(width) if 0 < i < 5 else text.ljust(width) for i, (text, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("targets", nargs="*")
    given = parser.parse_args()
    build = given.build.resolve()
    targets = given.targets or sorted(path.name.removeprefix("fuzz_") for path in (build / "bin").glob("fuzz_*"))
    if not targets:
        sys.exit(f"fuzz.py: no fuzz_* in {build / 'bin'}; build the targets first")
    with ThreadPoolExecutor(given.jobs) as pool:
        outcomes = list(pool.map(lambda target: run(build, target, given.seconds), targets))
    print_table([row for row, _ in outcomes])
    sys.exit(1 if any(failed for _, failed in outcomes) else 0)


if __name__ == "__main__":
    main()
