"""Attacks on a broker, each a process of its own: hostile_attacks.py NAME CLIENTS WORKERS [--rate N] [--seconds S] [--scale X]

Speaks ZMTP and the protocol by hand over plain sockets, so that it can leave answers unread and break every rule. Prints
"attacking" when under way, and at the end one JSON object of what it did. `--rate` is in turns a second (each attack says
what a turn is): an attacker on the same machine must not take the processor from whom it is to disturb. Ends at --seconds, up
to --patience seconds later if it has not taken place by then (each attack says what that is), or when its stdin closes.
"""

import argparse
import json
import os
import resource
import select
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rota_peer as peer  # noqa: E402
from hostile_line import FreshSubmits, Line, worker_hello, zmtp  # noqa: E402
from rota_peer import RawConnection, make_id, pack  # noqa: E402

MIB = 1 << 20
GIB = 1 << 30


class Attack:
    """One turn of it is turn(); `lines` are kept full of it."""

    rate = 1000  # turns a second unless told otherwise
    enough = 1 << 10  # bytes that the kernel took: from then on it has taken place

    def __init__(self, options):
        self.clients, self.workers, self.scale = options.clients, options.workers, options.scale
        self.lines = []
        self.turns = 0
        self.cut = 0  # connections that the broker ended
        self.sent_before = 0  # bytes, on lines that are closed

    def begin(self):
        pass

    def turn(self):
        raise NotImplementedError

    def line(self, number, **keywords):
        """The line of that number, a new one where the broker ended it."""
        while len(self.lines) <= number:
            self.lines.append(Line(self.clients, **keywords))
        if self.lines[number].dead:
            self.cut += 1
            self.leave(self.lines[number])
            self.lines[number] = Line(self.clients, **keywords)
        return self.lines[number]

    def leave(self, line):
        self.sent_before += line.sent
        line.socket.close()

    def sent(self):
        return self.sent_before + sum(line.sent for line in self.lines)

    def took_place(self):
        """Whether the broker has had to bear it."""
        return self.sent() >= self.enough

    def finished_job(self, result):
        """The id of a job that ended with this result."""
        with peer.Peer(self.workers) as worker, peer.Peer(self.clients) as client:
            worker.worker_hello(f"hostile-{os.urandom(4).hex()}", os.urandom(16), queues=["hostile"], types=["result"])
            client.hello()
            job = make_id("hostile")
            client.submit([job], queue="hostile", kind="result", seconds=30)
            _, _, epoch, _, items = worker.receive_type(peer.DISPATCH, 30)
            number = items[0][1]
            answer = worker.ask(pack(peer.COMPLETE, 5, number, 1, [[job, epoch, number, 0, 1, [result]]]), 30)
            assert answer[2][0] == peer.OK, answer
            worker.send(pack(peer.GOODBYE, 0))
            return job

    def report(self):
        return {"turns": self.turns, "cut": self.cut, "lines": len(self.lines), "sent": self.sent()}


class SubmitFlood(Attack):
    """Four clients submit jobs of 1 KiB, 100 a message, and never read an answer. A turn is a message."""

    rate = 100
    enough = MIB

    def turn(self):
        ids = [make_id("hostile") for _ in range(100)]
        frame = peer.submit_frame(7, ids, queue="hostile", kind="nothing", payload=bytes(1024))
        self.line(self.turns % 4).offer(zmtp(frame))


class TakenSubmits(Attack):
    """Four clients submit as fast as they are answered, with WINDOW messages under way each, and hear what they are told. A turn
    is a write of one of them. Subclasses say of how many jobs a message is, of how many bytes, with which options."""

    count, size, options = 100, 4 << 10, None
    window = 2

    def begin(self):
        self.taken = 0  # bytes of payloads
        self.later = ""  # the broker's sentence
        self.frames = [FreshSubmits(self.count, bytes(self.size), self.options) for _ in range(4)]
        self.under_way = [0] * 4

    def turn(self):
        number = self.turns % 4
        cut = self.cut
        line = self.line(number)
        if self.cut > cut:
            self.under_way[number] = 0
        self.hear(number, line)
        if line.left or self.under_way[number] < self.window:
            self.under_way[number] += not line.left
            self.frames[number].send(line)

    def hear(self, number, line):
        for message in line.answers():
            if message[0] in (peer.SUBMITTED, peer.ERROR):
                self.under_way[number] -= 1
            if message[0] == peer.SUBMITTED:
                self.taken += self.size * sum(item == peer.OK for item in message[2])
            elif message[0] == peer.ERROR and message[2] == peer.RETRY_LATER:
                self.later = message[3]

    def report(self):
        return {**super().report(), "taken": self.taken, "later": self.later}


class BigSubmits(TakenSubmits):
    """SUBMITs of 7 MiB: seven jobs of a megabyte, in memory."""

    rate = 400
    count, size, options = 7, MIB, {12: 2}

    def took_place(self):
        """Once the broker, with broker_options(), has as much as its --memory-limit."""
        return "--memory-limit" in self.later


class PipelinedSubmits(BigSubmits):
    """The same without waiting for answers."""

    window = 1 << 30


class DiskFlood(TakenSubmits):
    """Jobs of 4 KiB, 100 a message, for a broker whose disk hangs: what is under way is answered when it works again."""

    rate = 1000
    window = 200  # 312 MiB in all, more than a broker takes without a sync

    def took_place(self):
        """Once more is not synced than a broker bears (256 MiB): nothing but its refusal shows it."""
        return "disk does not keep up" in self.later


class BigAnswers(Attack):
    """Asks for a megabyte's result again and again on twenty lines and never reads. A turn is a request on each."""

    rate = 50
    enough = 10_000  # a request is 25

    def begin(self):
        self.job = self.finished_job(bytes(MIB))
        self.frame = zmtp(pack(peer.GET, 3, True, [self.job]))

    def turn(self):
        for number in range(20):
            self.line(number).offer(self.frame)


class EndlessMultipart(Attack):
    """A message of 64 KiB frames that never ends, on two lines of each side. A turn is a frame on each."""

    rate = 1000
    frame = zmtp(bytes(64 << 10), more=True)

    def turn(self):
        for number, endpoint in enumerate((self.clients, self.workers, self.clients, self.workers)):
            if len(self.lines) <= number:
                self.lines.append(Line(endpoint, hello=False))
            line = self.lines[number]
            if not line.offer(self.frame) and line.ended():
                self.cut += 1
                self.leave(line)
                self.lines[number] = Line(endpoint, hello=False)

    def took_place(self):
        return self.cut > 0


class TinyMultipart(EndlessMultipart):
    """The same of empty frames, 10,000 a write: each costs its reader far more than its two bytes."""

    rate = 50
    frame = zmtp(b"", more=True) * 10_000


class HugeClaims(Attack):
    """Frames and msgpack values that claim up to 2^62 bytes. A turn is one of them on a connection of its own."""

    rate = 100

    def begin(self):
        huge = (2**32 - 1).to_bytes(4, "big")
        self.claims = [b"\x02" + size.to_bytes(8, "big") + b"x" * 100 for size in (2**31, 2**40, 2**62, 2**63 + 5)]
        self.claims += [zmtp(body) for body in (
            b"\xdd" + huge, b"\x94\x10\x01\x00\xc6" + huge, b"\x93\x04\x01\xdf" + huge, b"\x95\x10\x01\x00\xdd" + huge,
            b"\x94\x14\x01\xc2\xdd" + huge, b"\x93\x11\x01\xdd" + huge, b"\x91" * 5000)]

    def turn(self):
        endpoint = (self.clients, self.workers)[self.turns // len(self.claims) % 2]
        line = Line(endpoint)
        line.offer(self.claims[self.turns % len(self.claims)])
        self.lines.append(line)
        if len(self.lines) > 100:
            self.cut += self.lines[0].ended()
            self.leave(self.lines.pop(0))

    def took_place(self):
        return self.cut > 0


class Connections(Attack):
    """Ten thousand connections (× scale) that say HELLO and then nothing. A turn is one of them, till all are there."""

    rate = 2000
    most = 10_000

    def begin(self):
        self.most = int(self.most * self.scale)

    def turn(self):
        if len(self.lines) < self.most:
            self.lines.append(Line(self.clients))

    def took_place(self):
        return len(self.lines) >= self.most


class HalfOpen(Connections):
    """Ten thousand connections (× scale) that never finish the handshake; ended ones are opened anew."""

    def begin(self):
        super().begin()
        self.socks = []

    def turn(self):
        if len(self.socks) >= self.most:
            old = self.socks.pop(0)
            try:
                old.setblocking(False)
                if not old.recv(100, socket.MSG_DONTWAIT):
                    self.cut += 1
            except BlockingIOError:
                self.socks.append(old)
                return
            except OSError:
                self.cut += 1
        raw = RawConnection((self.clients, self.workers)[self.turns % 2])
        raw.send((b"", b"\xff", b"\xff" + bytes(8) + b"\x7f\x03")[self.turns % 3])
        self.socks.append(raw.socket)

    def took_place(self):
        return len(self.socks) >= self.most

    def report(self):
        return {**super().report(), "lines": len(self.socks)}


class QueueNames(Attack):
    """A million queue names (× scale), 256 a SUBMIT, a job in memory each. A turn is a message."""

    rate = 400

    def begin(self):
        self.name = 0

    def turn(self):
        if self.name >= 1_000_000 * self.scale:
            return
        names = [f"q{self.name + i}" for i in range(256)]
        shared = [[name, "nothing", {12: 2}] for name in names]
        items = [[i, make_id(name), b""] for i, name in enumerate(names)]
        if self.line(0).offer(zmtp(pack(peer.SUBMIT, 2, 0, shared, items))):
            self.name += 256

    def took_place(self):
        return self.name >= 1_000_000 * self.scale


class HelloFlood(Attack):
    """HELLOs, 50 a write, on one client's line, and workers' of ever new sessions on another. A turn is a write on each."""

    rate = 100

    def turn(self):
        hello = zmtp(pack(peer.HELLO, 1, {"min": 1, "max": 1, "software": "hostile"}))
        self.line(0).offer(hello * 50)
        if len(self.lines) < 2:
            self.lines.append(Line(self.workers, hello=False))
        hellos = b"".join(zmtp(worker_hello(f"hostile-{self.turns}-{i}", os.urandom(16))) for i in range(50))
        self.lines[1].offer(hellos)
        self.lines[1].ended()

    def took_place(self):
        return len(self.lines) == 2 and all(line.sent >= self.enough for line in self.lines)


class WideHellos(Attack):
    """Workers' HELLOs of ever new sessions, each for 256 queues and a set of 256 types of its own. A turn is 20 of them."""

    rate = 50
    enough = MIB

    def turn(self):
        if not self.lines:
            self.lines.append(Line(self.workers, hello=False))
        queues = [f"wide{i}" for i in range(256)]
        sets = ([f"type{(self.turns * 20 + i + j * 151) % 50_000}" for j in range(256)] for i in range(20))
        self.lines[0].offer(b"".join(
            zmtp(worker_hello(f"wide-{self.turns}-{i}", os.urandom(16), queues=queues, types=types))
            for i, types in enumerate(sets)))
        self.lines[0].ended()


class SlowNotices(Attack):
    """Waits for a finished job with a result of 60 KiB, 1,000 times a message, and never reads. A turn is a message on each
    of four lines."""

    rate = 5
    enough = 4 * 18_000  # a message on each line

    def begin(self):
        self.job = self.finished_job(bytes(60 << 10))

    def turn(self):
        for number in range(4):
            self.line(number).offer(zmtp(pack(peer.WAIT, self.turns, True, [self.job] * 1000)))


class Waits(Attack):
    """Waits for millions of jobs: of live ones on ever new requests, and of unknown ids, which are alike but for the time they
    name. A turn is 4,096 of each."""

    rate = 20
    enough = MIB

    def begin(self):
        with peer.Peer(self.clients) as client:
            client.hello()
            self.jobs = [make_id("hostile") for _ in range(4096)]
            client.submit(self.jobs, queue="hostile", kind="nothing", seconds=30)

    def turn(self):
        self.line(0).offer(zmtp(pack(peer.WAIT, 10 + self.turns, False, self.jobs)))
        first = time.time() - 3600 + 4.096 * self.turns
        old = [make_id("hostile", first + i / 1000)[:8] + self.jobs[0][8:] for i in range(4096)]
        self.line(1).offer(zmtp(pack(peer.WAIT, 10 + self.turns, False, old)))


ATTACKS = {
    "submit-flood": SubmitFlood, "disk-flood": DiskFlood, "big-submits": BigSubmits, "pipelined-submits": PipelinedSubmits,
    "big-answers": BigAnswers, "endless-multipart": EndlessMultipart, "tiny-multipart": TinyMultipart, "huge-claims": HugeClaims,
    "connections": Connections, "half-open": HalfOpen, "queue-names": QueueNames, "hello-flood": HelloFlood, "wide-hellos": WideHellos,
    "slow-notices": SlowNotices, "waits": Waits,
}

# Not without a disk that hangs (tests/crash/preload): who measures latencies leaves them out.
NEED_A_HANGING_DISK = {"disk-flood"}

# What a broker's memory (RssAnon) stays under during each of them, from a fresh start, in MiB: what the scale does not make
# smaller, and what it does. docs/reliability.md says why.
MEMORY_LIMITS = {
    "submit-flood": (256, 0), "disk-flood": (896, 0), "big-submits": (512, 1024), "pipelined-submits": (768, 1024),
    "big-answers": (512, 0), "endless-multipart": (512, 0), "tiny-multipart": (512, 0), "huge-claims": (128, 0),
    "connections": (64, 448), "half-open": (64, 192), "queue-names": (320, 192), "hello-flood": (256, 0),
    "wide-hellos": (768, 0), "slow-notices": (512, 0), "waits": (512, 0),
}


def memory_limit(name, scale=1.0):
    """Bytes."""
    base, scaled = MEMORY_LIMITS[name]
    return int((base + scale * scaled) * MIB)


def broker_options(name, scale=1.0):
    """What the broker that is attacked is started with: a limit that the attack is to reach is as much smaller as the attack."""
    if name not in ("big-submits", "pipelined-submits"):
        return ()
    return ("--memory-limit", f"{max(1, int(GIB * scale / MIB))}MiB")


def closed(stream):
    return bool(select.select([stream], [], [], 0)[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=ATTACKS)
    parser.add_argument("clients")
    parser.add_argument("workers")
    parser.add_argument("--rate", type=float, help="turns a second")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--patience", type=float, default=0)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    attack = ATTACKS[options.name](options)
    attack.begin()
    print("attacking", flush=True)
    begun = time.monotonic()
    rate = options.rate or attack.rate
    tried, refused, took_place = 0, "", False
    while not closed(sys.stdin):
        now = time.monotonic() - begun
        took_place = took_place or attack.took_place()
        if now >= options.seconds + (0 if took_place else options.patience):
            break
        due = int(now * rate)
        try:
            for _ in range(min(due - tried, 200)):
                tried += 1
                attack.turn()
                attack.turns += 1
        except OSError as error:
            refused = str(error)  # that is the broker's right
        if tried >= due:
            select.select([sys.stdin], [], [], min(0.05, 1 / rate))
    print(json.dumps({"attack": options.name, "seconds": round(time.monotonic() - begun, 1), **attack.report(),
                      "took_place": took_place, "refused": refused}), flush=True)


if __name__ == "__main__":
    main()
