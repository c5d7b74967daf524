"""Every row of the page's table of limits: what is at the limit is taken, what is over it is refused."""

import dataclasses
import uuid

from interop_test import InteropTest, eventually, m, main, typed
from rota_interop.codec import pack

LIMIT = m.LIMITS


def named(spec=m.Spec(), options=m.Options(), queue="default", kind="t"):
    return m.Shared(queue, kind, options, spec)


def command(*argv, **env):
    return m.Spec(m.Command(argv or (b"x",), env))


def argv_of_bytes(size):
    """A spec whose command takes that many bytes: each argument counts with its own length and 4 bytes."""
    return m.Shared("default", "exec", m.Options(), m.Spec(m.Command((b"x" * size,))))


class Limits(InteropTest):
    def setUp(self):
        super().setUp()
        self.running = self.broker("--lease", "60s")
        self.clients = self.raw_client(self.running)

    # --- builders: each makes one message whose size in question is `n`, and returns the answer ------------------------------

    def submit(self, shared=None, **item):
        shared = shared or typed("t")
        made = self.clients.new_id(shared.queue if len(shared.queue) < 100 else "default")
        return self.clients.submit(m.Item(0, made, **item), shared=shared)

    def greet(self, **changes):
        connection = self.connect(self.running.workers)
        greeting = self.greeting(name=changes.pop("name", uuid.uuid4().hex), **{k: v for k, v in changes.items() if k != "queues"})
        if "queues" in changes:
            greeting = dataclasses.replace(greeting, queues=changes["queues"])
        return connection.call(m.Hello, greeting)

    def complete(self, report):
        worker = self.raw_worker(self.running, name=uuid.uuid4().hex)
        item = m.Completion(self.clients.new_id(), 1, 1, m.End.FAILED, 0, report)
        return worker.call(m.Complete, 0, 1, (item,))

    def renew(self, message):
        worker = self.raw_worker(self.running, name=uuid.uuid4().hex)
        return worker.call(m.Renew, 0, 1, (m.Progress(self.clients.new_id(), 1, 1, 0.5, message),))

    def released(self, count):
        """RELEASED is not answered, so a PING behind it shows what became of it."""
        worker = self.raw_worker(self.running, name=uuid.uuid4().hex)
        worker.tell(m.Released, 1, (m.Token(self.clients.new_id(), 1, 1),) * count)
        request = worker.say(m.Ping)
        answer = worker.receive(5)
        return answer if isinstance(answer, m.Error) else worker.answer_to(request) if answer is None else answer

    def greet_with_unknown_keys(self, count):
        """A HELLO whose map has that many keys."""
        connection = self.connect(self.running.clients)
        connection.send_frames([pack([int(m.Type.HELLO), 1, {"min": 1, "max": 1, **{str(i): None for i in range(count - 2)}}])], 5)
        return connection.receive(5)

    def raw(self, value):
        """A PING with further fields, which are ignored as long as they keep to the limits."""
        request = self.clients.connection.next_request()
        self.clients.connection.send_frames([pack([int(m.Type.PING), request, *value])], 5)
        return self.clients.receive(5)

    def items(self, count):
        return self.clients.call(m.Get, False, (self.clients.new_id(),) * count)

    BUILDERS = {
        "queue and type name": lambda self, n: self.submit(named(kind="t" * n)),
        "worker name": lambda self, n: self.greet(name="w" * n),
        "job name": lambda self, n: self.submit(named(m.Spec(name="n" * n))),
        "key": lambda self, n: self.submit(key="k" * n),
        "headers": lambda self, n: self.submit(named(m.Spec(headers={f"h{i}": "" for i in range(n)}))),
        "headers together": lambda self, n: self.submit(named(m.Spec(headers={"h": "v" * (n - 1)}))),
        "software, host, boot": lambda self, n: self.greet(software="s" * n),
        "labels together": lambda self, n: self.greet(labels={"l": "v" * (n - 1)}),
        "labels": lambda self, n: self.greet(labels={f"l{i}": "" for i in range(n)}),
        "argv and env of one command": lambda self, n: self.submit(named(command(*[b"a"] * n), kind="exec")),
        "one command": lambda self, n: self.submit(argv_of_bytes(n)),
        "line": lambda self, n: self.submit(selector=b"l" * n),
        "error code": lambda self, n: self.complete(m.Report(error_code="E" * n)),
        "error message": lambda self, n: self.complete(m.Report(error_message="E" * n)),
        "stderr tail": lambda self, n: self.complete(m.Report(stderr_tail=b"e" * n)),
        "progress message": lambda self, n: self.renew("p" * n),
        "payload (max_payload)": lambda self, n: self.submit(payload=b"p" * n),
        "items in one message (max_batch)": lambda self, n: self.items(n),
        "shared parts in one message": lambda self, n: self.clients.call(m.Submit, 0, (typed("t"),) * n, ()),
        "msgpack values in one message": lambda self, n: self.raw([[None] * (n - 4)]),
        "nesting of msgpack containers": lambda self, n: self.raw([nested(n - 1)]),
        "keys of one map": lambda self, n: self.greet_with_unknown_keys(n),
        "tokens in one HELLO": lambda self, n: self.greet(started=(m.Token(self.clients.new_id(), 1, 1),) * n),
        "jobs in RECLAIM, RELEASED, CANCEL_JOBS": lambda self, n: self.released(n),
        "credit": lambda self, n: self.greet(credit=n),
        "slots of a worker": lambda self, n: self.greet(slots=n, credit=1),
        "queues of a worker": lambda self, n: self.greet(queues=tuple(m.QueueWeight(f"q{i}") for i in range(n))),
        "types of a worker": lambda self, n: self.greet(types=tuple(f"t{i}" for i in range(n))),
        "weight of a queue": lambda self, n: self.greet(queues=(m.QueueWeight("default", n),)),
        "jobs in LISTED": lambda self, n: self.clients.call(m.List, m.Filter(limit=n)),
        "cursor": lambda self, n: self.clients.call(m.List, m.Filter(cursor=b"c" * n)),
        "retries": lambda self, n: self.submit(typed("t", retries=n)),
        "losses": lambda self, n: self.submit(typed("t", losses=n)),
    }
    ELSEWHERE = {
        "one message (max_message)": "test_a_frame_over_max_message_ends_the_connection",
        "result in NOTIFY": "a result over it is left out of NOTIFY: test_client, test_a_large_result_comes_by_get_alone",
    }

    RULES_OF_NAMES = {"queue and type name", "worker name"}  # the length is part of what a name may be

    def test_every_limit_of_the_page_is_tried(self):
        self.assertEqual(set(LIMIT), set(self.BUILDERS) | set(self.ELSEWHERE))

    def test_what_is_at_a_limit_is_taken(self):
        for name, build in self.BUILDERS.items():
            with self.subTest(name):
                answer = build(self, LIMIT[name])
                if name == "cursor":  # it is read, and then found to be none of the broker's
                    self.assertIn("belongs to another list", answer.message)
                    continue
                self.assertNotIsInstance(answer, m.Error)
                if isinstance(answer, m.Submitted):
                    self.assertEqual([m.Code.OK] * len(answer.items), [item.code for item in answer.items])

    def test_what_is_over_a_limit_is_refused_and_named(self):
        for name, build in self.BUILDERS.items():
            with self.subTest(name):
                answer = build(self, LIMIT[name] + 1)
                self.assertIsInstance(answer, m.Error)
                self.assert_code(m.Code.BAD_MESSAGE if name in self.RULES_OF_NAMES else m.Code.TOO_LARGE, answer)
                self.assertIn(str(LIMIT[name]), answer.message)

    def test_a_frame_over_max_message_ends_the_connection(self):
        frame = pack([int(m.Type.PING), 1, b"x" * self.clients.welcome.max_message])
        self.clients.connection.send_frames([frame], 5)

        def answer():
            """The socket connects anew by itself; what was queued on the old connection is lost."""
            self.clients.say(m.Ping)
            return self.clients.receive(0.1)
        self.assert_code(m.Code.NO_SESSION, eventually(answer, 10, "there is a new connection"))


def nested(levels):
    value = []
    for _ in range(levels - 1):
        value = [value]
    return value


if __name__ == "__main__":
    main()
