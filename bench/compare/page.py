"""Writes docs/performance.md and its plots from the figures."""

import sys

from exec_rate import EXEC_ROW
from figures import columns, is_synced, median, number, ratio, spread
from goals import goals
from limit_runs import NAMES
from machine import as_text
from restart_time import RESTART_ROW
from rows import ROWS
from svg import bars, lines
from systems import FSYNC, MEMORY, PLAIN

INTRODUCTION = """# Performance

How Rota compares with beanstalkd, gearmand, Redis, NATS JetStream and RabbitMQ as queues, with GNU parallel, task-spooler and
xargs where jobs are commands, and with what a bare ZeroMQ relay, LMDB and the disk allow. On a quiet machine with Debian 12,

    ./scripts/rota compare --write

measures all of it in some hours and writes tables and plots into this page. It installs only the client libraries; the servers
are unpacked from Debian's packages into `build/tools/compare`, and each runs on loopback, on a free port, in an empty directory,
only as long as it is measured. `--quick` shows in minutes that everything works, `--only 'lifecycle-*'` picks rows (`--list`
names them), `--systems 'redis*'` picks what stands beside Rota. Figures are kept in `build/compare/results.json`, row by row, so
that rows may be measured one after the other; `--page-from-results` writes the page from them. The row of ten thousand clients
needs 40,000 file descriptors (`ulimit -n`). [How it is measured](#how-it-is-measured) stands at the end.
"""

METHOD = """## How it is measured

- Every run has a fresh server on an empty directory; systems take turns (A B C A B C …); the tables show medians, and as spread
  half the range of the runs. A run lasts about four seconds: slow systems do fewer jobs.
- In a row all systems have the same batch (jobs in one message, or in one pipelined write) and the same jobs in flight (submitted
  and not known to be complete). The load generator is one program in C++, one thread for each producer and each worker; each
  server is used at its best: the comments at the top of `bench/compare/*.cc` say how. Payloads are 100 bytes unless a row says
  otherwise.
- *Synced*: a library loaded before the server's own (`bench/compare/sync_watch_preload.cc`) notes when each sync began that is
  over; an acknowledgement whose job was sent after that came without a sync. A run of Rota's with one such acknowledgement of an
  fsync job is void and ends the comparison. nats-server does not use the C library and is shown as not synced: it syncs every two
  minutes unless told otherwise.
- Server CPU is user and system time of all its processes over the run, memory their resident anonymous memory (`RssAnon`) after
  submitting less that before, bytes written to disk what the kernel counts (`/proc/PID/io`), commits and bytes of the store
  Rota's own counters.
- The result is known when the submitter has it (Rota, gearmand foreground, the relay), elsewhere when the server has the
  completion, or where that is not acknowledged (gearmand, RabbitMQ) when it was sent. The schedule of 5,000 jobs a second does
  not wait: a job's time counts from the moment it was due.
- Limits: the relay (`rota-relay-bench`) passes the same batches over the same hops and knows no job; LMDB and the plain file
  (`rota-limits-bench`) commit as many jobs at a time as Rota's commits of the same turn held.
"""

SECTIONS = {
    "Lifecycle": "One producer, one worker; from the first submit to the last completion.",
    "Out of the box": "What a program gets that does nothing for speed: the server's and the client's defaults.",
    "Backlog": "All jobs are submitted first, then drained by one worker; batches of 512.",
    "Latency": "From submit to result.",
    "Scaling": "More workers, more clients, more jobs.",
    "Commands": "Rota keeps exit code, output and outcome of every command, synced to disk.",
}


def cell(result, system, key, decimals, main_figure):
    value = median(result, system, key)
    text = number(value, decimals)
    share = spread(result, system, key) if key == main_figure else None
    return text if share is None or value is None else f"{text} ±{share * 100:.0f} %"


def table(row, result, says):
    shown = [(key, heading, decimals) for key, heading, decimals in columns(result)]
    watched = any(is_synced(result, system) for system in result["figures"])
    lines_out = ["", f"### {row.title[0].upper()}{row.title[1:]}", ""]
    head = ["system", *(heading for _, heading, _ in shown), *(["synced"] if watched else []), "Rota is"]
    lines_out += ["| " + " | ".join(head) + " |", "| --- |" + " --- |" * (len(head) - 1)]
    for system in result["figures"]:
        name = f"**{system}**" if system.startswith("rota") else system
        if says.get(system):
            name += f"<br>{says[system]}"
        cells = [name, *(cell(result, system, key, decimals, row.figure) for key, _, decimals in shown)]
        if watched:
            synced = is_synced(result, system)
            cells.append("–" if synced is None else "yes" if synced else "no")
        times = ratio(result, row.figure, system)
        cells.append("" if times is None or system == "rota" else f"{times:.2f} ×")
        lines_out.append("| " + " | ".join(cells) + " |")
    return lines_out + [f"\n{system} failed: {why}" for system, why in result["failures"].items()]


def goal_table(rows):
    out = ["", "## Goals", "", "Rota's figure as a multiple of", "", "| | Rota | wanted | |", "| --- | --- | --- | --- |"]
    for goal in goals(rows):
        value = "–" if goal.value is None else f"{number(goal.value, 2 if goal.value < 10 else 0)} {goal.unit}"
        out.append(f"| {goal.text} | {value} | {goal.wanted()} | {goal.verdict()} |")
    return out


def slug(title):
    return "".join(char if char.isalnum() else "-" for char in title.lower()).strip("-").replace("--", "-")


def plots(rows, results, folder):
    """Writes them; {name of the last row in a plot: [file]}."""
    after = {}
    for title in dict.fromkeys(row.plot for row in rows if row.plot):
        members = [row for row in rows if row.plot == title and row.name in results]
        if not members:
            continue
        drawn = line_plot(title, members, results) if members[0].point else bar_plot(title, members, results)
        if drawn is not None:
            file = folder / f"{slug(title)}.svg"
            file.write_text(drawn)
            after.setdefault(members[-1].name, []).append((title, file))
    return after


def kind_of(row, result, name):
    if name.startswith("rota"):
        return "rota"
    if name in NAMES.values():
        return "limit"
    return "not synced" if "fsync" in row.title and is_synced(result, name) is False else "peer"


def bar_plot(title, members, results):
    groups = []
    for row in members:
        key = row.plot_figure or row.figure
        figures = {name: system[key] for name, system in results[row.name]["figures"].items() if key in system}
        if figures:
            ordered = sorted(figures.items(), key=lambda item: -item[1]["median"])
            groups.append((row.title, [(name, kind_of(row, results[row.name], name), f["median"], f["least"], f["most"])
                                       for name, f in ordered]))
    return bars(title, groups) if groups else None


def line_plot(title, members, results):
    series = {}
    for row in members:
        for system in results[row.name]["figures"]:
            for key, name in ((row.figure, system), ("fill_per_second", f"{system}, submitting")):
                value = median(results[row.name], system, key)
                if value:
                    series.setdefault(name, []).append((row.point, value))
    return lines(title, title.rsplit(" by ", 1)[-1], series) if series else None


def write_page(kept, docs):
    facts, results = kept.get("machine"), {result["row"]: result for result in kept["rows"]}
    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [*ROWS, EXEC_ROW, RESTART_ROW]
    drawn = plots(rows, results, folder)
    says = {system.name: system.says for system in MEMORY}
    for_fsync = {system.name: system.says for system in FSYNC}
    for_plain = {system.name: system.says for system in PLAIN}
    out = [INTRODUCTION]
    if results:
        out.append(f"Measured on {as_text(facts)}; Rota's commit {facts['commit']}; {facts['runs']} turns.")
        out += goal_table(results)
    for section, about in SECTIONS.items():
        members = [row for row in rows if row.section == section and row.name in results]
        if not members:
            continue
        out += ["", f"## {section}", "", about]
        for row in members:
            chosen = for_plain if row.name == "plain" else for_fsync if "fsync" in row.title else says
            out += table(row, results[row.name], chosen)
            for title, file in drawn.get(row.name, []):
                out += ["", f"![{title}](performance/{file.name})"]
    out += ["", METHOD]
    (docs / "performance.md").write_text("\n".join(out).rstrip() + "\n")
    print(f"wrote {docs / 'performance.md'} and {sum(map(len, drawn.values()))} plots", file=sys.stderr)
