"""What a hostile peer speaks over: a raw connection that never waits, and messages that are cheap to make."""

import os
import random
import time

import rota_peer as peer
from rota_peer import RawConnection, make_id, pack, unpack
from zmtp_crowd import take_frame


def zmtp(body, more=False):
    """A frame: flags, length, body."""
    flags = 1 if more else 0
    if len(body) < 256:
        return bytes([flags, len(body)]) + body
    return bytes([flags | 2]) + len(body).to_bytes(8, "big") + body


class Line(RawConnection):
    """A raw connection that never waits: what the kernel does not take now is left for the next turn."""

    def __init__(self, endpoint, hello=True, worker=False):
        super().__init__(endpoint)
        self.left = b""
        self.incoming = b""
        self.dead = False
        self.greet()
        if hello and not worker:
            self.send(zmtp(pack(peer.HELLO, 1, {"min": 1, "max": 1, "software": "hostile"})))
        elif hello:
            self.send(zmtp(worker_hello(os.urandom(4).hex(), os.urandom(16))))
        self.socket.setblocking(False)
        self.sent = 0

    def offer(self, data):
        """Sends what the kernel takes of what is left over, or of `data` where nothing is. Whether it took anything."""
        if self.dead:
            return False
        if not self.left:
            self.left = data
        try:
            count = self.socket.send(self.left)
        except BlockingIOError:
            return False
        except OSError:
            self.dead = True
            return False
        self.left = self.left[count:] if count < len(self.left) else b""
        self.sent += count
        return True

    def ended(self):
        """Whether the broker has closed it. What it sent is read away."""
        self._receive()
        self.incoming = b""
        return self.dead

    def answers(self):
        """The messages that have come whole."""
        self._receive()
        while (body := take_frame(self)) is not None:
            yield unpack(body)

    def _receive(self):
        try:
            while data := self.socket.recv(1 << 16):
                self.incoming += data
            self.dead = True
        except BlockingIOError:
            pass
        except OSError:
            self.dead = True


def worker_hello(name, session, connection=1, slots=1, queues=("hostile",), types=("nothing",)):
    return pack(peer.HELLO, 1, {
        "min": 1, "max": 1, "software": "hostile", "host": "h", "pid": os.getpid(), "boot": "b", "start": 1,
        "session": session, "connection": connection, "name": name, "slots": slots, "credit": slots, "draining": False,
        "queues": [[queue, 1] for queue in queues], "types": list(types), "labels": {}, "started": [], "held": [], "finished": []})


class FreshSubmits:
    """A SUBMIT that is made once, and whose jobs have new ids each time it goes out: jobs that are known are answered
    DUPLICATE and cost the broker nothing."""

    def __init__(self, count, payload, options=None):
        ids = [make_id("hostile") for _ in range(count)]
        self.bytes = bytearray(zmtp(peer.submit_frame(7, ids, queue="hostile", kind="nothing", payload=payload, options=options)))
        self.places = []
        for job in ids:
            self.places.append(self.bytes.index(job, self.places[-1] if self.places else 0))

    def send(self, line):
        """A turn of a line. The bytes of a message that is under way stay as they are."""
        if not line.left:
            # Of now: about jobs that are old the broker asks its store. Bytes 6 and 7 name the queue.
            now = int(time.time() * 1000).to_bytes(6, "big")
            for at in self.places:
                self.bytes[at:at + 6] = now
                self.bytes[at + 8:at + 16] = (random.getrandbits(62) | 1 << 63).to_bytes(8, "big")
        line.offer(memoryview(self.bytes))
