"""The worker's side of the protocol against the broker: serve, renew, credit, reclaim, release, cancel, drain, connections."""

import dataclasses
import threading
import uuid

from interop_test import InteropTest, Task, eventually, m, main, shell, typed
from rota_harness import QUICK_LEASE
from rota_interop.runner import Rejected


class Serving(InteropTest):
    def outcome(self, client, shared, payload=b"", **more):
        """Submits one job and waits for its end."""
        [answer] = client.submit([Task(shared, payload, **more)], notify=True)
        return client.wait([answer.id])[0]

    def test_typed_jobs_end_as_their_handlers_do(self):
        def reject(run):
            raise Rejected("BAD_PAYLOAD", "no number: " + run.payload.decode())

        def fail(run):
            raise ValueError(f"attempt {run.attempt}")

        broker = self.broker()
        self.python_worker(broker, handlers={"upper": lambda run: run.payload.upper(), "reject": reject, "fail": fail})
        with self.client(broker) as client:
            good = self.outcome(client, typed("upper"), b"abc")
            self.assertEqual((m.State.SUCCEEDED, b"ABC", "py"), (good.state, good.report.result, good.report.worker))
            bad = self.outcome(client, typed("reject", retries=5), b"x")
            self.assertEqual((m.State.FAILED, 1, "BAD_PAYLOAD", "no number: x"),
                             (bad.state, bad.attempts, bad.report.error_code, bad.report.error_message))
            worse = self.outcome(client, typed("fail", retries=2, backoff=1))
            self.assertEqual((m.State.FAILED, 3, 0, "ValueError", "attempt 3"),
                             (worse.state, worse.attempts, worse.losses, worse.report.error_code, worse.report.error_message))

    def test_commands_see_their_line_environment_directory_and_input(self):
        broker = self.broker()
        self.python_worker(broker, commands=True)
        with self.client(broker) as client:
            spec = m.Spec(m.Command((b"sh", b"-c", b'cat; echo "$0 $1 $WHO $ROTA_JOB_LINE $ROTA_JOB_ATTEMPT $PWD"; echo oh >&2', b"<{}>"),
                                    {b"WHO": b"me"}, b"/usr"))
            good = self.outcome(client, m.Shared("default", "exec", spec=spec), b"input\n", selector=b"a line")
            self.assertEqual(b"input\n<a line>  me a line 1 /usr\n", good.report.result)
            self.assertEqual((0, b"oh\n"), (good.report.exit_code, good.report.stderr_tail))
            appended = m.Spec(m.Command((b"echo", b"-n")))
            self.assertEqual(b"tail", self.outcome(client, m.Shared("default", "exec", spec=appended), selector=b"tail").report.result)

    def test_commands_report_exit_codes_signals_and_what_cannot_start(self):
        broker = self.broker()
        self.python_worker(broker, commands=True)
        with self.client(broker) as client:
            report = self.outcome(client, shell("exit 3")).report
            self.assertEqual((3, None, "EXIT"), (report.exit_code, report.signal, report.error_code))
            report = self.outcome(client, shell("kill -TERM $$")).report
            self.assertEqual((143, 15, "EXIT"), (report.exit_code, report.signal, report.error_code))
            missing = m.Shared("default", "exec", spec=m.Spec(m.Command((b"/no/such/program",))))
            self.assertEqual("EXEC_FAILED", self.outcome(client, missing).report.error_code)

    def test_a_time_limit_ends_the_attempt(self):
        broker = self.broker()
        self.python_worker(broker, commands=True)
        with self.client(broker) as client:
            late = self.outcome(client, shell("sleep 60", time_limit=100))
            self.assertEqual((m.State.FAILED, "TIMED_OUT", 9), (late.state, late.report.error_code, late.report.signal))

    def test_a_running_command_is_cancelled(self):
        broker = self.broker()
        self.python_worker(broker, commands=True)
        with self.client(broker) as client:
            [answer] = client.submit([Task(shell("sleep 60"))], notify=True)
            eventually(lambda: client.get([answer.id])[0].state == m.State.RUNNING, 10, "the job runs")
            self.assertEqual(m.Code.OK, client.cancel([answer.id])[0].code)
            self.assertEqual(m.State.CANCELLED, client.wait([answer.id])[0].state)

    def test_progress_is_told_with_a_renewal(self):
        broker = self.broker(*QUICK_LEASE)
        go_on = threading.Event()

        def handler(run):
            run.progress(0.5, "half")
            go_on.wait(10)

        self.python_worker(broker, handlers={"t": handler})
        with self.client(broker) as client:
            [answer] = client.submit([Task(typed("t"))])
            job = eventually(lambda: [job for job in client.get([answer.id]) if job.progress], 10, "progress is told")[0]
            go_on.set()
            self.assertEqual((0.5, "half", m.State.RUNNING), (job.progress, job.progress_message, job.state))
            self.assertEqual(m.State.SUCCEEDED, client.wait([answer.id])[0].state)

    def test_a_drained_worker_finishes_what_runs_and_leaves_the_rest(self):
        broker = self.broker()
        started, go_on = threading.Event(), threading.Event()
        worker = self.python_worker(broker, handlers={"t": lambda run: (started.set(), go_on.wait(10), b"done")[2]}, prefetch=5)
        with self.client(broker) as client:
            ids = [answer.id for answer in client.submit([Task(typed("t")) for _ in range(4)])]
            self.assertTrue(started.wait(10))
            client.admin("drain", worker="py")
            eventually(lambda: [job.state for job in client.get(ids)] == [m.State.RUNNING] + [m.State.READY] * 3, 10, "3 are given back")
            go_on.set()
            worker.thread.join(10)
            self.assertFalse(worker.thread.is_alive())
            self.assertEqual(b"done", client.wait(ids[:1])[0].report.result)
            self.assertEqual((), client.admin("workers"))
            self.assertEqual([0] * 3, [job.losses or 0 for job in client.get(ids[1:])])


class Credit(InteropTest):
    def test_jobs_are_dispatched_up_to_the_credit_and_in_order(self):
        broker = self.broker()
        client = self.raw_client(broker)
        jobs = [client.submit_one() for _ in range(6)]
        worker = self.raw_worker(broker, slots=1, credit=3)
        taken = [token for token, _, _ in worker.take(3)]
        self.assertEqual(jobs[:3], [token.id for token in taken])
        self.assertEqual(sorted(token.dispatch for token in taken), [token.dispatch for token in taken])
        # A round trip behind the dispatches would show a fourth.
        self.assertIsInstance(worker.call(m.Renew, 0, 3), m.Renewed)
        self.assertIsNone(worker.receive(0))
        # Each completion makes room for one more, a higher credit for as many as it adds, a credit of 0 for none.
        worker.complete(taken[0], credit=3)
        self.assertEqual(jobs[3], worker.take_one().id)
        worker.call(m.Renew, taken[0].dispatch, 4)
        self.assertEqual(jobs[4], worker.take_one().id)
        worker.complete(taken[1], credit=0)
        self.assertIsInstance(worker.call(m.Ping), m.Pong)
        self.assertIsNone(worker.receive(0))
        self.assertEqual(m.State.READY, client.state(jobs[5]))

    def test_only_served_types_and_queues_are_dispatched(self):
        broker = self.broker()
        client = self.raw_client(broker)
        client.submit_one(typed("other"))
        client.submit_one(typed("t", queue="elsewhere"))
        served = client.submit_one(typed("t"))
        worker = self.raw_worker(broker, credit=3)
        self.assertEqual(served, worker.take_one().id)
        self.assertIsInstance(worker.call(m.Ping), m.Pong)
        self.assertIsNone(worker.receive(0))

    def test_held_jobs_are_reclaimed_for_a_worker_with_a_free_slot(self):
        broker = self.broker()
        client = self.raw_client(broker)
        for _ in range(8):
            client.submit_one()
        laden = self.raw_worker(broker, name="laden", slots=1, credit=8)
        tokens = [token for token, _, _ in laden.take(8)]
        laden.start(tokens[0], credit=8)
        idle = self.raw_worker(broker, name="idle", slots=1)
        reclaim = laden.expect(m.Reclaim)
        self.assertLess(0, len(reclaim.jobs))
        self.assertLessEqual(set(reclaim.jobs), set(tokens[1:]))
        laden.tell(m.Released, 8, reclaim.jobs)
        [(token, item, _)] = idle.take()
        self.assertIn(token.id, {one.id for one in reclaim.jobs})
        self.assertNotIn(token, reclaim.jobs)
        self.assertEqual(1, item.attempt)
        # A token that was released is superseded.
        released = next(one for one in reclaim.jobs if one.id == token.id)
        self.assertEqual(m.Code.STALE, laden.complete(released, started_through=tokens[0].dispatch))

    def test_the_python_worker_gives_back_what_it_has_not_started(self):
        broker = self.broker()
        go_on = threading.Event()
        self.addCleanup(go_on.set)
        self.python_worker(broker, name="laden", handlers={"t": lambda run: go_on.wait(10) and b""}, prefetch=7)
        with self.client(broker) as client:
            ids = [answer.id for answer in client.submit([Task(typed("t")) for _ in range(8)], notify=True)]
            eventually(lambda: client.admin("workers")[0]["held"] == 7, 10, "all are dispatched")
            self.python_worker(broker, name="idle", handlers={"t": lambda run: b""})
            done = eventually(lambda: [job for job in client.get(ids) if job.state == m.State.SUCCEEDED], 10, "the idle one helps")
            self.assertEqual({("idle", 1)}, {(job.report.worker, job.attempts) for job in done})
            go_on.set()
            self.assertEqual({0}, {notice.losses for notice in client.wait(ids)})

    def test_a_pause_reclaims_and_a_cancel_reaches_what_is_held(self):
        broker = self.broker()
        client = self.raw_client(broker)
        first, second = client.submit_one(), client.submit_one()
        worker = self.raw_worker(broker, credit=2)
        tokens = [token for token, _, _ in worker.take(2)]
        client.call(m.Admin, "pause", {"queue": "default"})
        self.assertEqual(set(tokens), set(worker.expect(m.Reclaim).jobs))
        worker.tell(m.Released, 2, (tokens[1],))  # the first is as good as started
        client.call(m.Cancel, (first,))
        self.assertEqual((tokens[0],), worker.expect(m.CancelJobs).jobs)
        self.assertEqual(m.Code.OK, worker.complete(tokens[0], m.End.CANCELLED, credit=2))
        self.assertEqual([m.State.CANCELLED, m.State.READY], [client.state(first), client.state(second)])

    def test_a_job_whose_time_to_start_is_over_is_reported_expired(self):
        broker = self.broker()
        client = self.raw_client(broker)
        busy, brief = client.submit_one(), client.submit_one(typed("t", expires=300))
        worker = self.raw_worker(broker, credit=2)
        (running, _, _), (held, item, _) = worker.take(2)
        self.assertEqual((busy, brief), (running.id, held.id))
        self.assertTrue(0 < item.expires_in <= 300, item)
        worker.start(running, credit=2)
        self.assertIsNone(worker.receive(0.35))  # what the job waits for is time itself
        self.assertEqual(m.Code.OK, worker.complete(held, m.End.EXPIRED, started_through=running.dispatch))
        self.assertEqual(m.State.EXPIRED, client.state(brief))

    def test_the_python_worker_reports_expired_jobs_itself(self):
        broker = self.broker()
        go_on = threading.Event()
        self.python_worker(broker, handlers={"t": lambda run: go_on.wait(10) and b""}, prefetch=1)
        with self.client(broker) as client:
            [_, brief] = client.submit([Task(typed("t")), Task(typed("t", expires=200))], notify=True)
            eventually(lambda: client.admin("workers")[0]["held"] == 1, 10, "the second job is prefetched")
            eventually(lambda: client.id_time() - (brief.id.int >> 80) > 250, 10, "its time to start is over")
            go_on.set()
            self.assertEqual(m.State.EXPIRED, client.wait([brief.id])[0].state)


class Connections(InteropTest):
    def test_a_hello_with_a_connection_number_not_raised_is_dropped(self):
        broker = self.broker()
        first = self.greeting(connection=5)
        worker = self.raw_worker(broker, first)
        request = worker.say(m.Hello, first)
        self.assertIsInstance(worker.call(m.Ping), m.Pong)  # behind it, so nothing answered the HELLO
        self.assertIsNone(worker.receive(0))
        self.assertLess(0, request)
        self.assertIsInstance(worker.call(m.Hello, dataclasses.replace(first, connection=6)), m.Welcome)

    def test_messages_count_for_the_latest_connection_only(self):
        broker = self.broker()
        client = self.raw_client(broker)
        client.submit_one()
        session = uuid.uuid4()
        old = self.raw_worker(broker, session=session, connection=1)
        token = old.take_one()
        new = self.raw_worker(broker, session=session, connection=2, held=(token,))
        self.assertEqual((m.Code.OK,), new.welcome.held)
        item = m.Completion(token.id, token.epoch, token.dispatch, m.End.SUCCEEDED, 0)
        self.assert_code(m.Code.NO_SESSION, old.call(m.Complete, token.dispatch, 1, (item,)))
        self.assertEqual(m.State.RUNNING, client.state(token.id))
        self.assertEqual(m.Code.OK, new.complete(token))

    def test_a_job_that_the_next_hello_does_not_list_goes_back_without_a_loss(self):
        broker = self.broker()
        client = self.raw_client(broker)
        job = client.submit_one()
        session = uuid.uuid4()
        first = self.raw_worker(broker, session=session, connection=1)
        lost = first.take_one()
        second = self.raw_worker(broker, session=session, connection=2)
        [(token, item, _)] = second.take()
        self.assertEqual((job, 1), (token.id, item.attempt))
        self.assertLess(lost.dispatch, token.dispatch)
        self.assertEqual(m.Code.STALE, second.complete(lost))
        second.complete(token)
        [notice] = self.notices(client, job)
        self.assertEqual((m.State.SUCCEEDED, 1, 0), (notice.state, notice.attempts, notice.losses))

    def test_a_goodbye_gives_everything_back_and_charges_what_was_started(self):
        broker = self.broker()
        client = self.raw_client(broker)
        jobs = [client.submit_one(), client.submit_one()]
        leaver = self.raw_worker(broker, name="leaver", credit=2)
        tokens = [token for token, _, _ in leaver.take(2)]
        leaver.start(tokens[0], credit=2)
        leaver.tell(m.Goodbye, m.Code.OK, "leaving")
        eventually(lambda: [client.state(job) for job in jobs] == [m.State.READY] * 2, 10, "both are ready")
        losses = [job.losses or 0 for job in client.call(m.Get, False, tuple(jobs)).jobs]
        self.assertEqual([1, 0], losses)

    def test_a_lost_worker_costs_started_jobs_a_loss(self):
        broker = self.broker("--lease", "500ms")
        client = self.raw_client(broker)
        jobs = [client.submit_one(), client.submit_one()]
        gone = self.raw_worker(broker, name="gone", credit=2)
        tokens = [token for token, _, _ in gone.take(2)]
        gone.start(tokens[0], credit=2)
        eventually(lambda: [client.state(job) for job in jobs] == [m.State.READY] * 2, 10, "the lease has ended")
        other = self.raw_worker(broker, name="other", credit=2)
        attempts = {}
        while len(attempts) < 2:
            dispatch = other.expect(m.Dispatch)
            for item in dispatch.items:
                attempts[item.id] = item.attempt
                token = m.Token(item.id, dispatch.epoch, item.dispatch)
                other.complete(token, credit=2)
        self.assertEqual(2, attempts[jobs[0]])  # it was started
        # The second stood within the first `slots` behind it, so it may have been started as well.
        self.assertEqual(2, attempts[jobs[1]])

    def notices(self, client, *jobs):
        request = client.say(m.Wait, True, jobs)
        return client.answer_to(request).items


if __name__ == "__main__":
    main()
