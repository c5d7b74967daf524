"""What the interop tests share: brokers of the harness, raw connections that do just what a test says, and Python workers."""

import sys
import threading
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from rota_harness import Program, RotaTest, eventually, main  # noqa: F401  (for the tests)
from rota_interop import messages as m
from rota_interop.client import Client, Task
from rota_interop.connection import Connection
from rota_interop.ids import IdClock, make_id
from rota_interop.worker import Worker

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"


def shell(script, **options):
    """The shared part of a job that runs a shell script."""
    return m.Shared("default", "exec", m.Options(**options), m.Spec(m.Command((b"sh", b"-c", script.encode()))))


def typed(kind, queue="default", **options):
    return m.Shared(queue, kind, m.Options(**options))


class RawPeer:
    """A connection in session, on which a test decides what is said and what is not."""

    def __init__(self, connection, welcome):
        self.connection, self.welcome = connection, welcome
        self.call, self.expect = connection.call, connection.expect
        self.receive, self.answer_to = connection.receive, connection.answer_to

    def say(self, shape, *fields):
        """Sends a message that takes part in no conversation of this connection: its request number is returned."""
        request = self.connection.next_request()
        self.connection.send(shape(request, *fields), 5)
        return request

    def tell(self, shape, *fields):
        """Sends a message that is never answered."""
        self.connection.send(shape(0, *fields), 5)


class RawClient(RawPeer):
    def new_id(self, queue="default"):
        return make_id(queue, IdClock(self.welcome.wall).now())

    def submit(self, *items, shared=None, flags=0):
        """Items are (payload,), or made by Item(); the Submitted (or Error) is returned."""
        return self.call(m.Submit, flags, (shared or typed("t"),), items)

    def submit_one(self, shared=None, payload=b"", **more):
        """Submits one job, which has to be accepted; its id."""
        made = self.new_id((shared or typed("t")).queue)
        [answer] = self.submit(m.Item(0, made, payload, **more), shared=shared).items
        assert answer.code == m.Code.OK, answer
        return made

    def state(self, job):
        return self.call(m.Get, False, (job,)).jobs[0].state


class RawWorker(RawPeer):
    def take(self, count=1):
        """Waits for that many jobs; [(Token, DispatchItem, DispatchShared)…]."""
        taken = []
        while len(taken) < count:
            dispatch = self.expect(m.Dispatch)
            taken += [(m.Token(item.id, dispatch.epoch, item.dispatch), item, dispatch.shared[item.shared]) for item in dispatch.items]
        return taken

    def take_one(self):
        [(token, _, _)] = self.take()
        return token

    def start(self, token, credit=1):
        """Says that this job and all before it are started."""
        return self.call(m.Renew, token.dispatch, credit)

    def complete(self, token, end=m.End.SUCCEEDED, report=None, credit=1, started_through=None):
        """The code that answers the completion."""
        item = m.Completion(token.id, token.epoch, token.dispatch, end, 0, report)
        return self.call(m.Complete, token.dispatch if started_through is None else started_through, credit, (item,)).codes[0]


class InteropTest(RotaTest):
    seconds = 60

    def setUp(self):
        super().setUp()
        self._open = []
        self._workers = []

    def tearDown(self):
        for worker, _ in self._workers:
            worker.drain()
        for _, thread in self._workers:
            thread.join(2)  # while the broker is there to acknowledge what they have to say
        for connection in self._open:
            connection.close()
        super().tearDown()

    def connect(self, endpoint):
        """A socket that has said nothing yet."""
        connection = Connection(endpoint)
        self._open.append(connection)
        return connection

    # --- raw peers ----------------------------------------------------------------------------------------------------------------

    def raw_client(self, broker):
        connection = self.connect(broker.clients)
        welcome = connection.call(m.Hello, m.Greeting(min=1, max=1))
        self.assertIsInstance(welcome, m.Welcome)
        return RawClient(connection, welcome.body)

    def hello(self, broker, greeting):
        """Says HELLO on a new socket of the workers' endpoint: (connection, answer)."""
        connection = self.connect(broker.workers)
        return connection, connection.call(m.Hello, greeting)

    @staticmethod
    def greeting(name="w", connection=1, session=None, types=("t",), slots=1, credit=None, **more):
        return m.Greeting(min=1, max=1, session=session or uuid.uuid4(), connection=connection, name=name, slots=slots,
                          credit=slots if credit is None else credit, queues=(m.QueueWeight("default"),), types=types, **more)

    def raw_worker(self, broker, greeting=None, **more):
        """A worker in session; `greeting`, or greeting()'s arguments."""
        connection, welcome = self.hello(broker, greeting or self.greeting(**more))
        self.assertIsInstance(welcome, m.Welcome)
        return RawWorker(connection, welcome.body)

    # --- the example programs -------------------------------------------------------------------------------------------------------

    def client(self, broker, **more):
        client = Client(broker.clients, **more)
        self.addCleanup(client.close)
        return client

    def python_worker(self, broker, name="py", **more):
        """A Worker of rota_interop in a thread, registered."""
        worker = Worker(broker.workers, name, **more)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
        worker.thread = thread
        self._workers.append((worker, thread))
        self.assertTrue(worker.registered.wait(10), "the Python worker was not welcomed")
        return worker

    def worker_program(self, broker, name="py", slots=1):
        """rota_interop.worker as a process of its own."""
        return Program(self, [PYTHON, "-B", "-m", "rota_interop.worker", broker.workers, name, slots], "worker ready",
                       env={"PYTHONPATH": str(HERE)}, name=f"python-worker-{name}").wait_ready()

    def assert_code(self, code, answer):
        """An Error, Answer, Notice or Job with that code."""
        self.assertEqual(code, answer.code, answer)
