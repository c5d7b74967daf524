"""A client and a worker in one thread, over the protocol alone, who go on with the next broker when one dies."""

import socket
import sys
import time
import uuid
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))

from rota_interop import messages as m  # noqa: E402
from rota_interop.connection import Connection  # noqa: E402
from rota_interop.ids import IdClock, make_id  # noqa: E402

from broker_process import PATIENCE, CrashFailure  # noqa: E402
from ledger import result_of  # noqa: E402

CREDIT = 8
RENEW_SECONDS = 0.8  # a third of the shortest lease of the tests
LAST_WORDS_MS = 50  # what a dead broker had sent is in this host's buffers


class BrokerDied(Exception):
    pass


class Peers:
    """`revive()` is called when the broker has died: it must return with one that serves."""

    def __init__(self, broker, ledger, revive):
        self._broker, self.ledger, self._revive_broker = broker, ledger, revive
        self._client = self._worker = None
        self._in_session = False  # the worker
        self._session, self._hellos = uuid.uuid4(), 0
        self._answers = {}  # (is the worker's, request) → message
        self.started = {}  # token → (item of DISPATCH, type)
        self.finished = {}  # token → Completion that is not acknowledged
        self._through = 0
        self._renewed = time.monotonic()

    # --- connections ------------------------------------------------------------------------------------------------------------

    def worker(self):
        """What a worker is to the broker: take_over() of other Peers goes on as the same one."""
        return self._session, dict(self.started), self._through

    def take_over(self, worker):
        self._session, started, self._through = worker
        self.started = dict(started)

    def connect(self):
        """Both sides say HELLO, as often as it takes."""
        while True:
            try:
                self._open()
                return
            except BrokerDied:
                self._revive()

    def revive(self):
        """After a death: the next broker, and HELLO to it."""
        self._revive()
        self.connect()

    def _revive(self):
        self.close()
        self.ledger.broker_died()
        self._revive_broker()
        self.ledger.history.broker_serves()

    def close(self):
        for connection in (self._client, self._worker):
            if connection is not None:
                connection.close()
        self._client = self._worker = None
        self._in_session = False

    def _open(self):
        self.close()
        self._answers.clear()
        ready = self._broker.ready
        self._client, self._worker = Connection(ready["clients"]), Connection(ready["workers"])
        request = self._client.next_request()
        self._send(self._client, m.Hello(request, m.Greeting(min=1, max=1, software="crash", host="test", pid=1)))
        body = self._answer(False, request).body
        self._clock = IdClock(body.wall)
        self._hellos += 1
        started, finished = tuple(self.started), tuple(self.finished)
        request = self._worker.next_request()
        self._send(self._worker, m.Hello(request, m.Greeting(
            min=1, max=1, software="crash", host=socket.gethostname(), pid=1, session=self._session, connection=self._hellos,
            name="w", boot="boot", start=1, slots=CREDIT, credit=CREDIT, draining=False,
            queues=(m.QueueWeight("a", 1), m.QueueWeight("b", 1)), types=("t", "u"), labels={}, started=started, held=(),
            finished=finished)))
        body = self._answer(True, request).body
        self._in_session = True
        for token, code in zip(started, body.started):
            if code != m.Code.OK:
                self.started.pop(token, None)
        for token, code in zip(finished, body.finished):
            if code != m.Code.OK:
                self.finished.pop(token, None)

    def _send(self, connection, message):
        end = time.monotonic() + PATIENCE
        while not connection.send(message, 0.02):
            if not self._broker.alive:
                raise BrokerDied
            if time.monotonic() > end:
                raise CrashFailure(f"no connection to the broker: {self._broker.log_text()}")

    def _answer(self, is_worker, request):
        end = time.monotonic() + PATIENCE
        while (is_worker, request) not in self._answers:
            self._turn()
            if time.monotonic() > end:
                raise CrashFailure(f"no answer to request {request}: {self._broker.log_text()}")
        return self._answers.pop((is_worker, request))

    def _turn(self):
        """Takes what has come, or waits a little for it. BrokerDied once everything that it sent is taken."""
        alive = self._broker.alive
        if self._in_session and time.monotonic() > self._renewed + RENEW_SECONDS:
            self._renewed = time.monotonic()
            self._worker.send(m.Renew(self._worker.next_request(), self._through, CREDIT))
        poller = zmq.Poller()
        poller.register(self._client.socket, zmq.POLLIN)
        poller.register(self._worker.socket, zmq.POLLIN)
        if not poller.poll(20 if alive else LAST_WORDS_MS):
            if not alive:
                raise BrokerDied
            return
        while (message := self._client.receive()) is not None:
            self._take(False, message)
        while (message := self._worker.receive()) is not None:
            self._take(True, message)

    def _take(self, is_worker, message):
        if isinstance(message, m.Notify):
            for notice in message.items:
                if notice.code == m.Code.OK:
                    self.ledger.notified(notice.id, notice.state.name.lower(), notice.report.result if notice.report else b"")
        elif isinstance(message, m.Dispatch):
            for item in message.items:
                token = m.Token(item.id, message.epoch, item.dispatch)
                shared = message.shared[item.shared]
                self.ledger.dispatched(item.id, (message.epoch, item.dispatch), item.attempt, item.payload, shared.queue, shared.type,
                                       shared.spec.headers)
                self.started[token] = item
                self._through = max(self._through, item.dispatch)
        elif isinstance(message, m.CancelJobs):
            for token in message.jobs:
                if token in self.started:
                    self.end_run(token, m.End.CANCELLED)
        else:
            if isinstance(message, m.Error) and message.code == m.Code.NO_SESSION:
                self.ledger.lost_sessions += 1
            self._answers[is_worker, message.request] = message  # those of RENEWs are nobody's

    def until(self, condition, what):
        """Takes messages until it is true."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                raise CrashFailure(f"never came: {what}; {self._broker.log_text()}")
            try:
                self._turn()
            except BrokerDied:
                self.revive()

    def pause(self):
        """One turn: for polling."""
        try:
            self._turn()
        except BrokerDied:
            self.revive()

    # --- the client ---------------------------------------------------------------------------------------------------------------

    def ask(self, shape, *fields):
        """One request, asked of as many brokers as it takes."""
        return self._ask(False, lambda request: shape(request, *fields))

    def _ask(self, is_worker, make):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                connection = self._worker if is_worker else self._client
                request = connection.next_request()
                self._send(connection, make(request))
                answer = self._answer(is_worker, request)
            except BrokerDied:
                self.revive()
                continue
            if not isinstance(answer, m.Error):
                return answer
            if answer.code == m.Code.NO_SESSION:
                self.connect()
            elif answer.code not in m.RETRYABLE:
                raise CrashFailure(f"refused: {answer}")
        raise CrashFailure(f"never taken: {make(0)}")

    def new_id(self, queue):
        return make_id(queue, self._clock.now())

    def submit(self, payloads, queue="a", kind="t", key="", flags=0, **options):
        """Submits jobs until each is answered; their ids."""
        ids = [self.new_id(queue) for _ in payloads]
        # Some submits share them with others, in one part of the store, and some do not.
        headers = {"trace": f"{queue} {kind} {len(payloads) % 2} ".ljust(150, "0")}
        for job, payload in zip(ids, payloads):
            self.ledger.submitted(job, payload, queue, kind, headers)
        shared = m.Shared(queue, kind, m.Options(**options), m.Spec(headers=headers))
        answer = self.ask(m.Submit, flags, (shared,), tuple(m.Item(0, job, data, None, key) for job, data in zip(ids, payloads)))
        for job, item in zip(ids, answer.items):
            if item.code not in (m.Code.OK, m.Code.DUPLICATE):
                raise CrashFailure(f"{job} was refused: {item}")
            if item.id is not None and item.id != job:
                self.ledger.refused(job)
            else:
                self.ledger.accepted(job)
        return ids

    def cancel(self, ids):
        self.ledger.cancel_asked(ids)
        for job, item in zip(ids, self.ask(m.Cancel, tuple(ids)).items):
            if item.state is not None and item.state.final:
                self.ledger.told(job, item.state.name.lower())

    def retry(self, job, attempts):
        self.ledger.retry_asked(job)
        self.ask(m.Retry, (m.RetryItem(job, attempts),))

    def admin(self, verb, **arguments):
        reply = self.ask(m.Admin, verb, arguments)
        if reply.code != m.Code.OK:
            raise CrashFailure(f"{verb}: {reply}")
        return reply.rows

    def purge(self, queue, state, ids):
        self.ledger.purge_asked(ids)
        [row] = self.admin("purge", queue=queue, state=state)
        while row["more"]:
            [row] = self.admin("purge", queue=queue, state=state, through=str(row["through"]), cursor=row["cursor"])
        self.ledger.purged(ids)

    # --- the worker ---------------------------------------------------------------------------------------------------------------

    def end_run(self, token, end):
        item = self.started.pop(token)
        succeeded = end == m.End.SUCCEEDED
        report = m.Report(result=result_of(item.payload)) if succeeded else m.Report(error_code="NO", error_message="as asked")
        self.finished[token] = m.Completion(token.id, token.epoch, token.dispatch, end, 1, report)
        self.ledger.run_ended(token.id, (token.epoch, token.dispatch), item.attempt, end.name.lower(), report.result)

    def report(self):
        """Sends what has ended until each is answered."""
        while self.finished:
            items = ()

            def make(request):
                nonlocal items
                items = tuple(self.finished.items())
                return m.Complete(request, self._through, CREDIT, tuple(completion for _, completion in items))
            answer = self._ask(True, make)
            for (token, completion), code in zip(items, answer.codes):
                self.finished.pop(token, None)
                if code == m.Code.OK:
                    self.ledger.completion_counts(token.id, completion.end == m.End.SUCCEEDED)

    def renew(self):
        progress = tuple(m.Progress(t.id, t.epoch, t.dispatch, 0.5, "half") for t in self.started)
        self._ask(True, lambda request: m.Renew(request, self._through, CREDIT, progress))

    # --- reading --------------------------------------------------------------------------------------------------------------------

    def read(self, ids):
        """{id: (state if final, result, queue, type)} of those that are known."""
        found = {}
        for job in self.ask(m.Get, True, tuple(ids)).jobs:
            if job.code is None or job.code == m.Code.OK:
                result = job.report.result if job.report is not None else b""
                found[job.id] = (job.state.name.lower() if job.state.final else "", result, job.queue, job.type)
        return found

    def list_all(self):
        listed, cursor = [], None
        while True:
            page = self.ask(m.List, m.Filter(limit=500, cursor=cursor))
            listed += [job.id for job in page.jobs]
            cursor = page.cursor
            if not cursor:
                return listed
