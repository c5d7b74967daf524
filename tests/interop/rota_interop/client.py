#!/usr/bin/python3
"""A client of Rota. It blocks, it has no thread, and it keeps docs/protocol.md, "How a client behaves".

    with Client("tcp://127.0.0.1:5555") as rota:
        [accepted] = rota.submit([Task(Shared("default", "greet"), payload=b"you")])
        [notice] = rota.wait([accepted.id])
        print(notice.state.name, notice.report.result)

From a shell:  python3 -m rota_interop.client ENDPOINT COMMAND [ARGUMENT…]  runs one command as a job and prints its result.
"""

import dataclasses
import os
import random
import socket
import sys
import time

from . import messages as m
from .connection import Connection
from .ids import IdClock, make_id

SOFTWARE = "rota-interop-client 1"


class RequestRefused(Exception):
    """The broker answered ERROR, and asking again would not help."""

    def __init__(self, error):
        super().__init__(f"{getattr(error.code, 'name', error.code)}: {error.message}")
        self.code = error.code
        self.retry_after = error.retry_after


class TimedOut(Exception):
    """The caller's own deadline is over."""


@dataclasses.dataclass(frozen=True)
class Task:
    """A job to submit. Tasks that share queue, type, options and spec cost those only once in a message."""
    shared: m.Shared
    payload: bytes = b""
    selector: object = None  # None, an index (int) or a line (bytes)
    key: str = ""
    id: object = None  # made by submit() unless given


@dataclasses.dataclass
class Backoff:
    """The waits between attempts: what the broker says or 100 ms, doubling up to 5 s, ±20 % at random."""
    next_ms: float = 100

    def wait_seconds(self, retry_after_ms=0):
        wait = max(self.next_ms, retry_after_ms)
        self.next_ms = min(2 * wait, 5000)
        return wait * random.uniform(0.8, 1.2) / 1000


class Client:
    """One broker. Every call takes `seconds`, after which it raises TimedOut; until then it survives whatever the broker does."""

    def __init__(self, endpoint, ping_every=5.0, silence=15.0, seconds=30.0):
        self._endpoint = endpoint
        self._ping_every, self._silence = ping_every, silence
        self._connection = None
        self._answers = {}  # request → its answer
        self._notices = {}  # id → Notice that nobody asked for yet
        self._expected = set()  # ids whose NOTIFY will come on this connection
        self._backoff = Backoff()
        self.connections = 0
        self.broker = None  # what the last WELCOME said
        self._clock = None
        self._connect(time.monotonic() + seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._connection is not None:
            self._connection.send(m.Goodbye(0, m.Code.OK, "done"))
            self._connection.close(linger_ms=1000)
            self._connection = None

    # --- what callers want ----------------------------------------------------------------------------------------------------

    def id_time(self):
        """The broker's clock for ids, in Unix milliseconds."""
        return self._clock.now()

    def new_id(self, queue="default"):
        return make_id(queue, self.id_time())

    def submit(self, tasks, notify=False, seconds=30.0):
        """Submits tasks; an Answer for each, with its id filled in. With notify a later wait() costs no message."""
        tasks = [task if task.id else dataclasses.replace(task, id=self.new_id(task.shared.queue)) for task in tasks]
        end, answers = time.monotonic() + seconds, {}
        backoff = Backoff()
        while len(answers) < len(tasks):
            retry_after = 0
            for numbers in self._slices([n for n in range(len(tasks)) if n not in answers], tasks):
                said = self._submit_slice([tasks[n] for n in numbers], notify, end)
                retry_after = max(retry_after, said.retry_after)
                for number, answer in zip(numbers, said.items):
                    if answer.code in m.RETRYABLE and time.monotonic() < end:
                        continue  # the same id again, later
                    answers[number] = answer if answer.id else dataclasses.replace(answer, id=tasks[number].id)
                    if notify and answer.code in (m.Code.OK, m.Code.DUPLICATE) and answers[number].id not in self._notices:
                        self._expected.add(answers[number].id)
            if len(answers) < len(tasks):
                time.sleep(min(backoff.wait_seconds(retry_after), max(0.0, end - time.monotonic())))
        return [answers[number] for number in range(len(tasks))]

    def wait(self, ids, with_result=True, seconds=30.0):
        """A Notice for each job once all are final; code NOT_FOUND for those that the broker does not know."""
        ids, end, backoff = list(ids), time.monotonic() + seconds, Backoff()
        while missing := [one for one in ids if one not in self._notices]:
            asked = [one for one in missing if one not in self._expected]
            for start in range(0, len(asked), self.broker.max_batch):
                part = asked[start:start + self.broker.max_batch]
                self._send(m.Wait(0, with_result, tuple(part)), end)
                self._expected.update(part)
            connection = self.connections
            while any(one not in self._notices for one in missing) and self.connections == connection:
                self._turn(end)
                if refused := self._refused_wait():
                    self._sleep_or_raise(refused, backoff, end)
                    self._expected.difference_update(missing)
                    break
        found = {one: self._notices.pop(one) for one in set(ids)}
        return [found[one] for one in ids]

    def get(self, ids, with_result=False, seconds=30.0):
        return self._call(m.Get, seconds, with_result, tuple(ids)).jobs

    def list(self, limit=100, seconds=30.0, **filters):
        """Up to `limit` jobs, newest first, that pass the filters (fields of messages.Filter). A page may hold fewer jobs than
        were asked for, even none, and yet not be the last: only a missing cursor says that there are no more."""
        jobs, cursor = [], None
        while len(jobs) < limit:
            page = self.list_page(min(limit - len(jobs), m.LIMITS["jobs in LISTED"]), cursor, seconds, **filters)
            jobs += page.jobs
            cursor = page.cursor
            if not cursor:
                break
        return jobs

    def list_page(self, limit=100, cursor=None, seconds=30.0, **filters):
        """One page: its jobs, and the cursor with which the next one begins."""
        return self._call(m.List, seconds, m.Filter(limit=limit, cursor=cursor, **filters))

    def cancel(self, ids, seconds=30.0):
        return self._call(m.Cancel, seconds, tuple(ids)).items

    def retry(self, jobs, seconds=30.0):
        """Jobs as get() returned them: how often each had run then goes along, so that a repeated RETRY does no harm."""
        return self._call(m.Retry, seconds, tuple(m.RetryItem(job.id, job.attempts) for job in jobs)).items

    def admin(self, verb, seconds=30.0, **arguments):
        """The rows of an administrative verb. Not repeated on a new connection: not every verb is harmless twice."""
        rows = []
        while True:
            reply = self._call(m.Admin, seconds, verb, arguments, repeat=False)
            if reply.code != m.Code.OK:
                raise RequestRefused(m.Error(reply.request, reply.code, reply.message))
            rows += reply.rows
            if not reply.cursor:
                return tuple(rows)
            arguments = {**arguments, "cursor": reply.cursor}

    # --- requests ---------------------------------------------------------------------------------------------------------------

    def _slices(self, numbers, tasks):
        """Cuts a list of tasks so that each message stays within what WELCOME allows."""
        slices, part, size, shared = [], [], 0, set()
        for number in numbers:
            task = tasks[number]
            packed = m.pack(task.shared.write())
            cost = len(task.payload) + len(m.pack(task.selector)) + len(task.key.encode()) + 64
            cost += 0 if packed in shared else len(packed)
            full = len(part) == self.broker.max_batch or len(shared) == m.LIMITS["shared parts in one message"] or \
                size + cost > self.broker.max_message - 1024
            if part and full:
                slices.append(part)
                part, size, shared = [], 0, set()
            part.append(number)
            size += cost
            shared.add(packed)
        return slices + [part] if part else slices

    def _submit_slice(self, tasks, notify, end):
        shared, items = [], []
        for task in tasks:
            if task.shared not in shared:
                shared.append(task.shared)
            items.append(m.Item(shared.index(task.shared), task.id, task.payload, task.selector, task.key))
        return self._call(m.Submit, end - time.monotonic(), m.NOTIFY_FLAG if notify else 0, tuple(shared), tuple(items))

    def _call(self, shape, seconds, *fields, repeat=True):
        """One request: asked on as many connections as it takes, answered once."""
        end, backoff = time.monotonic() + seconds, Backoff()
        while True:
            request = self._send(shape(0, *fields), end)
            connection = self.connections
            while request not in self._answers and self.connections == connection:
                self._turn(end)
            answer = self._answers.pop(request, None) if self.connections == connection else None
            if answer is None:  # lost with its connection
                if not repeat:
                    raise TimedOut(f"contact was lost before {shape.__name__} was answered; it is not repeated by itself")
                continue
            if not isinstance(answer, m.Error):
                return answer
            self._sleep_or_raise(answer, backoff, end)

    def _sleep_or_raise(self, error, backoff, end):
        wait = backoff.wait_seconds(error.retry_after)
        if error.code not in m.RETRYABLE or time.monotonic() + wait > end:
            raise RequestRefused(error)
        time.sleep(wait)

    def _send(self, message, end):
        """Sends a request under a fresh number, which it returns."""
        while True:
            request = self._connection.next_request()
            if self._connection.send(dataclasses.replace(message, request=request), min(0.5, max(0.0, end - time.monotonic()))):
                return request
            self._reconnect(end)

    def _turn(self, end):
        """Takes one message or waits for one, and keeps the connection alive."""
        now = time.monotonic()
        if now >= end:
            raise TimedOut("the deadline is over")
        due = min(end, self._pinged + self._ping_every, self._heard + self._silence)
        message = self._connection.receive(max(0.0, due - now))
        now = time.monotonic()
        if message is not None:
            self._heard = now
            self._take(message, end)
        elif now >= self._heard + self._silence:
            self._reconnect(end)
        elif now >= self._pinged + self._ping_every:
            self._connection.send(m.Ping(self._connection.next_request()))
            self._pinged = now

    def _take(self, message, end):
        if isinstance(message, m.Notify):
            for notice in message.items:
                self._notices[notice.id] = notice
                self._expected.discard(notice.id)
        elif isinstance(message, m.Goodbye) or isinstance(message, m.Error) and message.code == m.Code.NO_SESSION:
            self._reconnect(end)
        elif isinstance(message, (m.Pong, m.Unknown)):
            pass
        else:
            self._answers[message.request] = message

    def _refused_wait(self):
        """An ERROR to one of the open WAITs, which are all that is open while wait() runs."""
        errors = [request for request, answer in self._answers.items() if isinstance(answer, m.Error)]
        return self._answers.pop(errors[0]) if errors else None

    # --- connections ------------------------------------------------------------------------------------------------------------

    def _reconnect(self, end):
        wait = self._backoff.wait_seconds()
        time.sleep(min(wait, max(0.0, end - time.monotonic())))
        self._connect(end)

    def _connect(self, end):
        """Opens new sockets until one is welcomed."""
        while True:
            if self._connection is not None:
                self._connection.close()
            if time.monotonic() >= end:
                raise TimedOut(f"no broker answered at {self._endpoint}")
            self._connection = Connection(self._endpoint)
            self.connections += 1
            self._answers.clear()
            self._expected.clear()
            answer = self._say_hello(min(self._silence, end - time.monotonic()))
            if isinstance(answer, m.Welcome):
                break
            if isinstance(answer, m.Error) and answer.code not in m.RETRYABLE:
                raise RequestRefused(answer)
            time.sleep(min(self._backoff.wait_seconds(), max(0.0, end - time.monotonic())))
        self._backoff = Backoff()
        self._heard = self._pinged = time.monotonic()
        self.broker = answer.body
        self._clock = IdClock(answer.body.wall)

    def _say_hello(self, seconds):
        """WELCOME, ERROR, or None for silence."""
        request, end = self._connection.next_request(), time.monotonic() + seconds
        greeting = m.Greeting(min=m.PROTOCOL_VERSION, max=m.PROTOCOL_VERSION, software=SOFTWARE, host=socket.gethostname(),
                              pid=os.getpid())
        if not self._connection.send(m.Hello(request, greeting), seconds):
            return None
        while (message := self._connection.receive(max(0.0, end - time.monotonic()))) is not None:
            if message.request == request and isinstance(message, (m.Welcome, m.Error)):
                return message
        return None


def main(arguments):
    if len(arguments) < 2:
        print("usage: python3 -m rota_interop.client ENDPOINT COMMAND [ARGUMENT…]", file=sys.stderr)
        return 64
    command = m.Command(tuple(os.fsencode(argument) for argument in arguments[1:]))
    with Client(arguments[0]) as rota:
        [answer] = rota.submit([Task(m.Shared("default", "exec", spec=m.Spec(command)))], notify=True)
        if answer.code not in (m.Code.OK, m.Code.DUPLICATE):
            print(f"{answer.code.name}: {answer.message}", file=sys.stderr)
            return 75
        [notice] = rota.wait([answer.id], seconds=float("inf"))
        report = notice.report or m.Report()
        sys.stdout.buffer.write(report.result)
        sys.stderr.buffer.write(report.stderr_tail)
        return 0 if notice.state == m.State.SUCCEEDED else report.exit_code or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
