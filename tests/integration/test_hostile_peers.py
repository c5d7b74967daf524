"""Peers that break the protocol: answered where that is possible, counted, and nobody else is affected."""

import os
import threading

import msgpack

import rota_harness
import rota_peer as peer
from rota_harness import SANITIZER, RotaTest, eventually
from rota_peer import Peer, RawConnection

# A sanitizer's runtime keeps freed memory and shadows of it.
SHADOWS = 4 if SANITIZER else 1
MEMORY_MARGIN = 256 * 1024 * 1024 * SHADOWS


class HonestLoad:
    """A client and a worker that keep working while something else misbehaves."""

    def __init__(self, test, broker):
        self.test, self.broker = test, broker
        self.done, self.slowest, self.errors = 0, 0.0, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(60)
        self.test.assertEqual([], self.errors)
        self.test.assertGreater(self.done, 0)

    def _run(self):
        while not self._stop.is_set():
            outcome = self.test.rota(self.broker, "submit", "--wait", "--", "echo", "honest", code=None)
            if outcome.code != 0 or outcome.out != "honest\n":
                self.errors.append(outcome)
                return
            self.done += 1
            self.slowest = max(self.slowest, outcome.seconds)


class HostilePeers(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()
        self.worker(self.b, slots=2)
        self.b.get("/metrics")

    def resident(self):
        with open(f"/proc/{self.b.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def bad(self):
        """Frames and requests that were refused."""
        return self.b.metric(r'rota_bad_messages_total|rota_refusals_total\{code="(BAD_MESSAGE|TOO_LARGE|VERSION)"\}')

    def assert_counted(self, before, at_least, what):
        eventually(lambda: self.bad() >= before + at_least, 15,
                   lambda: f"{what}: {at_least} more counted than {before}\n{self.b.get('/metrics')[1]}")

    def sockets(self):
        return (("clients", self.b.clients), ("workers", self.b.workers))

    def assert_refused(self, endpoint, frame, code, greeted=True):
        """The frame is answered with an ERROR of this code, and the same peer is served on."""
        with Peer(endpoint) as hostile:
            if greeted:
                if endpoint == self.b.workers:
                    self.assertIn("lease", hostile.worker_hello(f"hostile-{os.urandom(4).hex()}", os.urandom(16)))
                else:
                    self.assertIn("broker", hostile.hello())
            hostile.send(frame)
            answer = hostile.receive_type(peer.ERROR, 10)
            self.assertIsNotNone(answer, frame[:40])
            self.assertIn(answer[2], code if isinstance(code, tuple) else (code,), answer)
            self.assertTrue(answer[3], "it says why")

    def test_garbage_is_answered_counted_and_harmless(self):
        frames = [b"", b"\xc1", b"garbage that is no msgpack", os.urandom(1000), peer.pack(), peer.pack("a", "b"),
                  peer.pack(peer.PING, 1) + b"trailing", b"\x81" * 2000, b"\x91" * 2000, peer.pack(peer.PING, -1),
                  peer.pack(2**63, 1), peer.pack(peer.PING, 1)[:-1], msgpack.packb({"type": 4})]
        with HonestLoad(self, self.b):
            for side, endpoint in self.sockets():
                before = self.bad()
                for frame in frames:
                    with self.subTest(side=side, frame=frame[:16]):
                        # What nests without end is over a limit; all else is no message at all.
                        self.assert_refused(endpoint, frame, (peer.BAD_MESSAGE, peer.TOO_LARGE))
                self.assert_counted(before, len(frames), side)

    def test_wrong_types_are_bad_messages(self):
        wrong = [peer.pack(peer.SUBMIT, 1, "flags", [], []), peer.pack(peer.SUBMIT, 1, 0, {}, []),
                 peer.pack(peer.SUBMIT, 1, 0, [["default", "noop"]], [[0, b"short"]]),
                 peer.pack(peer.SUBMIT, 1, 0, [["bad name", "noop"]], [[0, peer.make_id()]]),
                 peer.pack(peer.SUBMIT, 1, 0, [["default", "noop"]], [[7, peer.make_id()]]),
                 peer.pack(peer.GET, 1, 5, []), peer.pack(peer.GET, 1, False, ["text"]), peer.pack(200, 1)]
        for frame in wrong:
            with self.subTest(frame=frame[:30]):
                self.assert_refused(self.b.clients, frame, peer.BAD_MESSAGE)
        for frame in (peer.pack(peer.COMPLETE, 1, 0, 0, [[1, 2, 3]]), peer.pack(peer.RENEW, 1, "x", 0),
                      peer.pack(peer.RELEASED, 1, 0, [[b"x" * 16, 1, 1]])):
            with self.subTest(frame=frame[:30]):
                self.assert_refused(self.b.workers, frame, peer.BAD_MESSAGE)

    def test_messages_of_the_other_side_are_refused(self):
        self.assert_refused(self.b.clients, peer.pack(peer.COMPLETE, 1, 0, 0, []), peer.BAD_MESSAGE)
        self.assert_refused(self.b.workers, peer.submit_frame(1, [peer.make_id()]), peer.BAD_MESSAGE)
        self.assert_refused(self.b.clients, peer.pack(peer.SUBMITTED, 1, []), peer.BAD_MESSAGE)

    def test_id_of_another_queues_slot_is_refused(self):
        with Peer(self.b.clients) as client:
            client.hello()
            result, = client.submit([peer.make_id("other")])
            self.assertEqual(peer.BAD_MESSAGE, result[0], result)

    def test_unknown_version_is_told_which_ones_there_are(self):
        for _, endpoint in self.sockets():
            with Peer(endpoint) as hostile:
                answer = hostile.ask(peer.pack(peer.HELLO, 5, {"min": 77, "max": 99, "later": [1, 2, {"x": 3}]}))
                self.assertEqual((peer.ERROR, 5, peer.BAD_VERSION), tuple(answer[:3]))
                self.assertIn("1", answer[3])
                self.assertIn("broker" if endpoint == self.b.clients else "lease",
                              hostile.hello() if endpoint == self.b.clients else
                              hostile.worker_hello("later", os.urandom(16)))

    def test_nothing_is_served_before_hello(self):
        self.assert_refused(self.b.clients, peer.submit_frame(9, [peer.make_id()]), peer.NO_SESSION, greeted=False)
        self.assert_refused(self.b.workers, peer.pack(peer.RENEW, 9, 0, 1), peer.NO_SESSION, greeted=False)

    def test_batch_of_a_million_is_too_large(self):
        before = self.resident()
        with HonestLoad(self, self.b):
            jobs = [peer.make_id()] * 1_000_000
            frame = peer.pack(peer.GET, 1, False, jobs[:300_000])
            self.assert_refused(self.b.clients, frame, peer.TOO_LARGE)
            # A million ids are past the largest frame as well: the connection ends, which is all that can be done.
            with Peer(self.b.clients) as hostile:
                hostile.hello()
                hostile.send(peer.pack(peer.GET, 1, False, jobs))
                answer = hostile.receive(3)
                self.assertTrue(answer is None or answer[2] == peer.TOO_LARGE, answer)
            small = [[0, peer.make_id()] for _ in range(5000)]
            self.assert_refused(self.b.clients, peer.pack(peer.SUBMIT, 2, 0, [["default", "noop"]], small), peer.TOO_LARGE)
        self.assertLess(self.resident() - before, MEMORY_MARGIN)
        self.assertEqual(0, self.queue(self.b)["ready"])

    def test_claim_of_two_gigabytes_costs_nothing(self):
        before = self.resident()
        huge = (2**31).to_bytes(4, "big")
        claims = [b"\x94\x10\x01\x00\xc6" + huge, b"\xdd" + huge, b"\x93\x04\x01\xdf" + huge, b"\x93\x04\x01\xdb" + huge]
        for _, endpoint in self.sockets():
            for frame in claims:
                with Peer(endpoint) as hostile:
                    if endpoint == self.b.clients:
                        hostile.hello()
                    else:
                        hostile.worker_hello("claimer", os.urandom(16))
                    hostile.send(frame)
                    answer = hostile.receive_type(peer.ERROR, 10)
                    self.assertIn(answer[2], (peer.TOO_LARGE, peer.BAD_MESSAGE), answer)
            # The same claim in the framing below the messages.
            with RawConnection(endpoint) as raw:
                raw.greet()
                raw.send(b"\x02" + (2**31).to_bytes(8, "big") + b"x" * 1000)
                self.assertTrue(raw.closed_by_peer())
        self.assertLess(self.resident() - before, MEMORY_MARGIN)
        self.rota(self.b, "submit", "--wait", "--", "true")

    def test_payload_over_the_limit_is_too_large(self):
        with Peer(self.b.clients) as client:
            client.hello()
            answer = client.ask(peer.submit_frame(4, [peer.make_id()], payload=b"x" * (1024 * 1024 + 1)))
            self.assertEqual((peer.ERROR, 4, peer.TOO_LARGE), tuple(answer[:3]))
            self.assertEqual([0], client.submit([peer.make_id("bulk")], queue="bulk", payload=b"x" * (1024 * 1024)))

    def test_half_messages_and_half_connections_are_harmless(self):
        with HonestLoad(self, self.b):
            raws = []
            for _, endpoint in self.sockets():
                for data in (b"", b"\xff", b"GET / HTTP/1.1\r\n\r\n", os.urandom(64), b"\xff" + bytes(8) + b"\x7f\x03"):
                    raw = RawConnection(endpoint)
                    raws.append(raw)
                    raw.send(data)
                raw = RawConnection(endpoint)
                raws.append(raw)
                raw.greet()
                raw.send(b"\x00\x40half a frame")
                raw = RawConnection(endpoint)
                raws.append(raw)
                raw.greet()
                raw.send(b"\x01\x04more" * 1000)
            for _ in range(3):
                self.rota(self.b, "submit", "--wait", "--", "true")
            for raw in raws:
                raw.socket.close()

    def test_messages_of_several_frames_are_dropped_and_counted(self):
        before = self.bad()
        for _, endpoint in self.sockets():
            with Peer(endpoint) as hostile:
                hostile.send_frames([peer.pack(peer.PING, 1), b"second"])
                hostile.send_frames([b""] * 1000)
                hostile.send_frames([b"", peer.pack(peer.PING, 1)])
                # Whatever it is told, an honest message is still understood.
                self.assertIn("broker", hostile.hello() if endpoint == self.b.clients
                              else hostile.worker_hello("several", os.urandom(16)))
        self.assert_counted(before, 4, "frames of several parts")
        self.rota(self.b, "submit", "--wait", "--", "true")

    def test_flood_of_a_peer_that_never_reads_does_not_stop_the_others(self):
        with HonestLoad(self, self.b) as load, Peer(self.b.clients) as flood:
            flood.hello()
            flood.socket.sndhwm = 0
            frame = peer.pack(peer.GET, 1, False, [peer.make_id() for _ in range(1000)])
            for _ in range(2000):
                flood.send(frame)
            begun = load.done
            eventually(lambda: load.done >= begun + 3, 60, "honest jobs go on")
        self.assertEqual(200, self.b.get("/healthz")[0])
        self.assertLess(self.resident(), 1024 * 1024 * 1024 * SHADOWS)


if __name__ == "__main__":
    rota_harness.main()
