"""A TCP proxy that breaks what passes through it: a network fault for tests of real processes.

    proxy = TcpProxy(broker.workers)           # accepts from now on
    worker = self.worker(proxy.endpoint)
    proxy.black_hole(TO_SERVER)                # what the worker says is held up; it still hears the broker
    proxy.heal()
    proxy.close()

One thread carries all connections. Every method may be called from any thread and has taken effect when it returns.
Bytes are never changed, reordered or dropped within a connection that lives on: TCP does neither.
"""

import collections
import errno
import heapq
import selectors
import socket
import struct
import threading
import time

TO_SERVER = "to_server"
TO_CLIENT = "to_client"
BOTH = "both"

CHUNK = 1 << 18  # read at once: carries hundreds of MB/s without starving other connections
HELD = 8 << 20  # bytes under way in one direction before the sender is held up: 8 MiB at a delay of 100 ms is 80 MB/s


def parse_endpoint(endpoint):
    """("127.0.0.1", 5555) of "tcp://127.0.0.1:5555", "127.0.0.1:5555" or such a pair."""
    if isinstance(endpoint, tuple):
        return endpoint
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return host.strip("[]"), int(port)


def close_with_reset(sock):
    """The peer gets an RST, and what it had not read yet is gone."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass  # already dead
    sock.close()


class _Trap:
    """Tears the connection that carries certain bytes; see TcpProxy.reset_mid_frame."""

    def __init__(self, direction, fraction, smallest, contains, after):
        self.direction, self.fraction, self.smallest, self.contains = direction, fraction, smallest, contains
        self.after = after  # seen in the other direction of the same connection first
        self.fired = threading.Event()

    def looks_at(self, pipe, data):
        """How many bytes of `data` still pass before the reset; None: all, and the connection stays."""
        if self.fired.is_set():
            return None
        if self.after is not None and pipe.direction != self.direction and self.after in data:
            pipe.connection.marked.add(self)
        if pipe.direction != self.direction or len(data) < self.smallest:
            return None
        if self.contains is not None and self.contains not in data:
            return None
        if self.after is not None and self not in pipe.connection.marked:
            return None
        self.fired.set()
        return int(len(data) * self.fraction)


class _Pipe:
    """One direction of a connection."""

    def __init__(self, connection, source, sink, direction):
        self.connection, self.source, self.sink, self.direction = connection, source, sink, direction
        self.queue = collections.deque()  # (moment it may leave, bytes)
        self.queued = 0
        self.ended = False  # the source said that it sends nothing more
        self.finished = False  # and the sink was told
        self.blocked = False  # the sink takes nothing now
        self.doomed = False  # reset once the queue has left
        self.next_byte = 0.0  # dribbling: when the next byte may leave


class _Connection:
    def __init__(self, client, server):
        self.client, self.server = client, server
        self.connected = False
        self.closed = False
        self.marked = set()
        self.up = _Pipe(self, client, server, TO_SERVER)
        self.down = _Pipe(self, server, client, TO_CLIENT)


class TcpProxy:
    """Stands between peers and the server at `target`; forwards faithfully until told otherwise."""

    def __init__(self, target, port=0):
        self.target = parse_endpoint(target)  # may be set anew: new connections go there
        self._bytes = {TO_SERVER: 0, TO_CLIENT: 0}
        self.connections = 0  # accepted so far
        self._live = set()
        self._holes = set()
        self._rate = None
        self._delay = 0.0
        self._traps = []
        self._timers = []  # (moment, number, pipe)
        self._timer_number = 0
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._reserved = self._bound(port)  # never listens: keeps the port ours while nobody does
        self.port = self._reserved.getsockname()[1]
        self._listener = None
        self._listen()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True, name="tcp-proxy")
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def endpoint(self):
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def bytes(self):
        """Passed on so far: {TO_SERVER: …, TO_CLIENT: …}."""
        with self._lock:
            return dict(self._bytes)

    @property
    def open_connections(self):
        with self._lock:
            return len(self._live)

    # --- faults -------------------------------------------------------------------------------------------------------

    def cut(self, reset=True):
        """Ends every connection now: with an RST, or with a FIN. New ones are carried. How many were cut."""
        with self._lock:
            cut = list(self._live)
            for connection in cut:
                self._end(connection, reset)
            return len(cut)

    def refuse(self):
        """Cuts all connections and refuses new ones (ECONNREFUSED) until heal(). The port stays ours."""
        with self._lock:
            if self._listener is not None:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None
            self.cut()

    def black_hole(self, direction=BOTH):
        """Nothing passes in `direction`, ends of connections neither, and nobody is told: senders fill their buffers.
        What was sent arrives after heal(), as TCP would resend it. New connections are held up too."""
        with self._lock:
            self._holes = {TO_SERVER, TO_CLIENT} if direction == BOTH else {direction}
            self._refresh()

    def dribble(self, bytes_per_second):
        """Each direction of each connection passes at most this much."""
        with self._lock:
            self._rate = bytes_per_second
            self._refresh()

    def delay(self, milliseconds):
        """What comes from now on leaves so much later, in each direction."""
        with self._lock:
            self._delay = milliseconds / 1000

    def reset_mid_frame(self, direction=TO_SERVER, fraction=0.5, smallest=2, contains=None, after=None):
        """Arms a trap: of the next read in `direction` that is at least `smallest` bytes long and holds `contains`, only
        `fraction` is passed on (0: none, 1: all), then both ends get an RST. With `after`, only once these bytes passed
        in the other direction of the same connection: the answer to a certain request. Springs once; returns an Event
        that is set when it did."""
        with self._lock:
            trap = _Trap(direction, fraction, smallest, contains, after)
            self._traps.append(trap)
            return trap.fired

    def heal(self):
        """Faithful again; what was held up goes on its way."""
        with self._lock:
            self._holes = set()
            self._rate = None
            self._delay = 0.0
            self._traps = []
            if self._listener is None:
                self._listen()
            self._refresh()

    def close(self):
        with self._lock:
            if not self._running:
                return
            self._running = False
            self._wake()
        self._thread.join()
        self.refuse()
        self._reserved.close()
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _run(self):
        while True:
            with self._lock:
                if not self._running:
                    return
                timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
            events = self._selector.select(timeout)
            with self._lock:
                for key, mask in events:
                    if callable(key.data):
                        key.data()
                    elif not key.data.closed:
                        self._serve(key.data, key.fileobj, mask)
                now = time.monotonic()
                while self._timers and self._timers[0][0] <= now:
                    pipe = heapq.heappop(self._timers)[2]
                    self._push(pipe)

    def _wake(self):
        try:
            self._wake_write.send(b"w")
        except OSError:
            pass  # full: it wakes anyway

    def _woken(self):
        self._wake_read.recv(4096)

    def _refresh(self):
        for connection in list(self._live):
            for pipe in (connection.up, connection.down):
                self._push(pipe)
        self._wake()

    @staticmethod
    def _bound(port):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        return sock

    def _listen(self):
        self._listener = self._bound(self.port)
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self):
        while self._listener is not None:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # no more for now
            server = socket.socket()
            for sock in (client, server):
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            connection = _Connection(client, server)
            self._live.add(connection)
            if server.connect_ex(self.target) not in (0, errno.EINPROGRESS):
                self._end(connection, reset=True)
                continue
            self._watch(connection)

    def _serve(self, connection, sock, mask):
        if not connection.connected and sock is connection.server:
            if connection.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._end(connection, reset=True)
                return
            connection.connected = True
        incoming, outgoing = ((connection.up, connection.down) if sock is connection.client
                              else (connection.down, connection.up))
        if mask & selectors.EVENT_WRITE:
            outgoing.blocked = False
            self._push(outgoing)
        if mask & selectors.EVENT_READ and not connection.closed:
            self._read(incoming)
        if not connection.closed:
            self._watch(connection)

    def _read(self, pipe):
        if not self._wants(pipe):
            return
        try:
            data = pipe.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self._end(pipe.connection, reset=True)  # passes the reset on
            return
        if not data:
            pipe.ended = True
        for trap in self._traps:
            passes = trap.looks_at(pipe, data)
            if passes is not None:
                data = data[:passes]
                pipe.doomed = True
                break
        if data:
            pipe.queue.append((time.monotonic() + self._delay, data))
            pipe.queued += len(data)
        self._push(pipe)

    def _wants(self, pipe):
        """Whether to read from the pipe's source."""
        return (pipe.connection.connected and not pipe.ended and not pipe.doomed and pipe.queued < HELD
                and pipe.direction not in self._holes)

    def _push(self, pipe):
        """Passes on what may leave now."""
        connection = pipe.connection
        if connection.closed or not connection.connected or pipe.direction in self._holes:
            return
        now = time.monotonic()
        while pipe.queue and not pipe.blocked:
            arrived, data = pipe.queue[0]
            due = max(arrived, pipe.next_byte)
            if due > now:
                self._timer_number += 1
                heapq.heappush(self._timers, (due, self._timer_number, pipe))
                break
            part = data if self._rate is None else data[:max(1, self._rate // 20)]
            try:
                sent = pipe.sink.send(part)
            except BlockingIOError:
                pipe.blocked = True
                break
            except OSError:
                self._end(connection, reset=True)
                return
            self._bytes[pipe.direction] += sent
            pipe.queued -= sent
            pipe.next_byte = 0.0 if self._rate is None else now + sent / self._rate
            pipe.queue.popleft()
            if sent < len(data):
                pipe.queue.appendleft((arrived, data[sent:]))
        if not pipe.queue:
            self._finish(pipe)
        if not connection.closed:
            self._watch(connection)

    def _finish(self, pipe):
        """The queue has left: what follows it."""
        connection = pipe.connection
        if pipe.doomed:
            self._end(connection, reset=True)
        elif pipe.ended and not pipe.finished:
            pipe.finished = True
            try:
                pipe.sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it is gone itself
            if connection.up.finished and connection.down.finished:
                self._end(connection, reset=False)

    def _watch(self, connection):
        """Tells the selector what we wait for."""
        for sock, incoming, outgoing in ((connection.client, connection.up, connection.down),
                                         (connection.server, connection.down, connection.up)):
            mask = selectors.EVENT_READ if self._wants(incoming) else 0
            if outgoing.blocked or (sock is connection.server and not connection.connected):
                mask |= selectors.EVENT_WRITE
            key = self._selector.get_map().get(sock.fileno())
            if key is None and mask:
                self._selector.register(sock, mask, connection)
            elif key is not None and not mask:
                self._selector.unregister(sock)
            elif key is not None and key.events != mask:
                self._selector.modify(sock, mask, connection)

    def _end(self, connection, reset):
        if connection.closed:
            return
        connection.closed = True
        self._live.discard(connection)
        for sock in (connection.client, connection.server):
            if sock.fileno() in self._selector.get_map():
                self._selector.unregister(sock)
            if reset:
                close_with_reset(sock)
            else:
                sock.close()
