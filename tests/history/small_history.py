"""Small histories made by hand, for the tests of the checker."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import checker  # noqa: E402

MS = 1_000_000
LEASE = 30  # a worker says something three times a lease: it may be over 20 after a silence begins
REATTACH = 60


class Case(unittest.TestCase):
    """One job "j" with payload "p", unless a test says otherwise. Times are milliseconds."""

    def setUp(self):
        self.files = {}
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.directory = Path(self.temporary.name)
        self.line("nemesis-n-8", 0, "settings", lease_ms=LEASE)

    def line(self, file, t, event, **fields):
        self.files.setdefault(file, []).append(json.dumps({"t": t * MS, "e": event, **fields}))

    def submit(self, t=1, ids=("j",), payloads=("p",), file="client-c-1", queue="q", **fields):
        self.line(file, t, "submit", queue=queue, again=0, ids=list(ids), payloads=list(payloads), **fields)

    def acked(self, t=2, ids=("j",)):
        self.line("client-c-1", t, "acked", ids=list(ids))

    def merged(self, t=2, ids=("j",), into=("k",)):
        self.line("client-c-1", t, "merged", ids=list(ids), into=list(into))

    def run_of(self, t=3, job="j", worker="worker-w-2", attempt=1, payload="p"):
        self.line(worker, t, "run", id=job, attempt=attempt, payload=payload)

    def done(self, t=4, job="j", worker="worker-w-2", attempt=1, outcome="succeeded", result="r"):
        self.line(worker, t, "done", id=job, attempt=attempt, outcome=outcome, result=result)

    def ended(self, t=5, job="j", state="succeeded", result="r", error="", file="client-c-1", event="ended"):
        self.line(file, t, event, state=state, ids=[job], results=[result], errors=[error])

    def final(self, t=100, **fields):
        self.ended(t, file="reader-r-9", event="final", **fields)

    def fault(self, begin, end=None, what="kill", role="worker", name="w", pid=2):
        number = len(self.files.get("nemesis-n-8", []))
        self.line("nemesis-n-8", begin, "begin", fault=number, what=what, role=role, name=name, pid=pid)
        if end is not None:
            self.line("nemesis-n-8", end, "end", fault=number)

    def sound(self):
        """A job from its submit to the last reading."""
        self.submit()
        self.acked()
        self.run_of()
        self.done()
        self.ended()
        self.final()

    def check(self):
        for name, lines in self.files.items():
            (self.directory / f"{name}.jsonl").write_text("".join(line + "\n" for line in lines))
        return checker.check(self.directory)

    def expect(self, lost=0, unexpected=0, duplicates=0, explained=0, words=""):
        report = self.check()
        self.assertEqual((lost, unexpected, duplicates, explained),
                         (report.lost, report.unexpected, report.duplicates, report.explained), report.table())
        self.assertEqual(lost == unexpected == 0 and duplicates == explained, report.ok)
        self.assertIn(words, "\n".join(report.findings))
        return report
