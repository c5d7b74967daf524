#!/usr/bin/env python3
"""Judges histories: what clients asked and were told, and what workers ran, under faults.

Usage: checker.py DIRECTORY [--json]. Exit 0: nothing lost, nothing unexpected, every duplicate explained; 1: a finding;
2: the histories cannot be judged. As a module: check(directory) → Report.

It knows nothing of Rota's code, only this format. Every process writes a file <role>-<name>-<pid>.jsonl of JSON lines, each
with one write(2), so that a kill loses none. `t` is CLOCK_MONOTONIC in nanoseconds, `e` the event. Ids are text; digests are
any text that tells contents apart.

  role client
    submit   ids, payloads (digests)    BEFORE it is sent; again with every submit of the same id by the program. Where a job has
                                        any also `retries`, `keys`, in the order of the ids, and the `queue` of the keys
    acked    ids                        accepted under this id
    merged   ids, into                  another job stands for it (a key was held)
    refused  ids, code, final           `final` 0: it will be submitted again
    cancel, retry, purge  ids           BEFORE it is asked
    ended    ids, state, results, errors  told to have ended; digests and codes in the order of the ids, "" for none
    unknown  ids, code                  told that there is no such job
    contact  what                       lost or back; for people
  role reader: after all faults, when the broker has nothing left to do
    final    ids, state, results, errors  what a GET says of every job; `state` may be one that is no end, or a code
  role worker
    run      id, attempt, payload       BEFORE the handler does anything
    done     id, attempt, outcome, result  BEFORE it is reported; succeeded, failed, rejected, cancelled
    session  what, why                  registered, lost, back, trouble
  role nemesis
    settings lease_ms, reattach_ms      how long a worker may be silent; and after a restart of the broker (two leases)
    begin    fault, what, role, name, pid  BEFORE it is done to that process; role network: to the connections of `name`
    end      fault                      the process runs again, or its successor serves; the connection is whole

What it counts and finds:

  lost         acknowledged, never purged, and without an end in the last reading
  unexpected   a run or an end of a job that nobody submitted; another payload; two different ends; a success or failure that
               no worker had reported, or only a run that a later attempt had replaced; a failure with retries left; a
               cancelled job that nobody cancelled; an expired one (no load asks for an expiry); a run that began after the end
               was told; an acknowledged job that was told to be unknown; a job that was merged into another, and ran or ended
               itself; two jobs of one key at a time; a refusal that says the request itself was wrong
  duplicate    a run beyond the first that follows no failed run and no retry. It is explained only by an end of a lease: the
               worker of the first was not heard for a lease before the second began, or that of the second before the first
               did, and it began late. It was not heard while it was stopped, dead or cut off, and until it was back by its
               own word; after a restart of the broker for `reattach_ms`. Shorter faults, delays and the restart itself
               explain nothing: they cost nobody his lease (silences.py). Nor does what began after the first worker's report
               of the job's end had been answered for sure.
               A run after the told end is a duplicate only if its own worker was silent in this way before that; a dispatch
               that was stopped on its way can begin late. Whatever else runs late is unexpected.
"""

import argparse
import gc
import json
import math
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import histories  # noqa: E402
from silences import Silences  # noqa: E402

ENDS = {"succeeded", "failed", "cancelled", "expired"}
# Refusals of well-formed submits that no fault can cause.
WRONG_REFUSALS = {"BAD_MESSAGE", "TOO_LARGE", "CONFLICT", "FORBIDDEN", "INTERNAL", "NOT_FOUND", "VERSION"}
ENDING = {"succeeded", "rejected"}  # of what a worker reports: the job ends with it
RESENT_AFTER = 1_000_000_000  # no client repeats a request sooner, unless it lost its broker and has it back
SHOWN = 20  # findings of a kind that are kept


@dataclass
class Report:
    """The verdict over one directory."""
    attempted: int = 0
    acked: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    merged: int = 0
    refused: int = 0
    runs: int = 0
    lost: int = 0
    unexpected: int = 0
    duplicates: int = 0
    explained: int = 0
    explained_by: Counter = field(default_factory=Counter)
    faults: Counter = field(default_factory=Counter)
    findings: list = field(default_factory=list)

    @property
    def unexplained(self):
        return self.duplicates - self.explained

    @property
    def ok(self):
        return self.lost == 0 and self.unexpected == 0 and self.unexplained == 0

    def add(self, other):
        """Adds the counts of another report, for a campaign of several."""
        for name, value in vars(other).items():
            if isinstance(value, Counter):
                getattr(self, name).update(value)
            elif isinstance(value, int):
                setattr(self, name, getattr(self, name) + value)
            else:
                getattr(self, name).extend(value)

    @classmethod
    def from_json(cls, text):
        values = json.loads(text)
        report = cls()
        for name, value in vars(report).items():
            setattr(report, name, Counter(values[name]) if isinstance(value, Counter) else values[name])
        return report

    def table(self):
        """Two columns for people, then the findings."""
        rows = [(name, getattr(self, name)) for name in (
            "attempted", "acked", "succeeded", "failed", "cancelled", "merged", "refused", "runs", "lost", "unexpected",
            "duplicates", "explained", "unexplained")]
        rows += [(f"  explained by {kind}", count) for kind, count in sorted(self.explained_by.items())]
        rows += [(f"fault {kind}", count) for kind, count in sorted(self.faults.items())]
        lines = [f"{name:36} {value:>12,}" for name, value in rows]
        return "\n".join(lines + self.findings)

    def as_json(self):
        """Read again by from_json()."""
        return json.dumps({**vars(self), "unexplained": self.unexplained, "ok": self.ok})


class Judge:
    """Applies the rules to the tables of one directory."""

    def __init__(self, tables):
        self.tables = tables
        self.report = Report()
        self.kept = Counter()
        self.silences = Silences(tables)
        for fault in tables.faults:
            self.report.faults[f"{fault.role} {fault.what}"] += 1

    def finding(self, kind, text):
        self.kept[kind] += 1
        if self.kept[kind] <= SHOWN:
            self.report.findings.append(f"{kind}: {text}")

    def unexpected(self, text):
        self.report.unexpected += 1
        self.finding("unexpected", text)

    # --- the whole ------------------------------------------------------------------------------------------------------

    def judge(self):
        tables, report = self.tables, self.report
        report.attempted = len(tables.submitted)
        report.acked = len(tables.acked)
        report.merged = len(tables.merged)
        report.refused = sum(len(ids) for ids in tables.refused.values())
        report.runs = sum(map(len, tables.runs.values()))
        self.judge_strangers()
        self.judge_acknowledged()
        self.judge_merged()
        self.judge_keys()
        for job, runs in tables.runs.items():
            if job in tables.submitted:
                self.judge_runs(job, runs)
        for job, (t, end) in tables.ends.items():
            if job in tables.submitted:
                self.judge_end(job, t, end)
        for job, end in tables.final.items():
            if end.state in ENDS and job not in tables.ends:
                self.judge_end(job, None, end)
        return report

    def judge_strangers(self):
        tables = self.tables
        for job in tables.runs.keys() - tables.submitted.keys():
            self.unexpected(f"{job} ran, and nobody submitted it")
        for job in tables.ends.keys() - tables.submitted.keys():
            self.unexpected(f"{job} was told to have ended, and nobody submitted it")
        for job in tables.other_payloads:
            self.unexpected(f"{job} was submitted with two payloads; the load is broken")
        for code in WRONG_REFUSALS & tables.refused.keys():
            for job in tables.refused[code]:
                self.unexpected(f"{job} was refused with {code}")

    def judge_acknowledged(self):
        """Every acknowledged job has an end that can be read, and always had."""
        tables, report = self.tables, self.report
        final, purges = tables.final, tables.purges
        for job in tables.acked:
            end = final.get(job)
            if end is not None and end.state in ENDS:
                if end.state == "succeeded":
                    report.succeeded += 1
                elif end.state == "failed":
                    report.failed += 1
                elif end.state == "cancelled":
                    report.cancelled += 1
            elif job not in purges:
                report.lost += 1
                self.finding("lost", f"{job} was acknowledged; the last reading says {end.state if end else 'nothing'}")
        for job, t in tables.unknown.items():
            if tables.acked.get(job, t) < t and job not in purges:
                self.unexpected(f"{job} was acknowledged, and later told to be unknown")

    # --- keys -----------------------------------------------------------------------------------------------------------

    def judge_merged(self):
        """A job for which another one stands is none: it neither runs nor ends. Unless its submit may have been sent twice: the
        one that came late makes a job if the key was free again by then."""
        tables = self.tables
        merged = tables.merged.keys() - tables.acked.keys()
        submits = self.submits_of(merged)
        for job in merged:
            did = "ran" if job in tables.runs else "ended" if self.has_ended(job) else ""
            if did and len(submits.get(job, ())) == 1 and self.sent_once(*submits[job][0], tables.merged[job]):
                self.unexpected(f"{job} {did}, and had been merged into another job")

    def submits_of(self, jobs):
        """When and by whom each of them was submitted."""
        submits = {}
        for t, process, ids in self.tables.submits if jobs else ():
            for job in jobs.intersection(ids):
                submits.setdefault(job, []).append((t, process))
        return submits

    def has_ended(self, job):
        final = self.tables.final.get(job)
        return job in self.tables.ends or (final is not None and final.state in ENDS)

    def sent_once(self, t, process, answered):
        """Whether a request was surely sent only once between its submit and its answer."""
        contacts = self.tables.contacts.get(process, ())
        return answered - t < RESENT_AFTER and not any(t <= contact <= answered for contact in contacts)

    def judge_keys(self):
        """A key has one job at a time. Two are certain where the first was acknowledged before the second was submitted, and
        nothing that can have ended the first was logged before the second was acknowledged."""
        tables = self.tables
        rivals = [(key, ids) for key, ids in ((key, ids & tables.acked.keys()) for key, ids in tables.keyed.items())
                  if len(ids) > 1]
        submits = self.submits_of(set().union(*(ids for _, ids in rivals)))
        for (queue, key), ids in rivals:
            lives = [(tables.acked[job], self.alive_until(job), job) for job in ids]
            for second in ids:
                submitted, acked = min(submits[second])[0], tables.acked[second]
                for begin, end, first in lives:
                    if begin < submitted and acked < end:
                        self.unexpected(f"{second} was acknowledged while {first} held the key {key} of queue {queue}")

    def alive_until(self, job):
        """Until when an acknowledged job had not ended for sure."""
        tables = self.tables
        times = [done[0] for done in tables.dones.get(job, ())] + tables.retries.get(job, [])
        times += [table[job] for table in (tables.cancels, tables.purges) if job in table]
        if job in tables.ends:
            times.append(tables.ends[job][0])
        return min(times, default=math.inf)

    # --- ends -----------------------------------------------------------------------------------------------------------

    def judge_end(self, job, t, end):
        """`t`: when it was told first; None: only the last reading tells."""
        tables = self.tables
        dones = [done for done in tables.dones.get(job, ()) if t is None or done[0] <= t]
        if end.state == "succeeded":
            reports = [done for done in dones if done[3] == "succeeded" and done[4] == end.result]
            self.judge_reports(job, t, f"succeeded with {end.result or 'no result'}", reports)
        elif end.state == "failed":
            reports = [done for done in dones if done[3] in ("failed", "rejected")]
            self.judge_reports(job, t, f"failed with {end.error or 'no code'}", reports)
            more = tables.retries_allowed.get(job, 0)
            if 0 < len(reports) <= more and all(done[3] == "failed" for done in reports):
                self.unexpected(f"{job} failed with {end.error or 'no code'} after {len(reports)} tries of {more + 1}")
        elif end.state == "cancelled" and job not in tables.cancels:
            self.unexpected(f"{job} was cancelled, and nobody had asked for it")
        elif end.state == "expired":
            self.unexpected(f"{job} expired, and nobody had asked for that")
        final = tables.final.get(job)
        if t is not None and final is not None and final.state in ENDS and final != end and job not in tables.retries:
            self.unexpected(f"{job} was told to have ended as {end}, and at last as {final}")

    def judge_reports(self, job, t, how, reports):
        """`reports`: those of workers that say this end. One of them must count: once a job is given out with a higher attempt,
        nothing does that is said of an earlier one. A run says by its beginning that it was given out."""
        tables = self.tables
        if not reports:
            self.unexpected(f"{job} {how}, which no worker had reported")
        elif job not in tables.retries:  # after one attempts go on from the end
            last = max((run[2] for run in tables.runs.get(job, ()) if t is None or run[0] < t), default=0)
            reported = max(done[2] for done in reports)
            if reported < last:
                self.unexpected(f"{job} {how}, as attempt {reported} reported, which attempt {last} had replaced")

    def judge_other_ends(self):
        for job, _, end in self.tables.other_ends:
            if job not in self.tables.retries:
                self.unexpected(f"{job} was told to have ended as {self.tables.ends[job][1]}, and as {end}")

    # --- runs -----------------------------------------------------------------------------------------------------------

    def judge_runs(self, job, runs):
        tables = self.tables
        payload = tables.submitted[job]
        for run in runs:
            if run[3] != payload:
                self.unexpected(f"{job} ran with payload {run[3]} instead of {payload}")
        told = tables.ends.get(job)
        if len(runs) == 1:
            if told is not None and runs[0][0] > told[0]:
                self.judge_late_run(job, runs[0], told)
            return
        runs.sort(key=lambda run: run[0])
        for first, second in zip(runs, runs[1:]):
            if self.retried(job, first, second):
                continue
            if told is not None and second[0] > told[0] and not self.judge_late_run(job, second, told):
                continue
            self.judge_duplicate(job, first, second)

    def retried(self, job, first, second):
        """Whether the first run failed before the second began, or somebody asked for a retry between."""
        for t, process, attempt, outcome, _ in self.tables.dones.get(job, ()):
            if outcome == "failed" and process == first[1] and attempt == first[2] and first[0] <= t <= second[0]:
                return True
        return any(first[0] <= t <= second[0] for t in self.tables.retries.get(job, ()))

    def judge_late_run(self, job, run, told):
        """A run that began after its job's end was told. Whether its worker's lease was over by then."""
        if any(told[0] <= t <= run[0] for t in self.tables.retries.get(job, ())):
            return True
        if self.began_late(run, told[0]):
            return True
        self.unexpected(f"{job} ran on {run[1].name}, attempt {run[2]}, {(run[0] - told[0]) / 1e6:.1f} ms after its end was "
                        f"told: {told[1]}")
        return False

    def judge_duplicate(self, job, first, second):
        self.report.duplicates += 1
        cause = self.cause_between(job, first, second)
        if cause:
            self.report.explained += 1
            self.report.explained_by[cause] += 1
            return
        self.finding("unexplained", f"{job} ran on {first[1].name}, attempt {first[2]}, and "
                                    f"{(second[0] - first[0]) / 1e6:.1f} ms later on {second[1].name}, attempt {second[2]}; "
                                    "no lease had ended by what is logged")

    def cause_between(self, job, first, second):
        """What took the job from one of the two workers before it ran again: that of the first had its lease ended by then, or
        that of the second before the first ran, and began late."""
        answered = self.answered(job, first, second)
        for silence in self.silences.of(first[1]):
            if silence.end >= first[0] and silence.over <= second[0] and silence.begin <= answered:
                return silence.cause
        return self.began_late(second, first[0])

    def answered(self, job, first, second):
        """When the broker had surely answered the report that ended the first run, and the job, before the second began."""
        dones = self.tables.dones.get(job, ())
        times = [done[0] for done in dones if done[1:3] == first[1:3] and done[3] in ENDING and first[0] <= done[0] < second[0]]
        return self.silences.answered(first[1], max(times)) if times else math.inf

    def began_late(self, run, t):
        """What ended the lease of this run's worker before `t` and held the run up beyond it."""
        for silence in self.silences.of(run[1]):
            if silence.over <= t <= silence.end:
                return silence.cause
        return None


def check(directory):
    """The verdict over a directory of histories. Raises histories.Unreadable if they cannot be judged."""
    tables = histories.read(directory)
    if not any(process.role == "reader" for process in tables.processes):
        raise histories.Unreadable(f"{directory}: nobody read the jobs at last (no reader-*.jsonl)")
    judge = Judge(tables)
    report = judge.judge()
    judge.judge_other_ends()
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory")
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    arguments = parser.parse_args()
    gc.disable()  # millions of tuples and no cycles: collecting would take a third of the time
    try:
        report = check(arguments.directory)
    except histories.Unreadable as error:
        print(f"checker: {error}", file=sys.stderr)
        return 2
    print(report.as_json() if arguments.json else report.table())
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
