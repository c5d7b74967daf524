#!/usr/bin/python3
"""A worker of Rota. It keeps docs/protocol.md, "How a worker behaves".

    worker = Worker("tcp://127.0.0.1:5556", "py-1", handlers={"greet": lambda run: b"hello " + run.payload})
    worker.run()  # until drain(), SIGTERM's job, or DRAIN from the broker

From a shell:  python3 -m rota_interop.worker ENDPOINT NAME [SLOTS]  serves commands (type exec), and a type `greet`.

One thread, that of run(), owns the socket and everything in this file. Attempts run in threads of their own and say through
an eventfd that they have ended.
"""

import collections
import os
import queue
import random
import signal
import socket
import sys
import threading
import time
import uuid

import zmq

from . import messages as m
from .connection import Connection
from .runner import Run, error_report, run_command, run_handler

SOFTWARE = "rota-interop-worker 1"
EXEC = "exec"
FIRST_LEASE_SECONDS = 15.0  # until a WELCOME tells it
HELLO_PATIENCE_SECONDS = 5.0


class Refused(Exception):
    """The broker will not have this worker: another version, or its name is held by another live session."""

    def __init__(self, error):
        super().__init__(f"{getattr(error.code, 'name', error.code)}: {error.message}")
        self.code = error.code


class Held:
    """A job that was dispatched to this worker and is not started."""

    def __init__(self, epoch, item, shared, arrived):
        self.token = m.Token(item.id, epoch, item.dispatch)
        self.item, self.shared = item, shared
        self.start_before = arrived + item.expires_in / 1000 if item.expires_in is not None else None


class Started:
    def __init__(self, run, now, time_limit, stop_on_disconnect):
        self.run, self.at = run, now
        self.ends_at = now + time_limit / 1000 if time_limit else None
        self.stop_on_disconnect = stop_on_disconnect
        self.forgotten = False  # its token was superseded: nothing is said about it any more


class Worker:
    def __init__(self, endpoint, name, handlers=None, commands=False, slots=1, prefetch=0, queues=(("default", 1),), labels=None):
        self._endpoint, self._name, self._slots, self._prefetch = endpoint, name, slots, prefetch
        self._handlers = dict(handlers or {})
        self._types = tuple(self._handlers) + ((EXEC,) if commands else ())
        self._queues = tuple(m.QueueWeight(*one) for one in queues)
        self._labels = labels
        self._session = uuid.uuid4()
        self._held = collections.OrderedDict()  # token → Held, in the order of dispatch
        self._started = {}  # token → Started
        self._finished = {}  # token → (Completion without started_ago, when it started): not acknowledged yet
        self._asked = {}  # request → tokens of a COMPLETE, or when a RENEW was sent
        self._started_through = 0
        self._draining = False
        self._ended = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._drain_asked = threading.Event()
        self._connection = None
        self.connections = 0
        self.broker = None  # the last WELCOME's map
        self.registered = threading.Event()

    def __del__(self):
        os.close(self._wake)

    # --- for other threads and signal handlers ----------------------------------------------------------------------------------

    def drain(self):
        """Finish what runs, give back the rest, leave."""
        self._drain_asked.set()
        os.eventfd_write(self._wake, 1)

    @property
    def unacknowledged(self):
        """How many attempts have ended whose completion the broker has not answered."""
        return len(self._finished)

    # --- the loop -----------------------------------------------------------------------------------------------------------------

    def run(self):
        """Serves until drained. Raises Refused."""
        self._lease = FIRST_LEASE_SECONDS
        self._leased_from, self._gave_up = time.monotonic(), False
        self._pause = 0.1
        self._open_socket()
        try:
            while not (self._draining and not self._started and not self._finished):
                self._wait()
                while message := self._connection.receive():
                    self._heard = time.monotonic()
                    self._take(message)
                self._collect()
                self._watch_time(time.monotonic())
                if self._in_session:
                    if not self._gave_up:
                        self._start_jobs()
                    self._complete()
            if self._in_session:
                self._connection.send(m.Goodbye(0, m.Code.OK, "drained"))
        finally:
            self._connection.close(linger_ms=1000)

    def _wait(self):
        """Until a message, the end of an attempt, or the next moment at which something is due."""
        now = time.monotonic()
        due = [self._silence_at(), self._renew_at]
        due += [] if self._gave_up else [self._leased_from + 0.8 * self._lease]
        due += [self._complete_at] if self._complete_at > now else []
        due += [one.ends_at for one in self._started.values() if one.ends_at and one.run.why is None]
        poller = zmq.Poller()
        poller.register(self._connection.socket, zmq.POLLIN | (zmq.POLLOUT if self._hello_request is None else 0))
        poller.register(self._wake, zmq.POLLIN)
        poller.poll(max(0, int((min(due) - now) * 1000) + 1))
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass

    def _watch_time(self, now):
        if self._drain_asked.is_set() and not self._draining:
            self._begin_drain()
        if self._hello_request is None:
            self._say_hello(now)
        if self._in_session and now >= self._renew_at:
            self._renew(now)
        for one in self._started.values():
            if one.ends_at is not None and now >= one.ends_at:
                one.run.stop(m.End.TIMED_OUT)
        silent = False
        if now >= self._leased_from + 0.8 * self._lease and not self._gave_up:
            self._give_up_lease()
            silent = self._in_session
        if silent or now >= self._silence_at():
            self._open_socket()

    def _silence_at(self):
        """When the broker has been silent for so long that this connection is not worth waiting for."""
        if not self._in_session:
            return self._opened + HELLO_PATIENCE_SECONDS
        sent = [asked[0] for asked in self._asked.values() if isinstance(asked, tuple)]
        return min([self._heard + self._lease * 2 / 3, *(at + self._lease for at in sent)])

    # --- connections and sessions ------------------------------------------------------------------------------------------------

    def _open_socket(self):
        """A new socket, and all that is known goes into its HELLO. A moment's pause keeps refusals from turning into a storm."""
        if self._connection is not None:
            self._connection.close()
            time.sleep(self._pause * random.uniform(0.8, 1.2))
            self._pause = min(2 * self._pause, 1.0)
        self._connection = Connection(self._endpoint)
        self.connections += 1
        self._in_session, self._hello_request = False, None
        self._asked.clear()
        self._opened = self._heard = time.monotonic()
        self._renew_at = float("inf")
        self._complete_at = 0.0

    def _say_hello(self, now):
        request = self._connection.next_request()
        self._listed = (tuple(self._started), tuple(self._held), tuple(self._finished))
        started, held, finished = self._listed
        greeting = m.Greeting(
            min=m.PROTOCOL_VERSION, max=m.PROTOCOL_VERSION, software=SOFTWARE, host=socket.gethostname(), pid=os.getpid(),
            session=self._session, connection=self.connections, name=self._name, boot=_boot_id(), start=_start_ticks(),
            slots=self._slots, credit=self._credit(), draining=self._draining, queues=self._queues, types=self._types,
            labels=self._labels, started=started, held=held, finished=finished)
        if self._connection.send(m.Hello(request, greeting)):
            self._hello_request, self._hello_sent = request, now

    def _welcomed(self, body):
        """Each token of the HELLO is answered: what is not OK is forgotten."""
        started, held, finished = self._listed
        for token, code in zip(started, body.started or ()):
            if code == m.Code.OK:
                continue
            if token in self._started:
                self._started[token].forgotten = True
                self._started[token].run.stop(m.End.CANCELLED)
            self._finished.pop(token, None)  # it ended while the HELLO was under way
        for token, code in zip(held, body.held or ()):
            if code != m.Code.OK:
                self._held.pop(token, None)
        for token, code in zip(finished, body.finished or ()):
            if code != m.Code.OK:
                self._finished.pop(token, None)
        self.broker, self._lease = body, body.lease / 1000
        self._in_session, self._gave_up, self._pause = True, False, 0.1
        self._in_touch(self._hello_sent)
        self.registered.set()

    def _in_touch(self, asked_at):
        """The broker answered something that was sent then: the lease counts from that moment."""
        self._leased_from = max(self._leased_from, asked_at)
        self._renew_at = asked_at + self._lease / 3

    def _renew(self, now):
        request = self._connection.next_request()
        said = [(one.run.token, one.run.latest_progress) for one in self._started.values() if one.run.latest_progress]
        for one in self._started.values():
            one.run.latest_progress = None
        progress = tuple(m.Progress(t.id, t.epoch, t.dispatch, *latest) for t, latest in said)
        if self._connection.send(m.Renew(request, self._started_through, self._credit(), progress)):
            self._asked[request] = now
        self._renew_at = now + self._lease / 3

    def _give_up_lease(self):
        """No contact for 0.8 of the lease: nothing more is started until a WELCOME, what is not started is given up."""
        self._gave_up = True
        self._held.clear()
        for one in self._started.values():
            if one.stop_on_disconnect:
                one.run.stop(m.End.LOST)

    def _credit(self):
        return 0 if self._draining else self._slots + self._prefetch

    # --- messages -----------------------------------------------------------------------------------------------------------------

    def _take(self, message):
        if isinstance(message, m.Welcome) and message.request == self._hello_request and not self._in_session:
            self._welcomed(message.body)
        elif isinstance(message, m.Error):
            self._take_error(message)
        elif isinstance(message, m.Goodbye):
            self._open_socket()
        elif not self._in_session:
            pass
        elif isinstance(message, m.Dispatch):
            self._take_jobs(message)
        elif isinstance(message, m.Completed):
            sent_at, tokens = self._asked.pop(message.request, (None, ()))
            for token in tokens:  # OK, STALE and GONE settle a completion alike
                self._finished.pop(token, None)
            if sent_at is not None:
                self._in_touch(sent_at)
        elif isinstance(message, m.Renewed):
            self._lease = message.lease / 1000
            if (sent_at := self._asked.pop(message.request, None)) is not None:
                self._in_touch(sent_at)
        elif isinstance(message, m.Reclaim):
            self._release([token for token in message.jobs if token in self._held])
        elif isinstance(message, m.CancelJobs):
            self._cancel(message.jobs)
        elif isinstance(message, m.Drain):
            self._begin_drain()

    def _take_error(self, error):
        if error.request == self._hello_request and error.code not in m.RETRYABLE:
            raise Refused(error)
        if error.code == m.Code.NO_SESSION or error.request == self._hello_request:
            self._open_socket()
            return
        asked = self._asked.pop(error.request, None)  # what it was about is said again with the next RENEW or COMPLETE
        if isinstance(asked, tuple):
            self._complete_at = time.monotonic() + max(error.retry_after, 100) / 1000
            if error.code not in m.RETRYABLE:  # the broker will never take these reports: the jobs end without them
                for token in asked[1]:
                    _, began, _ = self._finished[token]
                    self._finished[token] = (m.End.REJECTED, began, error_report("REPORT_REFUSED", error.message))

    def _take_jobs(self, dispatch):
        now = time.monotonic()
        for item in dispatch.items:
            held = Held(dispatch.epoch, item, dispatch.shared[item.shared], now)
            self._held[held.token] = held
        if self._draining:  # it crossed the RELEASED that said so
            self._release(list(self._held))

    def _cancel(self, tokens):
        for token in tokens:
            if token in self._held:
                self._finish_unstarted(self._held.pop(token), m.End.CANCELLED)
            elif token in self._started:
                self._started[token].run.stop(m.End.CANCELLED)

    def _release(self, tokens):
        for token in tokens:
            del self._held[token]
        self._connection.send(m.Released(0, self._credit(), tuple(tokens)))

    def _begin_drain(self):
        self._draining = True
        if self._in_session:
            self._release(list(self._held))
        self._held.clear()

    # --- jobs ---------------------------------------------------------------------------------------------------------------------

    def _start_jobs(self):
        """Starts held jobs in the order of their dispatch while there are slots, and first tells the broker that it does."""
        now = time.monotonic()
        batch = []
        while self._held and len(self._started) + len(batch) < self._slots:
            _, held = self._held.popitem(last=False)
            if held.start_before is not None and now > held.start_before:
                self._finish_unstarted(held, m.End.EXPIRED)
                continue
            batch.append(held)
        if not batch:
            return
        self._started_through = max(self._started_through, batch[-1].token.dispatch)
        self._renew(now)  # with the new started_through
        for held in batch:
            run = Run(held.item, held.shared, held.token)
            self._started[held.token] = Started(run, now, held.shared.time_limit, held.shared.stop_on_disconnect)
            threading.Thread(target=self._attempt, args=(run,), daemon=True).start()

    def _attempt(self, run):
        """In a thread of its own: runs one job to its end."""
        limit = self.broker.max_payload
        if run.type == EXEC and EXEC not in self._handlers:
            end, report = run_command(run, self._variables(run), limit)
        else:
            end, report = run_handler(run, lambda run: self._handlers[run.type](run), limit)
        self._ended.put((run.token, end, report))
        os.eventfd_write(self._wake, 1)

    def _collect(self):
        """Takes what has ended."""
        while not self._ended.empty():
            token, end, report = self._ended.get()
            started = self._started.pop(token)
            if not started.forgotten:
                self._finished[token] = (end, started.at, report)

    def _finish_unstarted(self, held, end):
        self._finished[held.token] = (end, time.monotonic(), None)

    def _complete(self):
        """Says what has ended and was not said on this connection. It stays in _finished until it is acknowledged."""
        under_way = {token for asked in self._asked.values() if isinstance(asked, tuple) for token in asked[1]}
        items, tokens, size, now = [], [], 0, time.monotonic()
        if now < self._complete_at:
            return
        for token, (end, began, report) in self._finished.items():
            if token in under_way:
                continue
            item = m.Completion(token.id, token.epoch, token.dispatch, end, int((now - began) * 1000), report)
            cost = len(m.pack(item.write()))
            if items and (size + cost > self.broker.max_message - 1024 or len(items) == self.broker.max_batch):
                self._send_complete(items, tokens, now)
                items, tokens, size = [], [], 0
            items.append(item)
            tokens.append(token)
            size += cost
        if items:
            self._send_complete(items, tokens, now)

    def _send_complete(self, items, tokens, now):
        request = self._connection.next_request()
        if self._connection.send(m.Complete(request, self._started_through, self._credit(), tuple(items))):
            self._asked[request] = (now, tokens)

    def _variables(self, run):
        """What a command finds in its environment."""
        variables = {b"ROTA_JOB_ID": str(run.id).encode(), b"ROTA_JOB_ATTEMPT": str(run.attempt).encode(),
                     b"ROTA_JOB_QUEUE": run.queue.encode(), b"ROTA_JOB_WORKER": self._name.encode()}
        if isinstance(run.selector, bytes):
            variables[b"ROTA_JOB_LINE"] = run.selector
        elif run.selector is not None:
            variables[b"ROTA_JOB_INDEX"] = str(run.selector).encode()
        if self.broker.clients:
            variables[b"ROTA_BROKER"] = self.broker.clients.replace("*", _host_of(self._endpoint)).encode()
        return variables


def _host_of(endpoint):
    return endpoint.removeprefix("tcp://").rpartition(":")[0]


def _boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _start_ticks():
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[19])  # field 22: the name, field 2, may hold spaces


def main(arguments):
    if len(arguments) not in (2, 3):
        print("usage: python3 -m rota_interop.worker ENDPOINT NAME [SLOTS]", file=sys.stderr)
        return 64
    slots = int(arguments[2]) if len(arguments) == 3 else 1
    worker = Worker(arguments[0], arguments[1], handlers={"greet": lambda run: b"hello " + run.payload}, commands=True, slots=slots)
    signal.signal(signal.SIGTERM, lambda *_: worker.drain())
    threading.Thread(target=lambda: (worker.registered.wait(), print(f"worker ready name={arguments[1]}", flush=True)),
                     daemon=True).start()
    try:
        worker.run()
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 75
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
