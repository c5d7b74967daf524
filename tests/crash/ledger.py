"""What was asked of brokers, what they told, what was run; and whether it fits together.

It knows no broker: only submits, acknowledgements, dispatches, completions and ends, in the order in which they were seen.
"""

import dataclasses

from history import History

SUCCEEDED, FAILED, CANCELLED, EXPIRED = "succeeded", "failed", "cancelled", "expired"


@dataclasses.dataclass
class Entry:
    """One job."""
    payload: bytes
    queue: str = ""
    type: str = ""
    headers: dict = dataclasses.field(default_factory=dict)
    acked: bool = False
    ended: str = ""  # as told; a retry takes it back
    refused: bool = False  # another job holds its key
    may_be_gone: bool = False  # its keep is over, or a purge of it was asked for
    is_gone: bool = False  # that purge was acknowledged
    runs: list = dataclasses.field(default_factory=list)  # (revivals, token)
    failed_with: set = dataclasses.field(default_factory=set)  # tokens of runs that failed: another one may follow
    succeeded_with: set = dataclasses.field(default_factory=set)  # tokens of runs that were reported as such
    revivals: int = 0


def result_of(payload):
    """What a run of a job with this payload must give."""
    return b"r:" + payload[::-1][:100]


class Ledger:
    def __init__(self):
        self.jobs = {}
        self.lost_sessions = 0  # that a living broker ended
        self.attempted = self.duplicates = 0
        self.lost, self.unexpected = [], []
        self.history = History()

    def broker_died(self):
        self.history.broker_died()

    @property
    def acked(self):
        return sum(entry.acked for entry in self.jobs.values())

    def submitted(self, job, payload, queue, kind, headers):
        self.history.submit(job, payload)
        if job not in self.jobs:
            self.attempted += 1
            self.jobs[job] = Entry(payload, queue, kind, dict(headers))

    def accepted(self, job):
        self.history.about("acked", [job])
        self.jobs[job].acked = True

    def refused(self, job):
        if self.jobs[job].acked:
            self.unexpected.append(f"{job} was accepted, and then refused for its key")
        self.history.about("merged", [job])
        self.jobs[job].refused = True

    def cancel_asked(self, jobs):
        self.history.about("cancel", jobs)

    def notified(self, job, state, result):
        """The end of a job, told to who waited for it."""
        self.history.ended(job, state, result)
        self.told(job, state)

    def told(self, job, state):
        """A final state, told by an answer."""
        entry = self.jobs[job]
        if entry.ended and entry.ended != state:
            self.unexpected.append(f"{job} had ended as {entry.ended} and is told to be {state}")
        if state == SUCCEEDED and not entry.succeeded_with:
            self.unexpected.append(f"{job} is told to have succeeded, and no run of it has")
        entry.ended = state

    def retry_asked(self, job):
        self.history.about("retry", [job])
        entry = self.jobs[job]
        if entry.ended:
            entry.ended = ""
        entry.revivals += 1  # nobody may have told its end yet

    def purge_asked(self, jobs):
        self.history.about("purge", jobs)
        for job in jobs:
            self.jobs[job].may_be_gone = True

    def purged(self, jobs):
        for job in jobs:
            self.jobs[job].is_gone = True

    def dispatched(self, job, token, attempt, payload, queue, kind, headers):
        self.history.run(job, attempt, payload)
        entry = self.jobs.get(job)
        if entry is None:
            self.unexpected.append(f"{job} is dispatched, and nobody submitted it")
            return
        if entry.payload != payload:
            self.unexpected.append(f"{job} is dispatched with another payload")
        self.is_as_submitted(job, "is dispatched", queue, kind)
        if entry.headers != headers:
            self.unexpected.append(f"{job} is dispatched with the headers {headers}")
        if entry.ended or entry.is_gone or entry.refused:
            self.unexpected.append(f"{job} is dispatched although it was {entry.ended or 'forgotten or refused'}")
        for revivals, other in entry.runs:
            if other == token:
                self.unexpected.append(f"{job} is dispatched twice under token {token}")
            elif revivals == entry.revivals and other not in entry.failed_with:
                # Whatever its attempt: a loss raises it. No crash explains it, as the worker of these trials is always back in time.
                self.duplicates += 1
                self.unexpected.append(f"{job} is given away again, attempt {attempt}, though its run under {other} did not fail")
        entry.runs.append((entry.revivals, token))

    def is_as_submitted(self, job, what, queue, kind):
        entry = self.jobs[job]
        if (entry.queue, entry.type) != (queue, kind):
            self.unexpected.append(f"{job} {what} in queue {queue} with type {kind}, not {entry.queue} and {entry.type}")

    def run_ended(self, job, token, attempt, outcome, result):
        """Before it is reported."""
        self.history.done(job, attempt, outcome, result)
        if outcome == SUCCEEDED:
            self.jobs[job].succeeded_with.add(token)
        elif outcome == FAILED:
            self.jobs[job].failed_with.add(token)

    def completion_counts(self, job, succeeded):
        """The broker says that a reported run counts."""
        if succeeded:
            self.told(job, SUCCEEDED)

    def read(self, found, listed):
        """The final reading, when nothing is left to run: {id: (state, result, queue, type)} of what is known, and all ids that are
        listed. No reading tells headers."""
        for job, entry in self.jobs.items():
            if job not in found:
                if entry.acked and not entry.may_be_gone:
                    self.lost.append(f"{job} was acknowledged and is not known")
                continue
            state, result, queue, kind = found[job]
            self.is_as_submitted(job, "is read", queue, kind)
            self.history.final(job, state, result)
            if entry.refused or entry.is_gone:
                self.unexpected.append(f"{job} is {state}, but was {'refused' if entry.refused else 'purged'}")
            elif not state:
                self.lost.append(f"{job} has not ended")
            else:
                self.told(job, state)
                if state == SUCCEEDED and result != result_of(entry.payload):
                    self.unexpected.append(f"{job} has the result {result!r}")
        for job in listed:
            if job not in self.jobs:
                self.unexpected.append(f"{job} is listed, and nobody submitted it")
            elif job not in found:
                self.unexpected.append(f"{job} is listed, and cannot be read")
