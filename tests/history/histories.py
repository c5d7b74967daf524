"""Reads the histories of one directory into tables. The format is described in checker.py."""

import json
from dataclasses import dataclass, field
from pathlib import Path


class Unreadable(Exception):
    """A file is not a history."""


@dataclass(frozen=True)
class Process:
    """Who wrote a file."""
    role: str
    name: str
    pid: int


@dataclass
class Fault:
    """Something done to a process or a connection; `end` is None where it lasts to the end of the history."""
    what: str
    role: str
    name: str
    pid: int
    begin: int
    end: int | None = None


@dataclass(frozen=True)
class End:
    """How a job ended, as it was told."""
    state: str
    result: str
    error: str


# Of plain tuples, because there are millions: run = (t, process, attempt, payload), done = (t, process, attempt, outcome,
# result).
@dataclass
class Histories:
    submitted: dict = field(default_factory=dict)  # id → payload's digest
    submits: list = field(default_factory=list)  # (t, process, ids) of each line
    retries_allowed: dict = field(default_factory=dict)  # id → how many failed runs do not end it yet, where it is any
    keyed: dict = field(default_factory=dict)  # (queue, key) → ids
    acked: dict = field(default_factory=dict)  # id → when it was told first; so all that are dictionaries of times
    merged: dict = field(default_factory=dict)
    refused: dict = field(default_factory=dict)  # code → ids
    cancels: dict = field(default_factory=dict)
    retries: dict = field(default_factory=dict)  # id → list of times
    purges: dict = field(default_factory=dict)
    ends: dict = field(default_factory=dict)  # id → (t, End), the first that was told
    other_ends: list = field(default_factory=list)  # (id, t, End) that differ from the first
    unknown: dict = field(default_factory=dict)  # told that there is no such job
    readings: list = field(default_factory=list)
    final: dict = field(default_factory=dict)  # id → End of the last reading; its state may be none of an end, or a code
    runs: dict = field(default_factory=dict)  # id → list of runs
    dones: dict = field(default_factory=dict)  # id → list of dones
    contacts: dict = field(default_factory=dict)  # client's process → times at which it lost its broker or had it back
    sessions: dict = field(default_factory=dict)  # process → list of (t, what)
    faults: list = field(default_factory=list)
    settings: dict = field(default_factory=dict)
    other_payloads: list = field(default_factory=list)  # ids submitted twice with different payloads
    processes: list = field(default_factory=list)

    def _submit(self, line, process):
        ids, payloads = line["ids"], line["payloads"]
        self.submits.append((line["t"], process, ids))
        if "retries" in line:
            self.retries_allowed.update((job, more) for job, more in zip(ids, line["retries"]) if more)
        if "keys" in line:
            for job, key in zip(ids, line["keys"]):
                if key:
                    self.keyed.setdefault((line["queue"], key), set()).add(job)
        if not self.submitted.keys().isdisjoint(ids):
            for job, payload in zip(ids, payloads):
                if self.submitted.get(job, payload) != payload:
                    self.other_payloads.append(job)
        self.submitted.update(zip(ids, payloads))

    @staticmethod
    def _first(table, line):
        t = line["t"]
        for job in line["ids"]:
            if table.get(job, t) >= t:
                table[job] = t

    def _acked(self, line, _):
        self._first(self.acked, line)

    def _merged(self, line, _):
        self._first(self.merged, line)

    def _refused(self, line, _):
        self.refused.setdefault(line["code"], []).extend(line["ids"])

    def _cancel(self, line, _):
        self._first(self.cancels, line)

    def _retry(self, line, _):
        for job in line["ids"]:
            self.retries.setdefault(job, []).append(line["t"])

    def _purge(self, line, _):
        self._first(self.purges, line)

    def _unknown(self, line, _):
        self._first(self.unknown, line)

    @staticmethod
    def _told(line):
        count = len(line["ids"])
        return zip(line["ids"], line.get("results") or [""] * count, line.get("errors") or [""] * count)

    def _ended(self, line, _):
        t, state, ends = line["t"], line["state"], self.ends
        for job, result, error in self._told(line):
            told = End(state, result, error)
            known = ends.setdefault(job, (t, told))
            if known[1] != told:
                self.other_ends.append((job, t, told))
            if known[0] > t:
                ends[job] = (t, known[1])

    def _final(self, line, _):
        self.readings.append(line)

    def take_readings(self):
        """Of several readings of a job the last one counts."""
        for line in sorted(self.readings, key=lambda line: line["t"]):
            for job, result, error in self._told(line):
                self.final[job] = End(line["state"], result, error)
        self.readings.clear()

    def _run(self, line, process):
        self.runs.setdefault(line["id"], []).append((line["t"], process, line["attempt"], line["payload"]))

    def _done(self, line, process):
        self.dones.setdefault(line["id"], []).append(
            (line["t"], process, line["attempt"], line["outcome"], line.get("result", "")))

    def _session(self, line, process):
        self.sessions.setdefault(process, []).append((line["t"], line["what"]))

    def _settings(self, line, _):
        self.settings.update(line)

    def _contact(self, line, process):
        self.contacts.setdefault(process, []).append(line["t"])

    def _read_faults(self, lines):
        open_faults = {}
        for line in lines:
            if line["e"] == "begin":
                fault = Fault(line["what"], line["role"], line.get("name", ""), line.get("pid", 0), line["t"])
                open_faults[line["fault"]] = fault
                self.faults.append(fault)
            elif line["e"] == "end":
                open_faults[line["fault"]].end = line["t"]
            elif line["e"] == "settings":
                self.settings.update(line)

    def read_file(self, path):
        role, _, rest = path.stem.partition("-")
        name, _, pid = rest.rpartition("-")
        process = Process(role, name, int(pid))
        self.processes.append(process)
        if role == "nemesis":
            self._read_faults(list(lines_of(path)))
            return
        take = {event: getattr(self, "_" + event) for event in EVENTS}
        for line in lines_of(path):
            take[line["e"]](line, process)


EVENTS = ("submit", "acked", "merged", "refused", "cancel", "retry", "purge", "unknown", "ended", "final", "run", "done",
          "session", "settings", "contact")


def lines_of(path):
    """The lines of a file; a last one without its end was being written when the process was killed, and is left out."""
    parse = json.loads
    with open(path, "rb") as file:
        for number, text in enumerate(file, 1):
            if not text.endswith(b"\n"):
                return
            try:
                yield parse(text)
            except ValueError as error:
                raise Unreadable(f"{path}:{number}: {error}") from None


def read(directory):
    """All histories of a directory."""
    histories = Histories()
    for path in sorted(Path(directory).glob("*.jsonl")):
        try:
            histories.read_file(path)
        except (KeyError, TypeError, ValueError) as error:
            raise Unreadable(f"{path}: {error!r}") from error
    histories.take_readings()
    return histories
