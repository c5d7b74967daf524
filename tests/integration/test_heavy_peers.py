"""Honest peers with much to carry: large jobs for many slots, and many clients that send large submits at once. What bounds
hostile peers must not end them."""

import os
import threading

import rota_harness
from hostile_attacks import zmtp
from rota_harness import RotaTest, eventually, scale
from rota_peer import HELLO, Peer, RawConnection, make_id, pack, submit_frame

MEGABYTE = os.urandom(1_000_000)
MEMORY = {12: 2}  # the option `durability`


class HeavyPeers(RotaTest):
    def test_worker_with_many_slots_gets_a_large_job_for_each(self):
        broker = self.broker("--memory-limit", "1GiB")
        jobs = 100  # more bytes than may wait for one peer
        with Peer(broker.clients) as client:
            client.hello()
            for number in range(jobs):
                client.ask(submit_frame(10 + number, [make_id()], kind="eat", payload=MEGABYTE, options=MEMORY))
        self.worker(broker, "--command", "eat=cat", slots=jobs, exec=False)
        eventually(lambda: broker.metric(r"rota_jobs_finished_total\{.*succeeded") >= jobs, 60, "all jobs succeed")
        self.assertEqual(0, broker.metric("rota_outbox_overflows_total"))
        self.assertEqual(jobs, broker.metric("rota_dispatches_total"))

    def test_clients_with_large_submits_wait_their_turn(self):
        broker = self.broker("--memory-limit", "4GiB")
        clients, submits = scale(20, 5), 20
        over = threading.Event()
        ended = []

        def read_answers(connection):
            try:
                while connection.recv(65536):
                    pass
                ended.append("closed")
            except OSError as error:
                ended.append(str(error))

        def submit_all():
            with RawConnection(broker.clients) as line:
                line.greet()
                line.send(zmtp(pack(HELLO, 1, {"min": 1, "max": 1, "software": "heavy"})))
                line.socket.settimeout(None)
                threading.Thread(target=read_answers, args=(line.socket,), daemon=True).start()
                for number in range(submits):
                    line.send(zmtp(submit_frame(2 + number, [make_id()], payload=MEGABYTE, options=MEMORY)))
                over.wait()

        threads = [threading.Thread(target=submit_all) for _ in range(clients)]
        for thread in threads:
            thread.start()
        eventually(lambda: ended or broker.metric("rota_jobs_accepted_total") >= clients * submits, 120,
                   "every submit is accepted")
        self.assertEqual([], ended)
        over.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    rota_harness.main()
