#!/usr/bin/env python3
"""The checker over small histories made by hand: what is sound passes, and each broken promise is found."""

import json
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import checker  # noqa: E402
import histories  # noqa: E402
from small_history import Case  # noqa: E402


class Sound(Case):
    def test_a_job_from_submit_to_last_reading(self):
        self.sound()
        report = self.expect()
        self.assertEqual((1, 1, 1, 0, 1), (report.attempted, report.acked, report.succeeded, report.failed, report.runs))

    def test_a_retry_after_a_failed_run_is_no_duplicate(self):
        self.submit()
        self.acked()
        self.run_of(3)
        self.done(4, outcome="failed", result="")
        self.run_of(5, attempt=2, worker="worker-x-3")
        self.done(6, attempt=2, worker="worker-x-3")
        self.ended(7)
        self.final()
        self.expect()

    def test_a_rejected_job_has_failed(self):
        self.submit()
        self.acked()
        self.run_of()
        self.done(outcome="rejected", result="")
        self.ended(state="failed", result="", error="DOOMED")
        self.final(state="failed", result="", error="DOOMED")
        self.assertEqual(1, self.expect().failed)

    def test_a_cancel_that_was_asked_for(self):
        self.submit()
        self.acked()
        self.line("client-c-1", 3, "cancel", ids=["j"])
        self.ended(4, state="cancelled", result="")
        self.final(state="cancelled", result="")
        self.assertEqual(1, self.expect().cancelled)

    def test_a_job_that_was_never_acknowledged_may_be_gone_or_there(self):
        self.submit(ids=["j", "k"], payloads=["p", "p"])
        self.run_of()
        self.done()
        self.final()
        self.final(job="k", state="NOT_FOUND", result="")
        self.assertEqual(2, self.expect().attempted)

    def test_an_asked_retry_and_a_purge(self):
        self.sound()
        self.line("client-c-1", 6, "retry", ids=["j"])
        self.run_of(7, attempt=2)
        self.done(8, attempt=2, result="s")
        self.ended(9, result="s")
        self.final(101, result="s")
        self.submit(1, ["k"])
        self.acked(2, ["k"])
        self.line("client-c-1", 3, "purge", ids=["k"])
        self.line("client-c-1", 4, "unknown", ids=["k"], code="NOT_FOUND")
        self.expect()

    def test_a_last_line_that_was_cut_short_is_left_out(self):
        self.sound()
        self.check()
        with open(self.directory / "worker-w-2.jsonl", "a", encoding="ascii") as file:
            file.write('{"t":9,"e":"run","id":"stra')
        self.assertTrue(checker.check(self.directory).ok)


class Lost(Case):
    def test_an_acknowledged_job_that_is_not_known_at_last(self):
        self.submit()
        self.acked()
        self.final(state="NOT_FOUND", result="")
        self.expect(lost=1, words="NOT_FOUND")

    def test_an_acknowledged_job_that_has_no_end_at_last(self):
        self.submit()
        self.acked()
        self.final(state="ready", result="")
        self.expect(lost=1, words="ready")

    def test_an_acknowledged_job_that_was_not_read(self):
        self.sound()
        self.submit(ids=["k"])
        self.acked(ids=["k"])
        self.expect(lost=1, words="k was acknowledged")

    def test_an_end_that_was_told_and_is_forgotten(self):
        self.sound()
        self.files["reader-r-9"] = []
        self.final(state="NOT_FOUND", result="")
        self.expect(lost=1)

    def test_of_several_readings_the_last_counts(self):
        self.sound()
        self.final(90, state="ready", result="")
        self.expect()


class Unexpected(Case):
    def test_a_run_of_a_job_that_nobody_submitted(self):
        self.sound()
        self.run_of(job="stranger")
        self.expect(unexpected=1, words="stranger ran")

    def test_an_end_of_a_job_that_nobody_submitted(self):
        self.sound()
        self.ended(job="stranger")
        self.expect(unexpected=1, words="stranger was told")

    def test_a_wrong_payload(self):
        self.submit()
        self.acked()
        self.run_of(payload="other")
        self.done()
        self.final()
        self.expect(unexpected=1, words="payload other")

    def test_two_different_ends(self):
        self.sound()
        self.ended(6, state="failed", result="", error="X")
        self.expect(unexpected=1, words="failed")

    def test_another_end_at_last_than_was_told(self):
        self.sound()
        self.done(4, result="s")
        self.files["reader-r-9"] = []
        self.final(result="s")
        self.expect(unexpected=1, words="at last")

    def test_a_success_that_no_worker_reported(self):
        self.submit()
        self.acked()
        self.run_of()
        self.ended()
        self.final()
        self.expect(unexpected=1, words="which no worker had reported")

    def test_a_success_with_another_result_than_was_reported(self):
        self.submit()
        self.acked()
        self.run_of()
        self.done(result="s")
        self.final()
        self.expect(unexpected=1, words="succeeded with r")

    def test_a_success_that_was_told_before_the_worker_reported_it(self):
        self.submit()
        self.acked()
        self.run_of()
        self.ended(4)
        self.done(5)
        self.final()
        self.expect(unexpected=1)

    def test_a_failure_that_no_worker_reported(self):
        self.submit()
        self.acked()
        self.final(state="failed", result="", error="X")
        self.expect(unexpected=1, words="failed with X")

    def fails(self, runs, retries):
        """A job that failed for good after so many failed runs."""
        self.submit(retries=[retries])
        self.acked()
        for attempt in range(1, runs + 1):
            self.run_of(2 * attempt + 1, attempt=attempt)
            self.done(2 * attempt + 2, attempt=attempt, outcome="failed", result="")
        self.ended(50, state="failed", result="", error="FLAKY")
        self.final(state="failed", result="", error="FLAKY")

    def test_a_failure_with_retries_left(self):
        self.fails(runs=2, retries=2)
        self.expect(unexpected=1, words="failed with FLAKY after 2 tries of 3")

    def test_a_failure_after_the_last_retry_is_none(self):
        self.fails(runs=3, retries=2)
        self.assertEqual(1, self.expect().failed)

    def test_a_rejection_with_retries_left_is_none(self):
        self.submit(retries=[2])
        self.acked()
        self.run_of()
        self.done(outcome="rejected", result="")
        self.final(state="failed", result="", error="DOOMED")
        self.expect()

    def test_a_job_that_expired(self):
        self.submit()
        self.acked()
        self.ended(state="expired", result="")
        self.final(state="expired", result="")
        self.expect(unexpected=1, words="j expired")

    def replaced(self, reported, result="r", outcome="succeeded", state="succeeded"):
        """Run on a worker that is stopped for longer than a lease, and once more on another; the first says its word at
        `reported`, and that is told."""
        self.submit()
        self.acked()
        self.run_of(3)
        self.fault(4, 60, what="stop")
        self.run_of(50, worker="worker-x-3", attempt=2)
        self.done(51, worker="worker-x-3", attempt=2, result="r2")
        self.done(reported, result=result, outcome=outcome)
        self.ended(62, state=state, result=result)
        self.final(state=state, result=result)

    def test_a_success_of_a_run_that_another_had_replaced(self):
        self.replaced(reported=61)
        self.expect(unexpected=1, duplicates=1, explained=1, words="as attempt 1 reported, which attempt 2 had replaced")

    def test_a_success_that_was_reported_in_time_and_taken_too_late(self):
        self.replaced(reported=4)
        self.expect(unexpected=1, duplicates=1, explained=1, words="which attempt 2 had replaced")

    def test_a_rejection_of_a_run_that_another_had_replaced(self):
        self.replaced(reported=61, result="", outcome="rejected", state="failed")
        self.expect(unexpected=1, duplicates=1, explained=1, words="which attempt 2 had replaced")

    def test_a_replaced_run_with_the_result_of_the_one_that_counts_is_none(self):
        self.replaced(reported=61, result="r2")
        self.expect(duplicates=1, explained=1)

    def test_an_end_before_an_asked_retry_that_is_told_after_the_next_run_began_is_none(self):
        self.submit()
        self.acked()
        self.run_of()
        self.done()
        self.line("client-d-5", 5, "retry", ids=["j"])
        self.run_of(6, attempt=2)
        self.ended(7)
        self.done(8, attempt=2, result="s")
        self.final(result="s")
        self.expect()

    def test_a_run_that_was_given_out_twice_as_the_same_attempt_is_none(self):
        self.submit()
        self.acked()
        self.run_of(3)
        self.run_of(50, worker="worker-x-3")
        self.done(51, worker="worker-x-3", result="s")
        self.done(52)
        self.fault(4, 49, what="stop")
        self.final()
        self.expect(duplicates=1, explained=1)

    def test_a_cancelled_job_that_nobody_cancelled(self):
        self.submit()
        self.acked()
        self.final(state="cancelled", result="")
        self.expect(unexpected=1, words="nobody had asked")

    def test_a_run_after_the_end_was_told(self):
        self.sound()
        self.run_of(6, worker="worker-x-3", attempt=2)
        self.fault(5, 6, what="kill", role="broker", name="", pid=7)
        self.expect(unexpected=1, words="after its end was told")

    def test_a_run_after_the_end_on_a_worker_that_was_well_by_then(self):
        self.sound()
        self.run_of(50, worker="worker-x-3")
        self.fault(2, 4, what="stop", name="x", pid=3)
        self.expect(unexpected=1, words="after its end was told")

    def test_the_only_run_after_the_end_was_told(self):
        self.submit()
        self.acked()
        self.done(2)
        self.ended(3)
        self.run_of(4)
        self.final()
        self.expect(unexpected=1, words="after its end was told")

    def test_an_acknowledged_job_that_is_told_to_be_unknown(self):
        self.sound()
        self.line("client-c-1", 3, "unknown", ids=["j"], code="NOT_FOUND")
        self.expect(unexpected=1, words="later told to be unknown")

    def test_a_refusal_that_says_the_request_was_wrong(self):
        self.sound()
        self.line("client-c-1", 3, "refused", ids=["j"], code="CONFLICT", final=1)
        self.expect(unexpected=1, words="CONFLICT")

    def test_a_job_that_was_submitted_with_two_payloads(self):
        self.sound()
        self.submit(2, payloads=["other"])
        self.line("client-c-1", 3, "submit", queue="q", again=1, ids=["j"], payloads=["p"])
        self.expect(unexpected=2)


class Keys(Case):
    """Two jobs of one key of a queue: the first holds it, the second is merged into it."""

    def stands_for(self, answered=2):
        self.sound()
        self.submit(1, ["m"])
        self.merged(answered, ["m"], ["j"])

    def test_a_merged_job(self):
        self.stands_for()
        self.final(job="m", state="NOT_FOUND", result="")
        self.assertEqual(1, self.expect().merged)

    def test_a_merged_job_that_runs(self):
        self.stands_for()
        self.run_of(job="m")
        self.done(job="m")
        self.final(job="m")
        self.expect(unexpected=1, words="m ran, and had been merged into another job")

    def test_a_merged_job_that_ends(self):
        self.stands_for()
        self.line("client-c-1", 3, "cancel", ids=["m"])
        self.final(job="m", state="cancelled", result="")
        self.expect(unexpected=1, words="m ended, and had been merged into another job")

    def test_a_merged_job_that_was_accepted_as_well(self):
        self.stands_for()
        self.acked(3, ["m"])
        self.run_of(job="m")
        self.done(job="m")
        self.final(job="m")
        self.expect()

    def test_a_merged_job_whose_submit_may_have_been_sent_twice(self):
        for number, twice in enumerate((
                lambda: self.stands_for(answered=1001),
                lambda: (self.stands_for(), self.line("client-c-1", 2, "contact", what="back")),
                lambda: (self.stands_for(), self.submit(0, ["m"], file="client-c-5")))):
            with self.subTest(number):
                self.files.clear()
                twice()
                self.run_of(job="m")
                self.done(job="m")
                self.final(job="m")
                self.expect()

    def both(self, second=10, queue="q"):
        """Each runs, and they follow each other closely."""
        self.submit(1, keys=["key"])
        self.acked(2)
        self.submit(second, ["k"], keys=["key"], queue=queue)
        self.acked(second + 2, ["k"])
        for job, t in (("j", 20), ("k", 40)):
            self.run_of(t, job)
            self.done(t + 1, job)
            self.final(job=job)

    def test_a_key_that_two_jobs_hold(self):
        self.both()
        self.expect(unexpected=1, words="k was acknowledged while j held the key key of queue q")

    def test_a_key_that_one_job_holds_after_the_other(self):
        self.both(second=19)
        self.expect()

    def test_a_key_of_two_queues(self):
        self.both(queue="other")
        self.expect()

    def test_a_key_whose_jobs_were_submitted_together(self):
        self.both(second=2)
        self.expect()

    def test_a_key_whose_first_job_was_cancelled_in_time(self):
        self.both()
        self.line("client-c-1", 9, "cancel", ids=["j"])
        self.expect()


class Program(Case):
    def judged(self):
        return subprocess.run([sys.executable, "-B", checker.__file__, self.directory, "--json"], capture_output=True,
                              check=False)

    def test_exit_codes_and_json(self):
        self.sound()
        self.check()
        judged = self.judged()
        self.assertEqual(0, judged.returncode, judged.stderr)
        self.assertTrue(json.loads(judged.stdout)["ok"])
        (self.directory / "client-d-5.jsonl").write_text('{"t":1,"e":"acked","ids":["gone"]}\n')
        judged = self.judged()
        self.assertEqual((1, 1), (judged.returncode, json.loads(judged.stdout)["lost"]))

    def test_json_tells_all(self):
        self.sound()
        self.run_of(50, worker="worker-x-3")
        self.fault(-30, 49, what="stop", name="x", pid=3)
        report = self.check()
        self.assertEqual(1, report.explained)
        self.assertEqual(report, checker.Report.from_json(self.judged().stdout))

    def test_what_is_no_history_cannot_be_judged(self):
        self.sound()
        self.check()
        (self.directory / "client-d-5.jsonl").write_text("?\n")
        self.assertEqual(2, self.judged().returncode)

    def test_without_a_last_reading_nothing_is_judged(self):
        self.submit()
        with self.assertRaises(histories.Unreadable):
            self.check()

    def test_reports_add_up(self):
        self.sound()
        total = checker.Report()
        for _ in range(3):
            total.add(self.check())
        self.assertEqual((3, 3, 3, True), (total.attempted, total.acked, total.succeeded, total.ok))


if __name__ == "__main__":
    unittest.main()
