"""Thousands of peers in one thread: ZMTP 3.0 by hand over plain sockets, for tests of many sessions at once."""

import selectors
import socket
import time

import rota_peer as peer

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
READY = b"\x05READY" + b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER" + b"\x08Identity" + bytes(4)
RETRY_SECONDS = 0.2  # after a refused or ended connection; the product's own peers wait longer


def frame_of(body, command=False):
    flags = 4 if command else 0
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | 2]) + len(body).to_bytes(8, "big") + body


def take_frame(receiver):
    """The body of the first frame in what came for it (`incoming`), taken from it; None as long as it is not whole."""
    data = receiver.incoming
    if len(data) < 2:
        return None
    long = data[0] & 2
    head = 9 if long else 2
    if len(data) < head:
        return None
    size = int.from_bytes(data[1:9], "big") if long else data[1]
    if len(data) < head + size:
        return None
    receiver.incoming = data[head + size:]
    return data[head:head + size]


class Member:
    """One peer. Connects again by itself; `on_open` and `on_message` are the crowd's."""

    def __init__(self, number):
        self.number = number
        self.sock = None
        self.open = False  # handshake done
        self.outgoing = b""
        self.incoming = b""
        self.connections = 0


class Crowd:
    """`on_open(member)` when a connection stands, `on_message(member, message)` for what comes. Both may call send()."""

    def __init__(self, endpoint, count, on_open, on_message):
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        self.address = (host, int(port))
        self.on_open, self.on_message = on_open, on_message
        self.selector = selectors.DefaultSelector()
        self.members = [Member(number) for number in range(count)]
        self.waiting = [(0.0, member) for member in self.members]  # to connect, when
        self.refused = 0

    def close(self):
        for member in self.members:
            if member.sock is not None:
                member.sock.close()
        self.selector.close()

    def send(self, member, body):
        if member.open:
            member.outgoing += frame_of(body)
            self._write(member)

    def run_until(self, condition, seconds, what):
        """Serves all members until condition() holds; how long that took. Checked between rounds."""
        begun = time.monotonic()
        while not condition():
            now = time.monotonic()
            if now > begun + seconds:
                raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
            due = [member for at, member in self.waiting if at <= now]
            self.waiting = [(at, member) for at, member in self.waiting if at > now]
            for member in due:
                self._connect(member)
            for key, mask in self.selector.select(0.05):
                member = key.data
                if mask & selectors.EVENT_WRITE:
                    self._write(member)
                if mask & selectors.EVENT_READ and member.sock is not None:
                    self._read(member)
        return time.monotonic() - begun

    def _connect(self, member):
        member.sock = socket.socket()
        member.sock.setblocking(False)
        member.open = False
        member.incoming = b""
        member.outgoing = GREETING + frame_of(READY, command=True)
        member.connections += 1
        member.sock.connect_ex(self.address)
        self.selector.register(member.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, member)

    def _lost(self, member):
        self.selector.unregister(member.sock)
        member.sock.close()
        member.sock = None
        member.open = False
        self.refused += 1
        self.waiting.append((time.monotonic() + RETRY_SECONDS, member))

    def _write(self, member):
        try:
            if member.outgoing:
                member.outgoing = member.outgoing[member.sock.send(member.outgoing):]
        except BlockingIOError:
            pass
        except OSError:
            return self._lost(member)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if member.outgoing else 0)
        self.selector.modify(member.sock, mask, member)

    def _read(self, member):
        try:
            data = member.sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self._lost(member)
        member.incoming += data
        if not member.open and not self._shake_hands(member):
            return
        while (body := take_frame(member)) is not None:
            self.on_message(member, peer.unpack(body))

    def _shake_hands(self, member):
        """The broker's greeting and READY are fixed in form: 64 bytes, then a command."""
        if len(member.incoming) < 66 or len(member.incoming) < 66 + member.incoming[65]:
            return False
        member.incoming = member.incoming[66 + member.incoming[65]:]
        member.open = True
        self.on_open(member)
        return True
