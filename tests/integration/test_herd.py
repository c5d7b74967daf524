"""A herd: thousands of workers with a running job each, and as many waiting clients' jobs, when the broker is killed.

All come back at once when it is restarted, and renew their leases as workers do: none is lost to the stampede or behind it, and
nothing runs twice. ROTA_HERD (1000) is how many: half workers, half clients. At the limit of descriptors the broker goes on serving
whom it serves.
"""

import os
import resource
import shutil
import sys
import time
import unittest
from collections import Counter

import rota_harness
import rota_peer as peer
from rota_harness import RotaTest, eventually
from rota_peer import pack
from zmtp_crowd import Crowd

HERD = int(os.environ.get("ROTA_HERD", "1000"))
PING_SECONDS = 20  # a client that says nothing for a minute is forgotten
LEASES = 4  # RENEWs of each worker that are answered behind its return: more than a lease goes by


class Herd(RotaTest):
    seconds = 240 + HERD / 20

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < HERD + 500:
            self.skipTest(f"only {hard} files may be open")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def hello_of(self, member):
        token = self.tokens.get(member.number)
        return pack(peer.HELLO, 1, {
            "min": 1, "max": 1, "software": "herd", "host": "h", "pid": 1, "boot": "b", "start": 1,
            "session": (member.number + 1).to_bytes(16, "big"), "connection": member.connections, "name": f"w{member.number}",
            "slots": 1, "credit": 0 if token else 1, "draining": False, "queues": [["default", 1]], "types": ["noop"],
            "labels": {}, "started": [token] if token else [], "held": [], "finished": []})

    def on_worker(self, member, message):
        if message[0] == peer.WELCOME:
            self.welcomed.add(member.number)
            self.lease = message[2]["lease"] / 1000
            self.renew_at[member.number] = time.monotonic() + self.lease / 3
            if member.number in self.tokens:
                self.assertEqual([0], message[2].get("started"), f"worker {member.number} keeps its job")
        elif message[0] == peer.DISPATCH:
            _, _, epoch, _, items = message
            self.assertNotIn(member.number, self.tokens, "one job a worker")
            self.tokens[member.number] = [items[0][2], epoch, items[0][1]]
        elif message[0] == peer.RENEWED:
            self.renewed[member.number] += 1
        elif message[0] == peer.COMPLETED:
            self.assertEqual([0], message[2])
            self.completed.add(member.number)
        else:
            self.fail(f"worker {member.number} is told {message}")  # that its session has ended, say

    def on_client(self, member, message):
        if message[0] == peer.WELCOME:
            self.greeted.add(member.number)
            self.clients.send(member, pack(peer.WAIT, 2, False, [self.jobs[member.number]]))
        elif message[0] == peer.NOTIFY:
            self.assertEqual(peer.SUCCEEDED, message[2][0][2], message)
            self.told.add(member.number)

    def renew(self):
        """What a worker and a client say when nothing happens."""
        now = time.monotonic()
        for member in self.workers.members:
            if member.number in self.welcomed and now >= self.renew_at[member.number]:
                self.renew_at[member.number] = now + self.lease / 3
                token = self.tokens.get(member.number)
                self.workers.send(member, pack(peer.RENEW, 2, token[2] if token else 0, 0 if token else 1))
        if now >= self.ping_at:
            self.ping_at = now + PING_SECONDS
            for member in self.clients.members:
                if member.number in self.greeted:
                    self.clients.send(member, pack(peer.PING, 4))

    def serve_until(self, condition, what):
        """Both crowds are served by this one thread, turn by turn. The deadline is of a machine that does something else."""
        end = time.monotonic() + self.seconds / 2 * rota_harness.PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            self.renew()
            for crowd in (self.workers, self.clients):
                crowd.run_until(lambda until=time.monotonic() + 0.02: time.monotonic() > until, 10, "")

    def test_all_come_back_at_once(self):
        count = HERD // 2
        broker = self.broker()  # with the leases that brokers have
        with peer.Peer(broker.clients) as client:
            client.hello()
            self.jobs = [peer.make_id() for _ in range(count)]
            for at in range(0, count, 1000):
                self.assertEqual({0}, set(client.submit(self.jobs[at:at + 1000], request=at + 2, seconds=30)))
        self.tokens, self.renew_at, self.renewed, self.ping_at = {}, {}, Counter(), 0
        self.welcomed, self.greeted, self.completed, self.told = set(), set(), set(), set()
        self.workers = Crowd(broker.workers, count, lambda m: self.workers.send(m, self.hello_of(m)), self.on_worker)
        self.addCleanup(self.workers.close)
        hello = pack(peer.HELLO, 1, {"min": 1, "max": 1, "software": "herd"})
        self.clients = Crowd(broker.clients, count, lambda m: self.clients.send(m, hello), self.on_client)
        self.addCleanup(self.clients.close)
        self.serve_until(lambda: len(self.tokens) == count and len(self.greeted) == count, "all run a job or wait for one")

        broker.kill()
        self.welcomed.clear()
        self.greeted.clear()
        self.renewed.clear()
        again = self.restart(broker)
        begun = time.monotonic()
        # Who came too late is told so by the WELCOME, and its job went elsewhere: the broker says what is too late.
        self.serve_until(lambda: len(self.welcomed) == count and len(self.greeted) == count, "all are back")
        print(f"{2 * count} sessions back in {time.monotonic() - begun:.2f} s ", end="", file=sys.stderr)
        self.serve_until(lambda: sum(n >= LEASES for n in self.renewed.values()) == count, "all have renewed for a lease")
        self.assertEqual(count, again.metric(r'rota_sessions\{side="workers"\}'))
        self.assertEqual(0, again.metric(r"rota_losses_total|rota_stale_tokens_total|rota_dispatches_total"))

        for member in self.workers.members:
            token = self.tokens[member.number]
            self.workers.send(member, pack(peer.COMPLETE, 3, token[2], 0, [[*token, 0, 1, [b"x"]]]))
        self.serve_until(lambda: len(self.completed) == count and len(self.told) == count, "all have ended and are told")
        self.assertEqual(0, again.metric(r"rota_losses_total|rota_stale_tokens_total"))
        facts = self.statuses(again, [peer.text_of(job) for job in self.jobs])
        self.assertEqual({("succeeded", 1, 0)}, {(f["state"], f["attempt"], f["losses"]) for f in facts})

    @unittest.skipIf(rota_harness.SANITIZER == "address",
                     "its runtime asks a pipe whether memory may be read, and takes none for a broken object")
    def test_more_connections_than_descriptors(self):
        broker = self.broker(prefix=["prlimit", "--nofile=256:256"])
        worker = self.worker(broker)
        self.rota(broker, "submit", "--wait", "--", "true")
        with peer.Peer(broker.clients) as honest:
            honest.hello()
            refused = Crowd(broker.clients, 400, lambda m: None, lambda m, x: None)
            opened = lambda: sum(member.open for member in refused.members)  # noqa: E731
            try:
                refused.run_until(lambda: opened() >= 150, 60, lambda: f"{opened()} stand")
                # Whoever has a connection is served on, workers too.
                job = peer.make_id()
                self.assertEqual([0], honest.submit([job], argv=["true"], kind="exec", seconds=30))
                eventually(lambda: honest.jobs([job])[0]["state"] == peer.SUCCEEDED, 30, "the job ends")
            finally:
                refused.close()
        eventually(lambda: self.rota(broker, "submit", "--wait", "--", "true", code=None).code == 0, 60, "new clients are served")
        self.assertTrue(worker.alive)
        self.assertEqual(0, broker.stop())


if __name__ == "__main__":
    if shutil.which("prlimit") is None:
        print("skipped: prlimit is missing: apt-get install util-linux", file=sys.stderr)
        sys.exit(rota_harness.SKIPPED)
    rota_harness.main()
