"""Peers that share no code with the product: they speak the protocol as docs/protocol.md specifies it, or break it.

Needs Debian's python3-zmq and python3-msgpack.
"""

import os
import socket
import time

import msgpack
import zmq

VERSION = 1

# Message types.
HELLO, WELCOME, ERROR, PING, PONG, GOODBYE = 1, 2, 3, 4, 5, 6
SUBMIT, SUBMITTED, WAIT, NOTIFY, GET, JOBS, CANCEL, RETRY, RESULTS = 16, 17, 18, 19, 20, 21, 22, 23, 24
ADMIN, ADMIN_REPLY = 27, 28
DISPATCH, COMPLETE, COMPLETED, RENEW, RENEWED, RECLAIM, RELEASED, CANCEL_JOBS = 48, 49, 50, 51, 52, 53, 54, 55

# Codes.
OK, DUPLICATE, RETRY_LATER, NO_SESSION, BAD_VERSION, BAD_MESSAGE, TOO_LARGE = 0, 1, 2, 4, 5, 6, 7
NOT_FOUND, GONE, CONFLICT, STALE = 9, 10, 11, 12

# Job states.
READY, RUNNING, SUCCEEDED, FAILED = 2, 3, 4, 5


def pack(*values):
    return msgpack.packb(list(values), use_bin_type=True)


def unpack(frame):
    return msgpack.unpackb(frame, raw=False, strict_map_key=False)


def slot_of(queue):
    """CRC-16/XMODEM of the queue's name, low 12 bits."""
    crc = 0
    for byte in queue.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc & 0xFFF


def make_id(queue="default", at=None):
    """A UUIDv7 whose rand_a is the queue's slot, as 16 bytes."""
    ms = int((time.time() if at is None else at) * 1000)
    tail = bytearray(os.urandom(8))
    tail[0] = tail[0] & 0x3F | 0x80
    return ms.to_bytes(6, "big") + (0x7000 | slot_of(queue)).to_bytes(2, "big") + bytes(tail)


def text_of(job):
    """The id as people write it."""
    digits = job.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def submit_frame(request, ids, queue="default", kind="noop", payload=b"", options=None, flags=0, argv=None):
    shared = [queue, kind, options or {}]
    if argv is not None:
        shared.append([[[word.encode() for word in argv]]])
    return pack(SUBMIT, request, flags, [shared], [[0, job, payload] for job in ids])


class Peer:
    """A DEALER with one broker."""

    def __init__(self, endpoint):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.rcvhwm = 0
        self.socket.connect(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, frame):
        self.socket.send(frame)

    def send_frames(self, frames):
        self.socket.send_multipart(frames)

    def receive(self, seconds=10):
        """The next message as a list; None if none comes in time."""
        if not self.socket.poll(int(seconds * 1000)):
            return None
        return unpack(self.socket.recv())

    def receive_type(self, kind, seconds=10):
        """The next message of this type; others are passed over. None if none comes in time."""
        end = time.monotonic() + seconds
        while True:
            message = self.receive(max(0, end - time.monotonic()))
            if message is None or message[0] == kind:
                return message

    def ask(self, frame, seconds=10):
        """Sends a request; the answer with its number. ERRORs without one are about earlier frames and passed over."""
        self.send(frame)
        number = unpack(frame)[1]
        end = time.monotonic() + seconds
        while True:
            message = self.receive(max(0, end - time.monotonic()))
            if message is None or message[1] == number:
                return message

    def hello(self, **fields):
        """Says HELLO; the body of the WELCOME, or the whole answer if it is something else."""
        body = {"min": VERSION, "max": VERSION, "software": "peer", "host": "test", "pid": os.getpid(), **fields}
        answer = self.ask(pack(HELLO, 1, body))
        return answer[2] if answer is not None and answer[0] == WELCOME else answer

    def worker_hello(self, name, session, slots=1, credit=1, types=("noop",), queues=("default",), connection=1, **fields):
        return self.hello(session=session, connection=connection, name=name, boot="boot", start=1, slots=slots, credit=credit,
                          draining=False, queues=[[queue, 1] for queue in queues], types=list(types), labels={},
                          **{"started": [], "held": [], "finished": [], **fields})

    # --- a client's requests ------------------------------------------------------------------------------------------

    def submit(self, ids, request=2, seconds=10, **keywords):
        """The results of the items: 0 or [code, state, …]."""
        answer = self.ask(submit_frame(request, ids, **keywords), seconds)
        return answer[2] if answer is not None and answer[0] == SUBMITTED else answer

    def jobs(self, ids, request=3, with_result=False):
        """Facts of jobs, as maps."""
        answer = self.ask(pack(GET, request, with_result, list(ids)))
        return answer[2] if answer is not None and answer[0] == JOBS else answer


class RawConnection:
    """A TCP connection that speaks ZMTP 3.0 by hand, so that it can speak it badly."""

    def __init__(self, endpoint):
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def greet(self):
        """Greeting and READY of a DEALER; returns when the broker has answered both."""
        self.send(b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31))
        ready = b"\x05READY" + b"\x0bSocket-Type" + (6).to_bytes(4, "big") + b"DEALER" + b"\x08Identity" + bytes(4)
        self.send(b"\x04" + bytes([len(ready)]) + ready)
        received = b""
        while len(received) < 66 or len(received) < 66 + received[65]:  # 64 bytes, then a command
            data = self.socket.recv(4096)
            if not data:
                raise ConnectionError("the broker closed the connection in the handshake")
            received += data

    def closed_by_peer(self, seconds=15):
        """Whether the broker ends the connection within that time."""
        self.socket.settimeout(seconds)
        try:
            while self.socket.recv(4096):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False
