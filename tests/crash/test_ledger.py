"""The ledger of a trial finds each broken promise; the drivers would be blind without it."""

import unittest

from ledger import Ledger, result_of


class Verdicts(unittest.TestCase):
    def setUp(self):
        self.ledger = Ledger()
        self.ledger.submitted("j", b"payload", "q", "t", {"trace": "1"})
        self.ledger.accepted("j")

    def dispatch(self, token, attempt, job="j", payload=b"payload", queue="q", kind="t", trace="1"):
        self.ledger.dispatched(job, token, attempt, payload, queue, kind, {"trace": trace})

    def run_once(self, token=1, attempt=1):
        self.dispatch(token, attempt)
        self.ledger.run_ended("j", token, attempt, "succeeded", result_of(b"payload"))

    def read(self, queue="q", kind="t", **found):
        self.ledger.read({job: (*said, queue, kind) for job, said in found.items()}, list(found))

    def assert_verdict(self, lost, unexpected):
        self.assertEqual((lost, unexpected), (len(self.ledger.lost), len(self.ledger.unexpected)),
                         (self.ledger.lost, self.ledger.unexpected))

    def test_a_job_that_ended_as_it_ran_is_fine(self):
        self.run_once()
        self.ledger.completion_counts("j", True)
        self.read(j=("succeeded", result_of(b"payload")))
        self.assert_verdict(0, 0)
        self.assertEqual([], self.ledger.history.judge())

    def test_acknowledged_and_unknown_is_lost(self):
        self.read()
        self.assert_verdict(1, 0)

    def test_acknowledged_and_never_ended_is_lost(self):
        self.read(j=("", b""))
        self.assert_verdict(1, 0)
        self.assertNotEqual([], self.ledger.history.judge())

    def test_a_success_without_a_run_is_unexpected(self):
        self.read(j=("succeeded", result_of(b"payload")))
        self.assert_verdict(0, 1)

    def test_another_result_is_unexpected(self):
        self.run_once()
        self.read(j=("succeeded", b"r:other"))
        self.assert_verdict(0, 1)

    def test_two_ends_are_unexpected(self):
        self.run_once()
        self.ledger.completion_counts("j", True)
        self.read(j=("failed", b""))
        self.assert_verdict(0, 1)

    def test_another_payload_is_unexpected(self):
        self.dispatch(1, 1, payload=b"swapped")
        self.assert_verdict(0, 1)

    def test_other_headers_are_unexpected(self):
        self.dispatch(1, 1, trace="2")
        self.assert_verdict(0, 1)

    def test_a_dispatch_from_another_queue_or_of_another_type_is_unexpected(self):
        self.dispatch(1, 1, queue="r")
        self.assert_verdict(0, 1)
        self.ledger.run_ended("j", 1, 1, "failed", b"")
        self.dispatch(2, 2, kind="u")
        self.assert_verdict(0, 2)

    def test_another_queue_or_type_in_the_reading_is_unexpected(self):
        self.run_once()
        self.ledger.completion_counts("j", True)
        self.read(queue="r", j=("succeeded", result_of(b"payload")))
        self.assert_verdict(0, 1)
        self.read(kind="u", j=("succeeded", result_of(b"payload")))
        self.assert_verdict(0, 2)

    def test_a_dispatch_behind_the_end_is_unexpected(self):
        self.run_once()
        self.ledger.completion_counts("j", True)
        self.dispatch(2, 2)
        self.assert_verdict(0, 2)  # it had ended, and its run had not failed

    def test_a_dispatch_behind_a_retry_is_fine(self):
        self.run_once()
        self.ledger.completion_counts("j", True)
        self.ledger.retry_asked("j")
        self.dispatch(2, 1)
        self.assert_verdict(0, 0)
        self.assertEqual(0, self.ledger.duplicates)

    def test_strangers_are_unexpected(self):
        self.dispatch(1, 1, job="x")
        self.run_once()
        self.ledger.read({"j": ("succeeded", result_of(b"payload"), "q", "t")}, ["j", "y"])
        self.assert_verdict(0, 2)

    def test_a_purged_job_that_is_back_is_unexpected(self):
        self.ledger.purge_asked(["j"])
        self.ledger.purged(["j"])
        self.read(j=("cancelled", b""))
        self.assert_verdict(0, 1)

    def test_a_second_run_under_the_same_attempt_is_unexpected(self):
        self.run_once(token=1)
        self.dispatch(2, 1)
        self.assert_verdict(0, 1)
        self.assertEqual(1, self.ledger.duplicates)

    def test_a_running_job_that_a_restart_gives_away_is_unexpected(self):
        self.dispatch(1, 1)
        self.ledger.broker_died()
        self.dispatch(2, 2)
        self.assert_verdict(0, 1)
        self.assertEqual(1, self.ledger.duplicates)

    def test_a_run_behind_one_that_failed_is_fine(self):
        self.dispatch(1, 1)
        self.ledger.run_ended("j", 1, 1, "failed", b"")
        self.ledger.broker_died()
        self.dispatch(2, 2)
        self.assert_verdict(0, 0)
        self.assertEqual(0, self.ledger.duplicates)

    def test_a_failed_run_excuses_no_run_behind_the_next(self):
        self.dispatch(1, 1)
        self.ledger.run_ended("j", 1, 1, "failed", b"")
        self.dispatch(2, 2)
        self.dispatch(3, 3)
        self.assert_verdict(0, 1)

    def test_a_dispatch_behind_a_retry_whose_end_was_not_told_is_fine(self):
        self.dispatch(1, 1)
        self.ledger.run_ended("j", 1, 1, "rejected", b"")
        self.ledger.retry_asked("j")
        self.dispatch(2, 2)
        self.assert_verdict(0, 0)


if __name__ == "__main__":
    unittest.main()
