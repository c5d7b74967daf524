#!/usr/bin/env python3
"""Line coverage of a build with ROTA_COVERAGE, from gcov's JSON, against its targets.

Usage: coverage_report.py BUILD [JOBS]; run from the root of the sources. Prints a line for each folder and each target; the
lines that nothing ran go to BUILD/uncovered.txt. Exit 1 if a target is missed.
"""

import json
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

# What must be covered, in percent of lines. "" is everything that is shipped.
TARGETS = [("codec", "common/wire", 95.0), ("core", "broker/queue", 95.0), ("whole", "", 85.0)]
SHIPPED = ("common/", "broker/", "worker/", "client/")


def lines_of(notes, root):
    """{(file, line): count} of one compiled source: what it and the headers that it includes ran."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", str(notes)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          cwd=notes.parent)
    if done.returncode != 0:
        print(f"left out, not readable: {notes}", file=sys.stderr)
        return {}
    counts = {}
    for document in done.stdout.splitlines():
        read = json.loads(document)
        folder = Path(read["current_working_directory"])
        for file in read["files"]:
            path = (folder / file["file"]).resolve()
            name = str(path.relative_to(root)) if path.is_relative_to(root) else ""
            if name.startswith(SHIPPED):
                for line in file["lines"]:
                    key = name, line["line_number"]
                    counts[key] = max(counts.get(key, 0), line["count"])
    return counts


def gather(build, root, jobs):
    """{file: {line: whether anything ran it}} of the whole build."""
    files = defaultdict(dict)
    # Of the tests only what they run of inline functions counts.
    with ThreadPoolExecutor(jobs) as pool:
        for counts in pool.map(lambda notes: lines_of(notes, root), sorted(build.rglob("*.gcno"))):
            for (name, line), count in counts.items():
                files[name][line] = files[name].get(line, False) or count > 0
    return files


def sum_up(files, folder):
    """(covered, all) lines of the files below a folder."""
    rows = [lines for name, lines in files.items() if not folder or name.startswith(folder + "/")]
    return sum(sum(lines.values()) for lines in rows), sum(len(lines) for lines in rows)


def percent(lines):
    return 100.0 * lines[0] / lines[1] if lines[1] else 0.0


def write_uncovered(files, path):
    with open(path, "w", encoding="utf-8") as out:
        for name, lines in sorted(files.items(), key=lambda item: sum(item[1].values()) - len(item[1])):
            missing = [str(line) for line, ran in sorted(lines.items()) if not ran]
            if missing:
                print(f"{name}: {len(missing)} of {len(lines)}: {' '.join(missing)}", file=out)


def main(build, jobs):
    files = gather(build, Path.cwd().resolve(), jobs)
    write_uncovered(files, build / "uncovered.txt")
    for folder in sorted({str(PurePosixPath(name).parent) for name in files}):
        own = {name: lines for name, lines in files.items() if str(PurePosixPath(name).parent) == folder}
        covered = sum_up(own, "")
        print(f"{folder:20} {covered[0]:6} of {covered[1]:6} lines {percent(covered):6.1f} %")
    print()
    missed = False
    for name, folder, least in TARGETS:
        covered = sum_up(files, folder)
        met = percent(covered) >= least
        missed = missed or not met
        print(f"{name:6} {percent(covered):5.1f} % of {covered[1]:6} lines, target {least:.0f} %{'' if met else ': MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) == 3 else 1))
