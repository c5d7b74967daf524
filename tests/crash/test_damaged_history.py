"""The history of a damaged store shows each loss that it keeps quiet about; the mutations would be blind without it."""

import dataclasses
import unittest
import uuid
from unittest import mock

import damaged_history
from damaged_history import Refusal, SoundRun, m

ENDED, FAILED, CANCELLED, WAITING, RUNNING = (str(uuid.UUID(int=number)) for number in range(1, 6))
JOBS = {
    ENDED: m.Job(id=uuid.UUID(ENDED), state=m.State.SUCCEEDED, attempts=1, report=m.Report(result=b"7")),
    FAILED: m.Job(id=uuid.UUID(FAILED), state=m.State.FAILED, attempts=1),
    CANCELLED: m.Job(id=uuid.UUID(CANCELLED), state=m.State.CANCELLED, attempts=0),
    WAITING: m.Job(id=uuid.UUID(WAITING), state=m.State.READY, attempts=0),
    RUNNING: m.Job(id=uuid.UUID(RUNNING), state=m.State.RUNNING, attempts=1)}


class Broker:
    """Stands for damaged_history.Client."""

    def __init__(self, jobs):
        self.jobs = jobs

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, ids):
        return {job: self.jobs[job] for job in ids if job in self.jobs}

    def cancel(self, ids):
        for job in ids:
            if job in self.jobs:
                self.jobs[job] = dataclasses.replace(self.jobs[job], state=m.State.CANCELLED)


class Verdicts(unittest.TestCase):
    def judge(self, **changes):
        """As damaged by `changes`: field=(job, value); None for a job that is gone."""
        jobs = dict(JOBS)
        for job, fields in changes.items():
            job = globals()[job]
            jobs[job] = dataclasses.replace(jobs[job], **fields) if fields is not None else None
        with mock.patch.object(damaged_history, "Client", lambda which: which):
            run = SoundRun(Broker(dict(JOBS)), list(JOBS), [CANCELLED])
            judged = run.judge(Broker({job: one for job, one in jobs.items() if one is not None}))
        return judged.acked, judged.lost, judged.unexpected

    def test_what_is_as_it_was_is_fine(self):
        self.assertEqual((4, 0, 0), self.judge())

    def test_an_ended_job_that_is_gone_is_lost(self):
        self.assertEqual((4, 1, 0), self.judge(ENDED=None))

    def test_a_waiting_job_that_is_gone_is_lost(self):
        self.assertEqual((4, 1, 0), self.judge(WAITING=None))

    def test_a_job_that_is_unknown_by_its_code_is_lost(self):
        self.assertEqual((4, 1, 0), self.judge(FAILED={"code": m.Code.NOT_FOUND, "message": "no job"}))

    def test_a_job_that_is_told_to_be_damaged_is_not(self):
        self.assertEqual((4, 0, 0), self.judge(ENDED={"code": m.Code.INTERNAL, "message": "its record is damaged"}))

    def test_an_ended_job_that_waits_again_is_lost(self):
        self.assertEqual((4, 1, 0), self.judge(ENDED={"state": m.State.READY}))

    def test_another_result_is_unexpected(self):
        self.assertEqual((4, 0, 1), self.judge(ENDED={"report": m.Report(result=b"8")}))

    def test_another_end_is_unexpected(self):
        self.assertEqual((4, 0, 1), self.judge(FAILED={"state": m.State.CANCELLED}))

    def test_a_broker_that_ends_with_the_damage_is_open(self):
        with mock.patch.object(Broker, "cancel", side_effect=Refusal):
            self.assertEqual((4, 0, 0), self.judge(ENDED=None))


if __name__ == "__main__":
    unittest.main()
