"""What a trial's client and worker asked, were told and ran, for tests/history/checker.py, which judges it besides the ledger."""

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "history"))
import checker  # noqa: E402


def digest(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest() if data else ""


class History:
    """Lines in the checker's format. They are kept in memory: nobody kills the one that writes them."""

    def __init__(self):
        self._lines = []  # (role of the writer, text)
        self._faults = 0

    def _add(self, writer, event, **fields):
        self._lines.append((writer, json.dumps({"t": time.monotonic_ns(), "e": event, **fields})))

    def submit(self, job, payload):
        self._add("client", "submit", ids=[str(job)], payloads=[digest(payload)])

    def about(self, event, jobs):
        """acked, merged, cancel, retry, purge."""
        self._add("client", event, ids=[str(job) for job in jobs])

    def ended(self, job, state, result):
        self._add("client", "ended", ids=[str(job)], state=state, results=[digest(result)], errors=[""])

    def final(self, job, state, result):
        self._add("reader", "final", ids=[str(job)], state=state, results=[digest(result)], errors=[""])

    def run(self, job, attempt, payload):
        self._add("worker", "run", id=str(job), attempt=attempt, payload=digest(payload))

    def done(self, job, attempt, outcome, result):
        self._add("worker", "done", id=str(job), attempt=attempt, outcome=outcome, result=digest(result))

    def broker_died(self):
        self._faults += 1
        self._add("nemesis", "begin", fault=self._faults, what="kill", role="broker", pid=0)

    def broker_serves(self):
        if self._faults:
            self._add("nemesis", "end", fault=self._faults)

    def report(self):
        """What the checker makes of it."""
        with tempfile.TemporaryDirectory(prefix="rota-history-") as folder:
            for role in {role for role, _ in self._lines}:
                text = "".join(line + "\n" for one, line in self._lines if one == role)
                (Path(folder) / f"{role}-crash-{os.getpid()}.jsonl").write_text(text)
            return checker.check(folder)

    def judge(self):
        """The checker's findings."""
        report = self.report()
        if report.ok:
            return []
        return report.findings or [f"{report.duplicates - report.explained} duplicates without an explanation"]
