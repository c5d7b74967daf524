#!/usr/bin/env python3
"""Line coverage against its targets, from gcovr's --json-summary. Prints a line for each folder and each target.

Usage: coverage_report.py SUMMARY.json; exit 1 if a target is missed.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath

# What must be covered, in percent of lines. "" is everything that is shipped.
TARGETS = [("codec", "common/wire", 95.0), ("core", "broker/queue", 95.0), ("whole", "", 85.0)]


def percent(lines):
    covered, total = lines
    return 100.0 * covered / total if total else 0.0


def sum_up(files):
    """(covered, total) of all these rows of the summary."""
    return sum(row["line_covered"] for row in files), sum(row["line_total"] for row in files)


def is_below(row, folder):
    return not folder or row["filename"].startswith(folder + "/")


def main(path):
    files = json.loads(Path(path).read_text())["files"]
    folders = defaultdict(list)
    for row in files:
        folders[str(PurePosixPath(row["filename"]).parent)].append(row)
    for folder, rows in sorted(folders.items()):
        covered, total = sum_up(rows)
        print(f"{folder:20} {covered:6} of {total:6} lines {percent((covered, total)):6.1f} %")
    missed = False
    print()
    for name, folder, least in TARGETS:
        lines = sum_up([row for row in files if is_below(row, folder)])
        met = percent(lines) >= least
        missed = missed or not met
        print(f"{name:6} {percent(lines):5.1f} % of {lines[1]:6} lines, target {least:.0f} %{'' if met else ': MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
