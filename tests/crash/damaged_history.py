"""What was asked of a sound broker and what a damaged store says of it, as a history for tests/history/checker.py.

A job that the damaged one openly names as damaged is not in it: who reads it is told, and loses nothing without a word. Nor are jobs
that ran when the sound store was copied: their lease lasts on, and so they have no end to read.
"""

import dataclasses
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))

from rota_interop import messages as m  # noqa: E402
from rota_interop.connection import Connection, Silence  # noqa: E402

from broker_process import EXIT_DAMAGED, PATIENCE, CrashFailure  # noqa: E402
from history import History  # noqa: E402


@dataclasses.dataclass
class Judged:
    """What one or many histories came to."""
    acked: int = 0
    lost: int = 0  # without a word
    unexpected: int = 0
    findings: list = dataclasses.field(default_factory=list)

    def add(self, other):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


class Refusal(Exception):
    """The broker ended with the name of what is damaged, or answered with it."""


class Client:
    def __init__(self, broker):
        self._broker = broker
        self._connection = Connection(broker.ready["clients"])

    def __enter__(self):
        self.ask(m.Hello, m.Greeting(min=1, max=1, software="damage", host="test", pid=1))
        return self

    def __exit__(self, *_):
        self._connection.close()

    def ask(self, shape, *fields):
        request = self._connection.next_request()
        end = time.monotonic() + PATIENCE
        while not self._connection.send(shape(request, *fields), 0.1):
            self._goes_on(end)
        while True:
            try:
                answer = self._connection.answer_to(request, 0.5)
                break
            except Silence:
                self._goes_on(end)
        if isinstance(answer, m.Error) and "damaged" in answer.message:
            raise Refusal
        return answer

    def _goes_on(self, end):
        """The broker lives and may yet answer."""
        alive = self._broker.alive  # before its log is read, so that its last words are in it
        text = self._broker.log_text()
        if not alive:
            code = self._broker.process.returncode
            raise Refusal if code in EXIT_DAMAGED and "damaged" in text else CrashFailure(f"exit {code}: {text}")
        if time.monotonic() > end:
            raise CrashFailure(f"no answer: {text}")

    def read(self, ids):
        """{id: Job} of all that are known, those that cannot be read for damage with a code and a message."""
        return {str(job.id): job for job in self.ask(m.Get, True, tuple(uuid.UUID(job) for job in ids)).jobs}

    def cancel(self, ids):
        self.ask(m.Cancel, tuple(uuid.UUID(job) for job in ids))


def is_damaged(job):
    return job.code not in (None, m.Code.OK) and "damaged" in (job.message or "")


def is_known(job):
    return job is not None and job.code in (None, m.Code.OK)


def state_of(job):
    return job.state.name.lower()


def result_of(job):
    return job.report.result if job.report is not None else b""


class SoundRun:
    """What the sound broker was asked and told, of the jobs that do not run."""

    def __init__(self, broker, ids, cancelled):
        with Client(broker) as client:
            told = client.read(ids)
        if not all(is_known(told.get(job)) for job in ids):
            raise CrashFailure("the sound broker does not know its jobs")
        self.jobs = {job: told[job] for job in ids if told[job].state != m.State.RUNNING}
        self.cancelled = [job for job in cancelled if job in self.jobs]
        self.waiting = [job for job, one in self.jobs.items() if not one.state.final]

    def history(self, damaged):
        """As its clients and its worker would have written it, without the damaged jobs. What the sound broker told of a run
        stands for the worker's own word."""
        history = History()
        for job, told in self.jobs.items():
            if job in damaged:
                continue
            history.submit(job, b"")
            history.about("acked", [job])
            if job in self.cancelled:
                history.about("cancel", [job])
            if told.state in (m.State.SUCCEEDED, m.State.FAILED):
                history.run(job, told.attempts, b"")
                history.done(job, told.attempts, state_of(told), result_of(told))
            if told.state.final:
                history.ended(job, state_of(told), result_of(told))
        history.broker_died()
        history.broker_serves()
        return history

    def judge(self, broker):
        """Cancels what waits in a damaged broker, so that every job comes to an end, and reads them all. `broker` may end of it."""
        judged = Judged(acked=len(self.jobs))
        try:
            with Client(broker) as client:
                damaged = {job for job, one in client.read(self.jobs).items() if is_damaged(one)}
                history = self.history(damaged)
                waiting = [job for job in self.waiting if job not in damaged]
                history.about("cancel", waiting)
                client.cancel(waiting)
                found = client.read([job for job in self.jobs if job not in damaged])
        except Refusal:
            return judged
        for job, one in found.items():
            if is_known(one):
                history.final(job, state_of(one), result_of(one))
        report = history.report()
        judged.lost, judged.unexpected, judged.findings = report.lost, report.unexpected, report.findings
        return judged
