"""A request whose answer is lost and that is sent again changes nothing more: submits, completions."""

import os
import time

import rota_harness
import rota_peer as peer
from rota_harness import RotaTest, eventually
from rota_peer import Peer


class SubmitAgain(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def code_of(self, result):
        return peer.OK if result == 0 else result[0]

    def test_the_same_bytes_again_make_one_job(self):
        jobs = [peer.make_id() for _ in range(10)]
        with Peer(self.b.clients) as client:
            client.hello()
            self.assertEqual([0] * 10, client.submit(jobs))
            again = client.submit(jobs)
            self.assertLessEqual({self.code_of(result) for result in again}, {peer.OK, peer.DUPLICATE})
        self.assertEqual(10, self.queue(self.b)["ready"])

    def test_lost_acknowledgement_before_a_kill_of_the_broker(self):
        jobs = [peer.make_id() for _ in range(10)]
        frame = peer.submit_frame(7, jobs)
        # Gone before the answer comes: whether it was accepted nobody knows.
        with Peer(self.b.clients) as client:
            client.hello()
            client.send(frame)
            eventually(lambda: self.queue(self.b)["ready"] == 10, 10, "the submit arrives")
        self.b.kill()
        self.b = self.restart(self.b)
        for _ in range(3):
            with Peer(self.b.clients) as client:
                client.hello()
                answer = client.ask(frame)
                self.assertEqual(peer.SUBMITTED, answer[0])
                self.assertLessEqual({self.code_of(result) for result in answer[2]}, {peer.OK, peer.DUPLICATE})
        self.assertEqual(10, self.queue(self.b)["ready"])

    def test_finished_job_does_not_run_again_also_after_a_kill(self):
        job = peer.make_id()
        frame = peer.submit_frame(7, [job], kind="exec", argv=["sh", "-c", f"echo ran >> {self.directory}/runs"])
        self.worker(self.b)
        with Peer(self.b.clients) as client:
            client.hello()
            client.ask(frame)
            self.rota(self.b, "wait", peer.text_of(job))
            answer = client.ask(frame)
            self.assertEqual([peer.DUPLICATE, peer.SUCCEEDED], answer[2][0][:2])
        self.b.kill()
        self.b = self.restart(self.b)
        with Peer(self.b.clients) as client:
            client.hello()
            answer = client.ask(frame)
            self.assertEqual([peer.DUPLICATE, peer.SUCCEEDED], answer[2][0][:2])
        self.assertEqual("ran\n", (self.directory / "runs").read_text())

    def test_same_id_with_other_content_is_a_conflict(self):
        job = peer.make_id()
        with Peer(self.b.clients) as client:
            client.hello()
            client.submit([job], payload=b"one")
            self.assertEqual(peer.CONFLICT, self.code_of(client.submit([job], payload=b"two")[0]))
            self.assertEqual(peer.CONFLICT, self.code_of(client.submit([job], payload=b"one", kind="other")[0]))
        self.assertEqual(1, self.queue(self.b)["ready"])

    def test_ids_far_from_the_brokers_clock_are_refused(self):
        with Peer(self.b.clients) as client:
            client.hello()
            for at in (time.time() - 3600, time.time() + 3600):
                self.assertNotEqual(peer.OK, self.code_of(client.submit([peer.make_id(at=at)])[0]))
        self.assertEqual(0, self.queue(self.b)["ready"])

    def test_client_that_says_nothing_while_the_broker_restarts_loses_nothing(self):
        """The client program itself: its submit is under way while the broker is killed."""
        ids = self.rota(self.b, "id", "--count", "20").lines
        self.b.kill()
        processes = [self.start_rota(self.b, "--timeout", "60s", "submit", "--id", job, "--", "true") for job in ids]
        self.b = self.restart(self.b)
        for process in processes:
            self.assertEqual(0, process.wait(60), process.log_text())
        self.assertEqual(20, self.queue(self.b)["ready"])


class CompleteAgain(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def run_one(self, worker):
        """Takes one dispatched job; returns (id, epoch, dispatch)."""
        message = worker.receive_type(peer.DISPATCH, 10)
        self.assertIsNotNone(message, "a job is dispatched")
        _, _, epoch, _, items = message
        return items[0][2], epoch, items[0][1]

    def complete(self, worker, job, epoch, dispatch, request, end=0, result=b"done"):
        answer = worker.ask(peer.pack(peer.COMPLETE, request, dispatch, 1, [[job, epoch, dispatch, end, 1, [result]]]))
        self.assertEqual(peer.COMPLETED, answer[0], answer)
        return answer[2][0]

    def submitted(self, count=1):
        jobs = [peer.make_id() for _ in range(count)]
        with Peer(self.b.clients) as client:
            client.hello()
            client.submit(jobs)
        return jobs

    def test_completion_sent_twice_counts_once_and_another_is_stale(self):
        job, = self.submitted()
        with Peer(self.b.workers) as worker:
            worker.worker_hello("peer", os.urandom(16))
            token = self.run_one(worker)
            self.assertEqual(job, token[0])
            self.assertEqual(peer.OK, self.complete(worker, *token, request=11))
            self.assertEqual(peer.OK, self.complete(worker, *token, request=12))
            self.assertEqual(peer.STALE, self.complete(worker, job, token[1], token[2] + 1, request=13))
            self.assertEqual(peer.GONE, self.complete(worker, peer.make_id(), *token[1:], request=14))
        self.assertEqual("done", self.rota(self.b, "result", peer.text_of(job)).out)
        self.assertEqual(1, self.queue(self.b)["succeeded"])

    def test_completion_unanswered_at_a_kill_is_accepted_once_after_it(self):
        job, = self.submitted()
        session = os.urandom(16)
        with Peer(self.b.workers) as worker:
            worker.worker_hello("peer", session)
            token = self.run_one(worker)
            worker.send(peer.pack(peer.COMPLETE, 20, token[2], 1, [[*token, 0, 1, [b"done"]]]))
            self.b.kill()
        self.b = self.restart(self.b)
        with Peer(self.b.workers) as worker:
            welcome = worker.worker_hello("peer", session, connection=2, finished=[list(token)])
            self.assertIn("finished", welcome)
            self.assertEqual(peer.OK, self.complete(worker, *token, request=21))
            self.assertEqual(peer.OK, self.complete(worker, *token, request=22))
        facts = self.status(self.b, peer.text_of(job))
        self.assertEqual(("succeeded", 1, 0), tuple(facts[k] for k in ("state", "attempt", "losses")))

    def test_dispatch_lost_with_the_connection_is_given_out_again_without_a_loss(self):
        job, = self.submitted()
        session = os.urandom(16)
        with Peer(self.b.workers) as worker:
            worker.worker_hello("peer", session)
            self.run_one(worker)
        with Peer(self.b.workers) as worker:
            worker.worker_hello("peer", session, connection=2)
            token = self.run_one(worker)
            self.assertEqual(job, token[0])
            self.assertEqual(peer.OK, self.complete(worker, *token, request=30))
        facts = self.status(self.b, peer.text_of(job))
        self.assertEqual(("succeeded", 0), tuple(facts[k] for k in ("state", "losses")))

    def test_completion_after_the_job_was_given_to_another_is_stale(self):
        self.assertEqual(0, self.b.stop())
        self.b = self.restart(self.b, "--lease", "1s", "--reattach", "2s")
        job, = self.submitted()
        session = os.urandom(16)
        with Peer(self.b.workers) as silent, Peer(self.b.workers) as other:
            silent.worker_hello("silent", session)
            late = self.run_one(silent)
            other.worker_hello("other", os.urandom(16))

            def given_out_again():
                other.send(peer.pack(peer.RENEW, 5, 0, 1))
                message = other.receive(0.2)
                return message is not None and message[0] == peer.DISPATCH and message
            _, _, epoch, _, items = eventually(given_out_again, 20, "the job is dispatched again")
            self.assertEqual((job, 2), (items[0][2], items[0][3]))
            welcome = silent.worker_hello("silent", session, connection=2, finished=[list(late)])
            self.assertEqual([peer.STALE], welcome["finished"])
            self.assertEqual(peer.STALE, self.complete(silent, *late, request=40, result=b"late"))
            self.assertGreaterEqual(self.b.metric("rota_stale_tokens_total"), 1)
            self.assertEqual(peer.OK, self.complete(other, job, epoch, items[0][1], request=41, result=b"second"))
        self.assertEqual("second", self.rota(self.b, "result", peer.text_of(job)).out)


if __name__ == "__main__":
    rota_harness.main()
