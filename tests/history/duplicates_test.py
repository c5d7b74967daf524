#!/usr/bin/env python3
"""What explains a second run and what does not: only the end of a lease does."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from small_history import LEASE, REATTACH, Case  # noqa: E402


class Duplicates(Case):
    def twice(self, worker="worker-x-3", again=50):
        """Runs at 3 and, on another worker, at 50."""
        self.submit()
        self.acked()
        self.run_of(3)
        self.run_of(again, worker=worker, attempt=2)
        self.done(again + 1, worker=worker, attempt=2)
        self.ended(again + 2)
        self.final(again + 100)

    def session(self, t, what, worker="worker-w-2"):
        self.line(worker, t, "session", what=what)

    def expect_cause(self, cause):
        self.assertEqual({cause: 1}, dict(self.expect(duplicates=1, explained=1).explained_by))

    def test_without_a_cause(self):
        self.twice()
        self.expect(duplicates=1, words="on w, attempt 1, and 47.0 ms later on x")

    def test_a_kill_of_its_worker(self):
        self.twice()
        self.fault(20, 21)
        self.expect_cause("worker kill")

    def test_a_kill_that_nobody_can_have_noticed_yet(self):
        self.twice()
        self.fault(40, 41)
        self.expect(duplicates=1)

    def test_a_cut_of_a_lease(self):
        self.twice()
        self.fault(10, 40, what="refuse", role="network", pid=0)
        self.expect_cause("network refuse")

    def test_a_short_cut(self):
        self.twice()
        self.fault(20, 30, what="cut", role="network", pid=0)
        self.expect(duplicates=1, words="no lease had ended")

    def test_a_short_cut_after_which_the_worker_was_back_at_once(self):
        self.twice()
        self.fault(20, 21, what="reset in mid-frame", role="network", pid=0)
        self.session(22, "lost")
        self.session(24, "back")
        self.expect(duplicates=1)

    def test_a_short_cut_after_which_the_worker_was_not_back_for_a_lease(self):
        self.twice()
        self.fault(10, 10, what="cut", role="network", pid=0)
        self.session(18, "lost")
        self.session(45, "back")
        self.expect_cause("network cut")

    def test_a_lease_that_ended_after_the_second_run_began(self):
        self.twice()
        self.fault(40, 90, what="black hole", role="network", pid=0)
        self.expect(duplicates=1)

    def test_two_short_cuts_are_no_long_one(self):
        self.twice()
        self.fault(10, 20, what="refuse", role="network", pid=0)
        self.fault(30, 40, what="refuse", role="network", pid=0)
        self.expect(duplicates=1)

    def test_two_faults_that_touch_are_one_silence(self):
        self.twice()
        self.fault(10, 22, what="stop")
        self.fault(20, 40, what="refuse", role="network", pid=0)
        self.expect_cause("network refuse")

    def test_a_delay_however_long(self):
        self.twice()
        self.fault(1, 60, what="delay", role="network", pid=0)
        self.expect(duplicates=1)

    def test_a_stop_that_began_before_the_run_and_ended_after_it(self):
        self.twice()
        self.fault(1, 40, what="stop")
        self.expect_cause("worker stop")

    def test_a_short_stop(self):
        self.twice()
        self.fault(10, 25, what="stop")
        self.expect(duplicates=1)

    def test_a_session_that_its_worker_lost_though_nothing_was_done_to_it(self):
        self.twice()
        self.session(20, "lost")
        self.session(45, "back")
        self.expect(duplicates=1)

    def test_a_restart_of_the_broker_alone(self):
        for number, what in enumerate(("kill", "term", "power cut")):
            self.fault(10 + 10 * number, 12 + 10 * number, what=what, role="broker", name="", pid=7)
        self.twice()
        self.expect(duplicates=1)

    def test_a_restart_after_which_its_worker_did_not_come_back(self):
        self.twice(again=150)
        self.fault(10, 40, role="broker", name="", pid=7)
        self.session(10, "lost")
        self.session(40 + REATTACH, "back")
        self.expect_cause("broker kill")

    def test_a_restart_after_which_its_worker_came_back_in_time(self):
        self.twice(again=150)
        self.fault(10, 40, role="broker", name="", pid=7)
        self.session(10, "lost")
        self.session(40 + REATTACH // 2, "back")
        self.expect(duplicates=1)

    def test_a_silence_is_cut_short_by_a_restart(self):
        self.twice(again=70)
        self.fault(10, 60, what="black hole", role="network", pid=0)
        self.fault(25, 30, role="broker", name="", pid=7)
        self.expect(duplicates=1)

    def test_a_run_that_the_broker_missed_after_a_restart_in_a_long_silence(self):
        # Given to w first and begun last there: its lease was over before the restart.
        self.submit()
        self.acked()
        self.run_of(45)
        self.run_of(55, worker="worker-x-3", attempt=2)
        self.done(56, worker="worker-x-3", attempt=2)
        self.ended(57)
        self.final()
        self.fault(10, 44, what="stop")
        self.session(44, "lost")
        self.session(54, "back")
        self.fault(40, 53, role="broker", name="", pid=7)
        self.expect_cause("worker stop")

    def test_the_time_in_which_the_broker_itself_was_stopped_is_given_to_all(self):
        self.twice()
        self.fault(4, 49, what="black hole", role="network", pid=0)
        self.fault(10, 45, what="stop", role="broker", name="", pid=7)
        self.expect(duplicates=1)

    def test_a_stop_of_the_broker_that_came_after_the_lease(self):
        self.twice(again=45)
        self.fault(4, 80, what="black hole", role="network", pid=0)
        self.fault(40, 75, what="stop", role="broker", name="", pid=7)
        self.expect_cause("network black hole")

    def answered(self, again):
        """The first run's success is reported at 4, and yet the job runs again, at `again`."""
        self.done(4)
        self.twice(again=again)

    def test_a_kill_long_after_the_end_was_reported(self):
        self.answered(again=5100)
        self.fault(5004, 5005)
        self.expect(duplicates=1, unexpected=0, words="no lease had ended")

    def test_a_kill_just_after_the_end_was_reported(self):
        self.answered(again=5100)
        self.fault(60, 61)
        self.expect_cause("worker kill")

    def test_a_kill_long_after_a_failed_report_of_the_end(self):
        # Nobody takes a report that is made without a session, or is held up with its connection or by the broker.
        for what, held_up in (("lost", lambda: (self.session(5, "lost"), self.session(70, "back"))),
                              ("trouble", lambda: (self.session(40, "trouble"), self.session(70, "trouble"))),
                              ("black hole", lambda: self.fault(5, 70, "black hole", "network", "w", 0)),
                              ("delay", lambda: self.fault(5, 70, "delay", "network", "w", 0)),
                              ("stop", lambda: self.fault(5, 70, "stop", "broker", "", 7))):
            with self.subTest(what):
                self.files.clear()
                self.line("nemesis-n-8", 0, "settings", lease_ms=LEASE, reattach_ms=REATTACH)
                held_up()
                self.answered(again=300)
                self.fault(125, 126)
                self.expect(duplicates=1, explained=1)

    def test_a_kill_long_after_the_end_was_reported_where_nobody_knows_the_lease(self):
        self.files.clear()
        self.answered(again=5100)
        self.fault(5004, 5005)
        self.expect_cause("worker kill")

    def test_a_kill_long_after_a_run_that_was_stopped(self):
        # Its job goes on, if nobody wanted it cancelled.
        self.done(4, outcome="cancelled", result="")
        self.twice(again=5100)
        self.fault(5004, 5005)
        self.expect_cause("worker kill")

    def test_a_silence_before_the_end_was_reported(self):
        self.submit()
        self.acked()
        self.run_of(3)
        self.fault(4, 45, what="black hole", role="network", pid=0)
        self.run_of(50, worker="worker-x-3", attempt=2)
        self.done(5)
        self.done(51, worker="worker-x-3", attempt=2)
        self.final(200)
        self.expect_cause("network black hole")

    def test_a_fault_on_another_worker_explains_nothing(self):
        self.twice()
        self.fault(20, name="y", pid=77)
        self.expect(duplicates=1)

    def test_a_fault_that_was_over_explains_nothing(self):
        self.twice()
        self.fault(-60, 2, what="stop")
        self.expect(duplicates=1)

    def test_a_fault_that_came_after_explains_nothing(self):
        self.twice()
        self.fault(51)
        self.expect(duplicates=1)

    def test_a_kill_of_a_client_and_a_drain_explain_nothing(self):
        self.twice()
        self.fault(4, role="client", pid=1)
        self.fault(4, what="drain")
        self.expect(duplicates=1)

    def late(self):
        """Run and ended on one worker, and run once more on another, at 50."""
        self.submit()
        self.acked()
        self.run_of(40)
        self.done(41)
        self.ended(42)
        self.run_of(50, worker="worker-x-3")
        self.final()

    def test_a_run_that_a_stopped_worker_began_late(self):
        self.late()
        self.fault(2, 49, what="stop", name="x", pid=3)
        self.expect_cause("worker stop")

    def test_a_run_that_a_shortly_stopped_worker_began_late(self):
        self.late()
        self.fault(39, 49, what="stop", name="x", pid=3)
        self.expect(unexpected=1, words="after its end was told")

    def test_a_late_run_whose_worker_had_not_been_silent_for_a_lease_when_the_end_was_told(self):
        self.late()
        self.fault(30, 60, what="black hole", role="network", name="x", pid=0)
        self.expect(unexpected=1, words="after its end was told")

    def test_a_late_run_whose_worker_was_back_for_long(self):
        self.late()
        self.fault(-60, 2, what="stop", name="x", pid=3)
        self.expect(unexpected=1, words="after its end was told")

    def test_three_runs_are_two_duplicates(self):
        self.twice()
        self.run_of(30, worker="worker-y-4", attempt=2)
        self.fault(4)
        self.expect(duplicates=2, explained=1)


if __name__ == "__main__":
    unittest.main()
