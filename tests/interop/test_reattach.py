"""What survives a lost connection, a lost lease and a killed broker: tokens, completions, running jobs."""

import signal
import threading
import uuid

from interop_test import InteropTest, eventually, m, main, shell
from rota_harness import process_alive


class AfterAKilledBroker(InteropTest):
    def test_every_token_of_a_hello_is_answered(self):
        """OK: keep it, GONE: unknown, STALE: superseded. Tokens of the old epoch stay good."""
        broker = self.broker()
        client = self.raw_client(broker)
        for _ in range(4):
            client.submit_one()
        session = uuid.uuid4()
        worker = self.raw_worker(broker, session=session, slots=2, credit=4)
        done, running, finished, held = [token for token, _, _ in worker.take(4)]
        worker.complete(done, credit=4)
        worker.start(finished, credit=3)
        broker.kill()
        broker = self.restart(broker)
        unknown = m.Token(client.new_id(), running.epoch, 99)
        superseded = m.Token(running.id, running.epoch, 99)
        again = self.raw_worker(broker, session=session, connection=2, slots=2, credit=4, started=(running, superseded), held=(held, unknown),
                                finished=(finished, done, unknown))
        self.assertEqual(running.epoch + 1, again.welcome.slots[0].epoch)
        self.assertEqual(((m.Code.OK, m.Code.STALE), (m.Code.OK, m.Code.GONE), (m.Code.OK, m.Code.OK, m.Code.GONE)),
                         (again.welcome.started, again.welcome.held, again.welcome.finished))
        for token in (finished, running, held):
            self.assertEqual(m.Code.OK, again.complete(token, credit=4))
        jobs = self.raw_client(broker).call(m.Get, False, (done.id, running.id, finished.id, held.id)).jobs
        self.assertEqual([(m.State.SUCCEEDED, 1, 0)] * 4, [(job.state, job.attempts, job.losses or 0) for job in jobs])

    def test_a_completion_whose_answer_was_lost_counts_once(self):
        broker = self.broker()
        client = self.raw_client(broker)
        job = client.submit_one()
        session = uuid.uuid4()
        worker = self.raw_worker(broker, session=session)
        token = worker.take_one()
        self.assertEqual(m.Code.OK, worker.complete(token, report=m.Report(b"once")))  # and suppose this answer was lost
        broker.kill()
        broker = self.restart(broker)
        again = self.raw_worker(broker, session=session, connection=2, finished=(token,))
        self.assertEqual((m.Code.OK,), again.welcome.finished)
        for _ in range(2):
            self.assertEqual(m.Code.OK, again.complete(token, report=m.Report(b"again")))
        client = self.raw_client(broker)
        self.assertEqual(0, client.call(m.Admin, "stats").rows[0]["completed"])  # nothing was committed by this broker
        [kept] = client.call(m.Get, True, (job,)).jobs
        self.assertEqual((m.State.SUCCEEDED, 1, b"once"), (kept.state, kept.attempts, kept.report.result))

    def test_a_job_that_was_never_received_runs_without_a_loss(self):
        broker = self.broker()
        client = self.raw_client(broker)
        job = client.submit_one()
        session = uuid.uuid4()
        self.raw_worker(broker, session=session).take_one()
        broker.kill()
        broker = self.restart(broker)
        [(token, item, _)] = self.raw_worker(broker, session=session, connection=2).take()
        self.assertEqual((job, 1, 2), (token.id, item.attempt, token.epoch))

    def test_the_python_worker_runs_on_and_reports(self):
        broker = self.broker("--lease", "1s", "--reattach", "10s")
        go_on, started = threading.Event(), threading.Event()
        worker = self.python_worker(broker, handlers={"t": lambda run: (started.set(), go_on.wait(20), b"survived")[2]})
        client = self.raw_client(broker)
        job = client.submit_one()
        self.assertTrue(started.wait(10))
        broker.kill()
        broker = self.broker("--lease", "1s", "--reattach", "10s", clients=broker.clients, workers=broker.workers)
        eventually(lambda: worker.connections > 1 and worker.broker.slots[0].epoch == 2, 15, "the worker came back")
        go_on.set()
        with self.client(broker) as client:
            [notice] = client.wait([job])
            self.assertEqual((m.State.SUCCEEDED, b"survived", 1, 0), (notice.state, notice.report.result, notice.attempts, notice.losses))

    def test_the_python_worker_sends_what_ended_while_the_broker_was_down(self):
        broker = self.broker("--lease", "1s", "--reattach", "10s")
        go_on, started = threading.Event(), threading.Event()
        runs = []
        worker = self.python_worker(broker, handlers={"t": lambda run: (runs.append(run), started.set(), go_on.wait(20), b"late")[3]})
        client = self.raw_client(broker)
        job = client.submit_one()
        self.assertTrue(started.wait(10))
        broker.kill()
        go_on.set()
        eventually(lambda: worker.unacknowledged == 1, 10, "the attempt has ended")
        broker = self.broker("--lease", "1s", "--reattach", "10s", clients=broker.clients, workers=broker.workers)
        with self.client(broker) as client:
            [notice] = client.wait([job])
            self.assertEqual((m.State.SUCCEEDED, b"late", 1), (notice.state, notice.report.result, notice.attempts))
        eventually(lambda: worker.unacknowledged == 0, 10, "it was acknowledged")
        self.assertEqual(1, len(runs))


class AfterALostLease(InteropTest):
    def lose(self, broker, worker, client, token):
        """Says that the job runs, then nothing, until the broker has given it up."""
        worker.start(token)
        eventually(lambda: client.state(token.id) == m.State.READY, 10, "the lease has ended")

    def test_a_job_that_nobody_else_was_given_is_taken_up_again(self):
        broker = self.broker("--lease", "500ms")
        client = self.raw_client(broker)
        job = client.submit_one()
        session = uuid.uuid4()
        worker = self.raw_worker(broker, session=session)
        token = worker.take_one()
        self.lose(broker, worker, client, token)
        self.assert_code(m.Code.NO_SESSION, worker.call(m.Renew, token.dispatch, 1))
        again = self.raw_worker(broker, session=session, connection=2, started=(token,))
        self.assertEqual((m.Code.OK,), again.welcome.started)
        self.assertEqual(m.State.RUNNING, client.state(job))
        self.assertEqual(m.Code.OK, again.complete(token))
        [kept] = client.call(m.Get, False, (job,)).jobs
        self.assertEqual((m.State.SUCCEEDED, 1, 1), (kept.state, kept.attempts, kept.losses))

    def test_what_was_given_to_another_worker_is_stale_in_every_list(self):
        broker = self.broker("--lease", "500ms")
        client = self.raw_client(broker)
        job = client.submit_one()
        session = uuid.uuid4()
        worker = self.raw_worker(broker, name="first", session=session)
        token = worker.take_one()
        self.lose(broker, worker, client, token)
        other = self.raw_worker(broker, name="other")
        [(newer, item, _)] = other.take()
        self.assertEqual((job, 2), (newer.id, item.attempt))
        for number, lists in enumerate(({"started": (token,)}, {"held": (token,)}, {"finished": (token,)})):
            again = self.raw_worker(broker, name="first", session=session, connection=2 + number, **lists)
            [answered] = [codes for codes in (again.welcome.started, again.welcome.held, again.welcome.finished) if codes]
            self.assertEqual((m.Code.STALE,), answered)
        self.assertEqual(m.Code.STALE, again.complete(token, report=m.Report(b"old")))
        self.assertEqual(m.Code.OK, other.complete(newer, report=m.Report(b"new")))
        self.assertEqual(m.Code.STALE, again.complete(token, report=m.Report(b"old")))
        self.assertEqual(b"new", client.call(m.Get, True, (job,)).jobs[0].report.result)

    def test_a_completion_of_a_cancelled_job_is_stale(self):
        broker = self.broker("--lease", "500ms")
        client = self.raw_client(broker)
        client.submit_one()
        worker = self.raw_worker(broker)
        token = worker.take_one()
        self.lose(broker, worker, client, token)
        client.call(m.Cancel, (token.id,))
        again = self.raw_worker(broker, name="other")
        self.assertEqual(m.Code.STALE, again.complete(token))

    def test_a_stopped_python_worker_ends_the_run_that_was_given_away(self):
        broker = self.broker("--lease", "1s")
        client = self.raw_client(broker)
        program = self.worker_program(broker)
        pid_file = self.directory / "pid"
        job = client.submit_one(shell(f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60"))
        pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text(), 10, "the command runs"))
        program.kill(signal.SIGSTOP)
        eventually(lambda: client.state(job) == m.State.READY, 10, "the lease has ended")
        other = self.raw_worker(broker, name="other", types=("exec",))
        token = other.take_one()
        program.kill(signal.SIGCONT)
        eventually(lambda: not process_alive(pid), 10, "the first run was stopped")
        self.assertEqual(m.Code.OK, self.complete_in_session(broker, other, token))
        self.assertEqual(0, program.stop())
        self.assertEqual(1, client.call(m.Admin, "stats").rows[0]["stale"])  # in its HELLO; it sent no completion

    def complete_in_session(self, broker, worker, token):
        """The code of a completion, on a new connection if the session has ended by now."""
        answer = worker.call(m.Complete, token.dispatch, 1, (m.Completion(token.id, token.epoch, token.dispatch, m.End.SUCCEEDED, 0),))
        if isinstance(answer, m.Completed):
            return answer.codes[0]
        return self.raw_worker(broker, name="third").complete(token)

    def test_a_job_that_asked_for_it_is_stopped_when_the_broker_falls_silent(self):
        broker = self.broker("--lease", "1s", "--reattach", "10s")
        self.python_worker(broker, commands=True, slots=2)
        client = self.raw_client(broker)
        files = [self.directory / "obeys", self.directory / "stays"]
        jobs = []
        for file, obeys in zip(files, (True, False)):
            jobs.append(client.submit_one(shell(f"echo $$ > {file}.new; mv {file}.new {file}; exec sleep 60", stop_on_disconnect=obeys)))
        pids = [int(eventually(lambda file=file: file.exists() and file.read_text(), 10, "both commands run")) for file in files]
        broker.kill()
        eventually(lambda: not process_alive(pids[0]), 10, "one is stopped")
        self.assertTrue(process_alive(pids[1]))
        for file in files:
            file.unlink()
        broker = self.broker("--lease", "1s", "--reattach", "10s", clients=broker.clients, workers=broker.workers)
        eventually(files[0].exists, 15, "the stopped one runs again")
        self.assertFalse(files[1].exists())
        self.raw_client(broker).call(m.Cancel, tuple(jobs))
        eventually(lambda: not process_alive(pids[1]), 10, "the other one is cancelled")


if __name__ == "__main__":
    main()
