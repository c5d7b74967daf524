"""Every code that a peer can cause, caused. The table says which tests show which code, and why some cannot be shown.

What is over a limit (TOO_LARGE) is tried row by row in test_limits; STALE and GONE of tokens also in test_reattach.
"""

import dataclasses
import signal
import uuid

import msgpack

from interop_test import InteropTest, m, main, typed
from rota_interop.worker import Refused, Worker

# Code → the tests of this file that cause it.
SHOWN = {
    m.Code.OK: ("test_ok_answers_items_completions_tokens_and_verbs",),
    m.Code.DUPLICATE: ("test_duplicate_answers_a_resend_a_held_key_and_a_repeated_retry",),
    m.Code.RETRY_LATER: ("test_retry_later_answers_memory_jobs_over_the_memory_limit",),
    m.Code.NO_SESSION: ("test_no_session_answers_everything_before_hello_and_after_goodbye",),
    m.Code.VERSION: ("test_version_answers_a_hello_without_a_common_version",),
    m.Code.BAD_MESSAGE: ("test_bad_message_answers_garbage", "test_bad_message_answers_fields_that_break_a_rule",
                         "test_bad_message_answers_messages_of_the_other_endpoint", "test_bad_message_answers_a_greeting_without_what_is_required",
                         "test_bad_message_answers_ids_of_other_queues_and_of_the_future_item_by_item",
                         "test_bad_message_answers_wrong_administration"),
    m.Code.TOO_LARGE: ("test_too_large_answers_a_payload_over_max_payload",),
    m.Code.NOT_FOUND: ("test_not_found_answers_unknown_jobs_queues_and_workers",),
    m.Code.GONE: ("test_gone_answers_ids_older_than_the_window_and_tokens_of_unknown_jobs",),
    m.Code.CONFLICT: ("test_conflict_answers_other_content_a_weaker_holder_and_what_has_ended",
                      "test_conflict_answers_a_second_live_session_of_a_name"),
    m.Code.STALE: ("test_stale_answers_superseded_tokens",),
    m.Code.SHUTTING_DOWN: ("test_shutting_down_is_the_reason_of_the_brokers_goodbye",),
    m.Code.STORE_FULL: ("test_store_full_answers_submits_over_the_store_limit",),
}
NOT_SHOWN = {
    m.Code.MOVED: "reserved for several brokers: one broker owns every slot",
    m.Code.FORBIDDEN: "reserved for authentication: nobody is refused anything yet",
    m.Code.CANCELLED: "no message carries it: a cancelled job shows as its state, and as how an attempt ended",
    m.Code.TIMED_OUT: "no message carries it: it shows as how an attempt ended",
    m.Code.INTERNAL: "a fault of the broker, which no peer can cause",
}


class Codes(InteropTest):
    def test_every_code_is_shown_or_said_to_be_out_of_reach(self):
        self.assertEqual(set(m.Code), set(SHOWN) | set(NOT_SHOWN))
        self.assertEqual(set(), set(SHOWN) & set(NOT_SHOWN))
        for tests in SHOWN.values():
            for test in tests:
                self.assertTrue(hasattr(self, test), test)

    # --- success --------------------------------------------------------------------------------------------------------------

    def test_ok_answers_items_completions_tokens_and_verbs(self):
        broker = self.broker()
        client = self.raw_client(broker)
        self.assert_code(m.Code.OK, client.submit(m.Item(0, client.new_id())).items[0])
        self.assert_code(m.Code.OK, client.call(m.Admin, "queues"))
        worker = self.raw_worker(broker)
        self.assertEqual(m.Code.OK, worker.complete(worker.take_one()))

    def test_duplicate_answers_a_resend_a_held_key_and_a_repeated_retry(self):
        broker = self.broker()
        client = self.raw_client(broker)
        item = m.Item(0, client.new_id(), key="k")
        client.submit(item)
        self.assert_code(m.Code.DUPLICATE, client.submit(item).items[0])
        self.assert_code(m.Code.DUPLICATE, client.submit(m.Item(0, client.new_id(), key="k")).items[0])
        client.call(m.Cancel, (item.id,))
        client.call(m.Retry, (m.RetryItem(item.id, 0),))
        self.assert_code(m.Code.DUPLICATE, client.call(m.Retry, (m.RetryItem(item.id, 0),)).items[0])

    # --- refused for now ------------------------------------------------------------------------------------------------------

    def test_retry_later_answers_memory_jobs_over_the_memory_limit(self):
        broker = self.broker("--memory-limit", "16MiB")
        client = self.raw_client(broker)
        memory, payload = typed("t", durability=m.Durability.MEMORY), b"x" * 1_000_000
        refused = self.until_refused(client, memory, payload, 8)
        self.assert_code(m.Code.RETRY_LATER, refused)
        self.assertLess(0, refused.retry_after)
        self.assertIn("--memory-limit", refused.message)
        client.submit_one(typed("t"))  # stored jobs are taken all the same

    def test_store_full_answers_submits_over_the_store_limit(self):
        broker = self.broker("--store-limit", "256MiB")
        client = self.raw_client(broker)
        accepted = client.submit_one()
        refused = self.until_refused(client, typed("t"), b"x" * 1_000_000, 64)
        self.assert_code(m.Code.STORE_FULL, refused)
        self.assertLess(0, refused.retry_after)
        # What was accepted goes on.
        worker = self.raw_worker(broker)
        token = worker.take_one()
        self.assertEqual(accepted, token.id)
        self.assertEqual(m.Code.OK, worker.complete(token, credit=0))

    def until_refused(self, client, shared, payload, most):
        """Submits eight jobs at a time until they are refused; the ERROR, or the first refused answer with its retry_after."""
        for _ in range(most):
            said = client.submit(*[m.Item(0, client.new_id(), payload) for _ in range(8)], shared=shared)
            if isinstance(said, m.Error):
                return said
            for answer in said.items:
                if answer.code != m.Code.OK:
                    return m.Error(said.request, answer.code, answer.message, said.retry_after)
        self.fail("nothing was refused")

    def test_shutting_down_is_the_reason_of_the_brokers_goodbye(self):
        for connect in (self.raw_client, self.raw_worker):
            goodbye = None
            for number in range(5):  # it is lost where this process does not read before the connection ends
                broker = self.broker(data=f"{connect.__name__}-{number}")
                peer = connect(broker)
                broker.kill(signal.SIGTERM)
                goodbye = peer.receive(3)
                self.assertEqual(0, broker.wait())
                if goodbye is not None:
                    break
            self.assertIsInstance(goodbye, m.Goodbye)
            self.assert_code(m.Code.SHUTTING_DOWN, goodbye)

    # --- sessions -------------------------------------------------------------------------------------------------------------

    CLIENT_REQUESTS = ((m.Ping,), (m.Submit, 0, (), ()), (m.Wait, False, ()), (m.Get, False, ()), (m.Cancel, ()), (m.Retry, ()),
                       (m.List, m.Filter()), (m.Admin, "queues"))
    WORKER_REQUESTS = ((m.Ping,), (m.Complete, 0, 0, ()), (m.Renew, 0, 0))

    def test_no_session_answers_everything_before_hello_and_after_goodbye(self):
        broker = self.broker()
        for endpoint, requests, greeting in ((broker.clients, self.CLIENT_REQUESTS, m.Greeting(min=1, max=1)),
                                             (broker.workers, self.WORKER_REQUESTS, self.greeting())):
            connection = self.connect(endpoint)
            for shape, *fields in requests:
                with self.subTest("new", shape=shape):
                    self.assert_code(m.Code.NO_SESSION, connection.call(shape, *fields))
            connection.send(m.Goodbye(0, m.Code.OK, ""))  # ignored
            self.assertIsInstance(connection.call(m.Hello, greeting), m.Welcome)
            connection.send(m.Goodbye(0, m.Code.OK, ""))
            for shape, *fields in requests:
                with self.subTest("over", shape=shape):
                    self.assert_code(m.Code.NO_SESSION, connection.call(shape, *fields))
        connection.send(m.Released(0, 0, ()))  # has no request number
        self.assert_code(m.Code.NO_SESSION, connection.answer_to(0))

    def test_version_answers_a_hello_without_a_common_version(self):
        broker = self.broker()
        for endpoint in (broker.clients, broker.workers):
            for lowest, highest in ((2, 7), (0, 0)):
                refused = self.connect(endpoint).call(m.Hello, m.Greeting(min=lowest, max=highest))
                self.assert_code(m.Code.VERSION, refused)
                for number in {lowest, highest, m.PROTOCOL_VERSION}:
                    self.assertIn(str(number), refused.message)
        self.assertIsInstance(self.connect(broker.clients).call(m.Hello, m.Greeting(min=0, max=9)), m.Welcome)

    def test_conflict_answers_a_second_live_session_of_a_name(self):
        broker = self.broker()
        holder = self.greeting(name="node1", host="here", boot="boot 1", pid=10, start=100)
        self.raw_worker(broker, holder)
        for other in (dict(host="elsewhere"), dict(pid=11), dict(boot="boot 2", host="elsewhere")):
            _, refused = self.hello(broker, dataclasses.replace(holder, session=uuid.uuid4(), **other))
            self.assert_code(m.Code.CONFLICT, refused)
            self.assertIn("here", refused.message)
        worker = Worker(broker.workers, "node1", handlers={"t": lambda run: b""})
        with self.assertRaises(Refused) as raised:
            worker.run()
        self.assertEqual(m.Code.CONFLICT, raised.exception.code)
        # A greeting that proves the holder dead takes the name: the host has booted since, or its process number was given anew.
        self.raw_worker(broker, dataclasses.replace(holder, session=uuid.uuid4(), start=200))
        self.raw_worker(broker, dataclasses.replace(holder, session=uuid.uuid4(), boot="boot 2"))

    # --- refused for good -----------------------------------------------------------------------------------------------------

    def test_bad_message_answers_garbage(self):
        broker = self.broker()
        for endpoint in (broker.clients, broker.workers):
            connection = self.connect(endpoint)
            for frame, request in (
                    (b"", 0), (b"\xc1", 0), (b"hello", 0), (msgpack.packb({"a": 1}), 0), (msgpack.packb([]), 0), (msgpack.packb([4]), 0),
                    (msgpack.packb(["4", 7]), 0), (msgpack.packb([4, 7]) + b"\0", 7), (msgpack.packb([99, 7]), 7), (msgpack.packb([29, 7]), 7),
                    (msgpack.packb([5, 7]), 7), (msgpack.packb([4, -1]), 0),
                    (msgpack.packb([1, 7, msgpack.ExtType(4, b"x")]), 7), (msgpack.packb([1, 7]), 7)):
                with self.subTest(endpoint, frame=frame):
                    connection.send_frames([frame], 5)
                    refused = connection.receive(5)
                    self.assert_code(m.Code.BAD_MESSAGE, refused)
                    self.assertEqual(request, refused.request)
            connection.send_frames([b"", msgpack.packb([4, 7])], 5)  # two frames
            self.assertEqual((m.Code.BAD_MESSAGE, 0), (lambda e: (e.code, e.request))(connection.receive(5)))

    def test_bad_message_answers_messages_of_the_other_endpoint(self):
        broker = self.broker()
        client, worker = self.raw_client(broker), self.raw_worker(broker)
        for peer, requests in ((worker, self.CLIENT_REQUESTS), (client, self.WORKER_REQUESTS)):
            for shape, *fields in requests[1:]:
                with self.subTest(shape=shape):
                    self.assert_code(m.Code.BAD_MESSAGE, peer.call(shape, *fields))

    def test_bad_message_answers_a_greeting_without_what_is_required(self):
        broker = self.broker()
        for name in ("session", "connection", "name", "slots", "queues"):
            with self.subTest(name):
                _, refused = self.hello(broker, dataclasses.replace(self.greeting(), **{name: None}))
                self.assert_code(m.Code.BAD_MESSAGE, refused)
                self.assertIn(name, refused.message)
        for changes in (dict(name="two words"), dict(name=""), dict(slots=0), dict(queues=(m.QueueWeight("a b"),)), dict(types=("a b",)),
                        dict(queues=(m.QueueWeight("default", 0),))):
            with self.subTest(changes):
                _, refused = self.hello(broker, dataclasses.replace(self.greeting(), **changes))
                self.assert_code(m.Code.BAD_MESSAGE, refused)

    def test_bad_message_answers_fields_that_break_a_rule(self):
        client = self.raw_client(self.broker())
        client.connection.send_frames([msgpack.packb([1, 7, {"min": 1, "max": 1, "host": None}])], 5)  # a key is left out, not nil
        self.assert_code(m.Code.BAD_MESSAGE, client.answer_to(7))
        good = m.Item(0, client.new_id())
        for shared, item in (
                (typed("a b"), good), (typed(""), good), (typed("t", queue="ü"), good),
                (typed("t", priority=128), good), (typed("t", backoff_factor=999), good), (typed("t", durability=1), good),
                (m.Shared("default", "exec"), good),
                (m.Shared("default", "exec", spec=m.Spec(m.Command(()))), good),
                (m.Shared("default", "exec", spec=m.Spec(m.Command((b"a\0b",)))), good),
                (m.Shared("default", "exec", spec=m.Spec(m.Command((b"a",), {b"": b"x"}))), good),
                (m.Shared("default", "exec", spec=m.Spec(m.Command((b"a",), {b"A=B": b"x"}))), good),
                (m.Shared("default", "t", spec=m.Spec(headers={"": "x"})), good),
                (m.Shared("default", "t", spec=m.Spec(headers={"a": "\n"})), good),
                (m.Shared("default", "t", spec=m.Spec(name="\x07")), good),
                (typed("t"), dataclasses.replace(good, shared=1)), (typed("t"), dataclasses.replace(good, key="\n")),
                (typed("t"), dataclasses.replace(good, selector=b"a\0b")), (typed("t"), dataclasses.replace(good, id=uuid.uuid4()))):
            with self.subTest(shared=shared, item=item):
                self.assert_code(m.Code.BAD_MESSAGE, client.submit(item, shared=shared))
        self.assert_code(m.Code.BAD_MESSAGE, client.submit(good, flags=2))
        self.assert_code(m.Code.BAD_MESSAGE, client.call(m.Wait, True, (uuid.uuid4(),)))
        for key in (14, 31, -1):  # a key that would change how the job runs; one from 32 on is a hint
            self.assert_code(m.Code.BAD_MESSAGE, self.submit_with_option(client, key))
        self.assert_code(m.Code.OK, self.submit_with_option(client, 32).items[0])

    def submit_with_option(self, client, key):
        request = client.connection.next_request()
        frame = msgpack.packb([16, request, 0, [["default", "t", {key: 1}]], [[0, client.new_id().bytes]]])
        client.connection.send_frames([frame], 5)
        return client.answer_to(request)

    def test_bad_message_answers_ids_of_other_queues_and_of_the_future_item_by_item(self):
        client = self.raw_client(self.broker())
        ahead = uuid.UUID(int=client.new_id().int + (120_000 << 80))
        answers = client.submit(m.Item(0, client.new_id("mail")), m.Item(0, ahead), m.Item(0, client.new_id())).items
        self.assertEqual([m.Code.BAD_MESSAGE, m.Code.BAD_MESSAGE, m.Code.OK], [answer.code for answer in answers])

    def test_bad_message_answers_wrong_administration(self):
        client = self.raw_client(self.broker())
        client.submit_one()
        for verb, arguments in (("dance", {}), ("pause", {}), ("pause", {"queue": "a b"}), ("drain", {}),
                                ("purge", {"queue": "default", "state": "running"}), ("purge", {"queue": "default", "state": "happy"})):
            with self.subTest(verb, arguments=arguments):
                self.assert_code(m.Code.BAD_MESSAGE, client.call(m.Admin, verb, arguments))

    def test_too_large_answers_a_payload_over_max_payload(self):
        client = self.raw_client(self.broker("--max-payload", "1KiB"))
        good, large = m.Item(0, client.new_id(), b"x" * 1024), m.Item(0, client.new_id(), b"x" * 1025)
        self.assert_code(m.Code.TOO_LARGE, client.submit(good, large))
        self.assert_code(m.Code.OK, client.submit(good).items[0])  # nothing of the refused message was accepted

    def test_not_found_answers_unknown_jobs_queues_and_workers(self):
        client = self.raw_client(self.broker())
        nobody = client.new_id()
        self.assert_code(m.Code.NOT_FOUND, client.call(m.Wait, True, (nobody,)).items[0])
        self.assert_code(m.Code.NOT_FOUND, client.call(m.Get, True, (nobody,)).jobs[0])
        self.assert_code(m.Code.NOT_FOUND, client.call(m.Cancel, (nobody,)).items[0])
        self.assert_code(m.Code.NOT_FOUND, client.call(m.Retry, (m.RetryItem(nobody),)).items[0])
        for verb, arguments in (("drain", {"worker": "nobody"}), ("purge", {"queue": "nothing"})):
            with self.subTest(verb):
                self.assert_code(m.Code.NOT_FOUND, client.call(m.Admin, verb, arguments))

    def test_gone_answers_ids_older_than_the_window_and_tokens_of_unknown_jobs(self):
        broker = self.broker()
        client = self.raw_client(broker)
        old = uuid.UUID(int=client.new_id().int - (3_600_000 << 80))
        self.assert_code(m.Code.GONE, client.submit(m.Item(0, old)).items[0])
        token = m.Token(client.new_id(), 1, 1)
        worker = self.raw_worker(broker, started=(token,), held=(token,), finished=(token,))
        self.assertEqual(((m.Code.GONE,),) * 3, (worker.welcome.started, worker.welcome.held, worker.welcome.finished))
        self.assertEqual(m.Code.GONE, worker.complete(token))

    def test_conflict_answers_other_content_a_weaker_holder_and_what_has_ended(self):
        broker = self.broker()
        client = self.raw_client(broker)
        item = m.Item(0, client.new_id(), b"one", key="k")
        client.submit(item, shared=typed("t", durability=m.Durability.MEMORY))
        self.assert_code(m.Code.CONFLICT, client.submit(dataclasses.replace(item, payload=b"two")).items[0])
        self.assert_code(m.Code.CONFLICT, client.submit(m.Item(0, client.new_id(), key="k")).items[0])  # asks for the disk
        self.assert_code(m.Code.CONFLICT, client.call(m.Retry, (m.RetryItem(item.id),)).items[0])  # not final
        worker = self.raw_worker(broker)
        worker.complete(worker.take_one())
        self.assert_code(m.Code.CONFLICT, client.call(m.Cancel, (item.id,)).items[0])
        self.assert_code(m.Code.CONFLICT, client.call(m.Retry, (m.RetryItem(item.id, 0),)).items[0])  # an attempt more than seen

    def test_stale_answers_superseded_tokens(self):
        broker = self.broker()
        client = self.raw_client(broker)
        client.submit_one(typed("t", retries=1, backoff=0))
        worker = self.raw_worker(broker)
        first = worker.take_one()
        worker.complete(first, m.End.FAILED)
        second = worker.take_one()
        self.assertEqual(m.Code.STALE, worker.complete(dataclasses.replace(first, epoch=first.epoch + 1), started_through=second.dispatch))
        self.assertEqual(m.Code.OK, worker.complete(first, started_through=second.dispatch))  # the last consumed token
        self.assertEqual(m.Code.OK, worker.complete(second))
        self.assertEqual(m.Code.STALE, worker.complete(first, started_through=second.dispatch))


if __name__ == "__main__":
    main()
