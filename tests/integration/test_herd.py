"""A herd: thousands of workers with a running job each, and as many waiting clients' jobs, when the broker is killed.

All come back at once when it is restarted; no lease is lost to the stampede and nothing runs twice. ROTA_HERD (1000) is how
many: half workers, half clients. At the limit of descriptors the broker goes on serving whom it serves.
"""

import os
import resource
import shutil
import sys
import unittest

import rota_harness
import rota_peer as peer
from rota_harness import RotaTest, eventually
from rota_peer import pack
from zmtp_crowd import Crowd

HERD = int(os.environ.get("ROTA_HERD", "1000"))


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
            if member.number in self.tokens:
                self.assertEqual([0], message[2].get("started"), f"worker {member.number} keeps its job")
        elif message[0] == peer.DISPATCH:
            _, _, epoch, _, items = message
            self.assertNotIn(member.number, self.tokens, "one job a worker")
            self.tokens[member.number] = [items[0][2], epoch, items[0][1]]
        elif message[0] == peer.COMPLETED:
            self.assertEqual([0], message[2])
            self.completed.add(member.number)

    def test_all_come_back_at_once(self):
        count = HERD // 2
        broker = self.broker("--lease", "60s", "--reattach", "120s")  # the crowd does not renew
        with peer.Peer(broker.clients) as client:
            client.hello()
            jobs = [peer.make_id() for _ in range(count)]
            for at in range(0, count, 1000):
                self.assertEqual({0}, set(client.submit(jobs[at:at + 1000], request=at + 2, seconds=30)))
        self.tokens, self.welcomed, self.completed, self.told = {}, set(), set(), set()
        workers = Crowd(broker.workers, count, lambda m: workers.send(m, self.hello_of(m)), self.on_worker)
        self.addCleanup(workers.close)
        workers.run_until(lambda: len(self.tokens) == count, 120, lambda: f"{len(self.tokens)} run a job")

        greeted = set()

        def on_client(member, message):
            if message[0] == peer.WELCOME:
                greeted.add(member.number)
                clients.send(member, pack(peer.WAIT, 2, False, [jobs[member.number]]))
            elif message[0] == peer.NOTIFY:
                self.assertEqual(peer.SUCCEEDED, message[2][0][2], message)
                self.told.add(member.number)
        hello = pack(peer.HELLO, 1, {"min": 1, "max": 1, "software": "herd"})
        clients = Crowd(broker.clients, count, lambda m: clients.send(m, hello), on_client)
        self.addCleanup(clients.close)
        clients.run_until(lambda: len(greeted) == count, 120, lambda: f"{len(greeted)} clients wait")

        broker.kill()
        self.welcomed.clear()
        greeted.clear()
        again = self.restart(broker, "--lease", "60s", "--reattach", "120s")
        begun = rota_harness.time.monotonic()
        # Both crowds are served by this one thread, turn by turn: what is measured holds its time as well.
        while len(self.welcomed) < count or len(greeted) < count:
            for crowd in (workers, clients):
                crowd.run_until(lambda end=rota_harness.time.monotonic() + 0.02: rota_harness.time.monotonic() > end, 10, "")
            self.assertLess(rota_harness.time.monotonic() - begun, 120, f"{len(self.welcomed)} and {len(greeted)} are back")
        print(f"{2 * count} sessions back in {rota_harness.time.monotonic() - begun:.2f} s ", end="", file=rota_harness.sys.stderr)

        for member in workers.members:
            token = self.tokens[member.number]
            workers.send(member, pack(peer.COMPLETE, 3, token[2], 0, [[*token, 0, 1, [b"x"]]]))
        workers.run_until(lambda: len(self.completed) == count, 120, lambda: f"{len(self.completed)} completed")
        clients.run_until(lambda: len(self.told) == count, 120, lambda: f"{len(self.told)} told")
        self.assertEqual(0, again.metric(r"rota_losses_total|rota_stale_tokens_total"))
        facts = self.statuses(again, [peer.text_of(job) for job in jobs])
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
