"""Every message, piece, code and number of docs/protocol.md, version 1, under the names that the page gives them."""

import dataclasses
import enum

from .codec import (BIN, BOOL, ID, INT, MS, REAL, SCALAR, SELECTOR, STR, TIME, UINT, Array, BadMessage, DictOf, IntMap, Kind, ListOf,
                    Map, Numbered, Packed, Struct, field, pack, unpack)

PROTOCOL_VERSION = 1


class Type(enum.IntEnum):
    HELLO = 1
    WELCOME = 2
    ERROR = 3
    PING = 4
    PONG = 5
    GOODBYE = 6
    SUBMIT = 16
    SUBMITTED = 17
    WAIT = 18
    NOTIFY = 19
    GET = 20
    JOBS = 21
    CANCEL = 22
    RETRY = 23
    RESULTS = 24
    LIST = 25
    LISTED = 26
    ADMIN = 27
    ADMIN_REPLY = 28
    DISPATCH = 48
    COMPLETE = 49
    COMPLETED = 50
    RENEW = 51
    RENEWED = 52
    RECLAIM = 53
    RELEASED = 54
    CANCEL_JOBS = 55
    DRAIN = 56


class Code(enum.IntEnum):
    OK = 0
    DUPLICATE = 1
    RETRY_LATER = 2
    MOVED = 3
    NO_SESSION = 4
    VERSION = 5
    BAD_MESSAGE = 6
    TOO_LARGE = 7
    FORBIDDEN = 8
    NOT_FOUND = 9
    GONE = 10
    CONFLICT = 11
    STALE = 12
    CANCELLED = 13
    TIMED_OUT = 14
    SHUTTING_DOWN = 15
    STORE_FULL = 16
    INTERNAL = 17


# The same request can succeed later although nobody changes anything.
RETRYABLE = {Code.RETRY_LATER, Code.MOVED, Code.NO_SESSION, Code.SHUTTING_DOWN, Code.STORE_FULL}


class State(enum.IntEnum):
    SCHEDULED = 0
    BLOCKED = 1
    READY = 2
    RUNNING = 3
    SUCCEEDED = 4
    FAILED = 5
    CANCELLED = 6
    EXPIRED = 7

    @property
    def final(self):
        return self >= State.SUCCEEDED


class End(enum.IntEnum):
    """How an attempt ended."""
    SUCCEEDED = 0
    FAILED = 1
    REJECTED = 2
    TIMED_OUT = 3
    CANCELLED = 4
    LOST = 5
    EXPIRED = 6


class Durability(enum.IntEnum):
    FSYNC = 0
    MEMORY = 2


# The page's table of limits.
LIMITS = {
    "queue and type name": 64,
    "worker name": 128,
    "software, host, boot": 256,
    "job name": 256,
    "key": 256,
    "headers": 64,
    "headers together": 16384,
    "labels": 32,
    "labels together": 16384,
    "argv and env of one command": 4096,
    "one command": 131072,
    "line": 65536,
    "error code": 64,
    "error message": 4096,
    "stderr tail": 16384,
    "progress message": 256,
    "payload (max_payload)": 1048576,
    "result in NOTIFY": 65536,
    "items in one message (max_batch)": 4096,
    "shared parts in one message": 256,
    "one message (max_message)": 8388608,
    "msgpack values in one message": 524288,
    "nesting of msgpack containers": 8,
    "keys of one map": 128,
    "tokens in one HELLO": 32768,
    "jobs in RECLAIM, RELEASED, CANCEL_JOBS": 8192,
    "credit": 8192,
    "slots of a worker": 4096,
    "queues of a worker": 256,
    "types of a worker": 256,
    "weight of a queue": 1000,
    "jobs in LISTED": 1000,
    "cursor": 64,
    "retries": 10000,
    "losses": 250,
}

# The verbs of ADMIN: their arguments, and the keys of the rows that answer them.
ADMIN_VERBS = {
    "queues": ((), ("queue", "paused", "oldest_ready_s", "submits_per_s", "finishes_per_s")),  # and a count by state name
    "workers": ((), ("name", "host", "pid", "slots", "running", "held", "credit", "draining", "connected", "lease_left_ms",
                     "version", "labels")),
    "stats": ((), ()),
    "pause": (("queue",), ()),
    "resume": (("queue",), ()),
    "purge": (("queue", "state", "through", "cursor"), ("forgotten", "more", "through", "cursor")),
    "retry": (("queue", "state", "through", "cursor"), ("retried", "refused", "more", "through", "cursor")),
    "drain": (("worker",), ()),
}

CODE = Numbered(Code)
STATE = Numbered(State)
END = Numbered(End)
DURABILITY = Numbered(Durability)

message = dataclasses.dataclass(frozen=True)


# --- pieces -----------------------------------------------------------------------------------------------------------------

@message
class Options(IntMap):
    """What differs from its default. Unlike other maps it is keyed by numbers."""
    priority: int = field(INT, None, key=0)
    delay: int = field(MS, None, key=1)
    run_at: int = field(TIME, None, key=2)
    time_limit: int = field(MS, None, key=3)
    retries: int = field(UINT, None, key=4)
    backoff: int = field(MS, None, key=5)
    backoff_factor: int = field(UINT, None, key=6)
    backoff_max: int = field(MS, None, key=7)
    losses: int = field(UINT, None, key=8)
    expires: int = field(MS, None, key=9)
    keep: int = field(MS, None, key=10)
    key_for: int = field(MS, None, key=11)
    durability: Durability = field(DURABILITY, None, key=12)
    stop_on_disconnect: bool = field(BOOL, None, key=13)


class _Environment(Kind):
    """bin name, bin value, bin name, bin value…"""

    def __init__(self):
        super().__init__("env", (list,))

    def read(self, value, where):
        flat = [BIN.read(one, where) for one in super().read(value, where)]
        if len(flat) % 2:
            raise BadMessage(f"{where}: a name without a value")
        return dict(zip(flat[::2], flat[1::2]))

    def write(self, value):
        return [one for pair in value.items() for one in pair]


@message
class Command(Array):
    argv: tuple = field(ListOf(BIN))
    env: dict = field(_Environment(), {})
    cwd: bytes = field(BIN, b"")


@message
class Spec(Array):
    command: Command = field(Struct(Command), None)
    headers: dict = field(DictOf(STR), {})
    name: str = field(STR, "")


@message
class Report(Array):
    result: bytes = field(BIN, b"")
    exit_code: int = field(INT, None)
    stderr_tail: bytes = field(BIN, b"")
    error_code: str = field(STR, "")
    error_message: str = field(STR, "")
    signal: int = field(INT, None)
    worker: str = field(STR, "")


@message
class ItemBody(Array):
    payload: bytes = field(BIN, b"")
    selector: object = field(SELECTOR, None)


@message
class Token(Array):
    """One dispatch of one job."""
    id: object = field(ID)
    epoch: int = field(UINT)
    dispatch: int = field(UINT)


TOKENS = ListOf(Struct(Token))
CODES = ListOf(CODE)


# --- messages of both sides ---------------------------------------------------------------------------------------------------

@message
class QueueWeight(Array):
    name: str = field(STR)
    weight: int = field(UINT, None)


@message
class Greeting(Map):
    """The map of a HELLO. What a client says ends with pid."""
    min: int = field(UINT)
    max: int = field(UINT)
    software: str = field(STR, None)
    host: str = field(STR, None)
    pid: int = field(UINT, None)
    session: object = field(ID, None)
    connection: int = field(UINT, None)
    name: str = field(STR, None)
    boot: str = field(STR, None)
    start: int = field(UINT, None)
    slots: int = field(UINT, None)
    credit: int = field(UINT, None)
    draining: bool = field(BOOL, None)
    queues: tuple = field(ListOf(Struct(QueueWeight)), None)
    types: tuple = field(ListOf(STR), None)
    labels: dict = field(DictOf(STR), None)
    started: tuple = field(TOKENS, None)
    held: tuple = field(TOKENS, None)
    finished: tuple = field(TOKENS, None)


@message
class SlotRange(Array):
    first: int = field(UINT)
    last: int = field(UINT)
    epoch: int = field(UINT)


@message
class Session(Map):
    """The map of a WELCOME. What only a worker is told begins with lease."""
    version: int = field(UINT)
    broker: object = field(ID)
    software: str = field(STR)
    wall: int = field(TIME)
    slots: tuple = field(ListOf(Struct(SlotRange)))
    max_payload: int = field(UINT)
    max_batch: int = field(UINT)
    max_message: int = field(UINT)
    dedup_window: int = field(MS)
    clients: str = field(STR, None)
    workers: str = field(STR, None)
    lease: int = field(MS, None)
    started: tuple = field(CODES, None)
    held: tuple = field(CODES, None)
    finished: tuple = field(CODES, None)


@message
class Hello(Array):
    request: int = field(UINT)
    body: Greeting = field(Struct(Greeting))


@message
class Welcome(Array):
    request: int = field(UINT)
    body: Session = field(Struct(Session))


@message
class Error(Array):
    request: int = field(UINT)
    code: Code = field(CODE)
    message: str = field(STR)
    retry_after: int = field(MS, 0)


@message
class Ping(Array):
    request: int = field(UINT)


@message
class Pong(Array):
    request: int = field(UINT)


@message
class Goodbye(Array):
    request: int = field(UINT)
    code: Code = field(CODE)
    reason: str = field(STR)


# --- client messages ----------------------------------------------------------------------------------------------------------

NOTIFY_FLAG = 1


@message
class Shared(Array):
    queue: str = field(STR)
    type: str = field(STR)
    options: Options = field(Struct(Options), Options())
    spec: Spec = field(Struct(Spec), Spec())


@message
class Item(Array):
    shared: int = field(UINT)
    id: object = field(ID)
    payload: bytes = field(BIN, b"")
    selector: object = field(SELECTOR, None)
    key: str = field(STR, "")


@message
class Submit(Array):
    request: int = field(UINT)
    flags: int = field(UINT)
    shared: tuple = field(ListOf(Struct(Shared)))
    items: tuple = field(ListOf(Struct(Item)))


@message
class Answer(Array):
    """To one item of SUBMIT, CANCEL or RETRY. A bare 0 on the wire is read as an answer of OK that says nothing else."""
    code: Code = field(CODE)
    state: State = field(STATE, None)
    durability: Durability = field(DURABILITY, None)
    id: object = field(ID, None)
    created_at: int = field(TIME, 0)
    run_at: int = field(TIME, 0)
    message: str = field(STR, "")

    def write(self):
        return 0 if self == Answer(Code.OK) else super().write()

    @classmethod
    def read(cls, value, where):
        return cls(Code.OK) if type(value) is int and value == 0 else super().read(value, where)


class _AnswerKind(Struct):
    def __init__(self):
        super().__init__(Answer)


@message
class Submitted(Array):
    request: int = field(UINT)
    items: tuple = field(ListOf(_AnswerKind()))
    retry_after: int = field(MS, 0)


@message
class Wait(Array):
    request: int = field(UINT)
    with_result: bool = field(BOOL)
    ids: tuple = field(ListOf(ID))


@message
class Notice(Array):
    id: object = field(ID)
    code: Code = field(CODE)
    state: State = field(STATE)
    attempts: int = field(UINT)
    losses: int = field(UINT)
    report: Report = field(Struct(Report), None)
    result_size: int = field(UINT, 0)
    message: str = field(STR, "")


@message
class Notify(Array):
    request: int = field(UINT)
    items: tuple = field(ListOf(Struct(Notice)))


@message
class Get(Array):
    request: int = field(UINT)
    with_result: bool = field(BOOL)
    ids: tuple = field(ListOf(ID))


@message
class Job(Map):
    id: object = field(ID)
    name: str = field(STR, None)
    code: Code = field(CODE, None)
    message: str = field(STR, None)
    queue: str = field(STR, None)
    type: str = field(STR, None)
    key: str = field(STR, None)
    state: State = field(STATE, None)
    cancel_requested: bool = field(BOOL, None)
    priority: int = field(INT, None)
    attempts: int = field(UINT, None)
    losses: int = field(UINT, None)
    retries: int = field(UINT, None)
    durability: Durability = field(DURABILITY, None)
    created_at: int = field(TIME, None)
    run_at: int = field(TIME, None)
    started_at: int = field(TIME, None)
    finished_at: int = field(TIME, None)
    report: Report = field(Struct(Report), None)
    result_size: int = field(UINT, None)
    progress: float = field(REAL, None)
    progress_message: str = field(STR, None)
    waiting_for: str = field(STR, None)


@message
class Jobs(Array):
    request: int = field(UINT)
    jobs: tuple = field(ListOf(Struct(Job)))


@message
class Cancel(Array):
    request: int = field(UINT)
    ids: tuple = field(ListOf(ID))


@message
class RetryItem(Array):
    id: object = field(ID)
    attempt_seen: int = field(UINT, None)


@message
class Retry(Array):
    request: int = field(UINT)
    items: tuple = field(ListOf(Struct(RetryItem)))


@message
class Results(Array):
    request: int = field(UINT)
    items: tuple = field(ListOf(_AnswerKind()))


@message
class Filter(Map):
    """The map of a LIST: what is left out does not filter."""
    queue: str = field(STR, None)
    type: str = field(STR, None)
    states: tuple = field(ListOf(STATE), None)
    since_ms: int = field(MS, None)
    limit: int = field(UINT, None)
    cursor: bytes = field(BIN, None)
    ending: str = field(STR, None)


@message
class List(Array):
    request: int = field(UINT)
    body: Filter = field(Struct(Filter))


@message
class Listed(Array):
    request: int = field(UINT)
    jobs: tuple = field(ListOf(Struct(Job)))
    cursor: bytes = field(BIN, b"")


@message
class Admin(Array):
    request: int = field(UINT)
    verb: str = field(STR)
    arguments: dict = field(DictOf(STR), {})


@message
class AdminReply(Array):
    request: int = field(UINT)
    code: Code = field(CODE)
    message: str = field(STR)
    rows: tuple = field(ListOf(DictOf(SCALAR)))


# --- worker messages ----------------------------------------------------------------------------------------------------------

@message
class DispatchShared(Array):
    queue: str = field(STR)
    type: str = field(STR)
    spec: Spec = field(Packed(Spec))
    time_limit: int = field(MS, None)
    stop_on_disconnect: bool = field(BOOL, False)


@message
class DispatchItem(Array):
    shared: int = field(UINT)
    dispatch: int = field(UINT)
    id: object = field(ID)
    attempt: int = field(UINT)
    payload: bytes = field(BIN, b"")
    selector: object = field(SELECTOR, None)
    expires_in: int = field(MS, None)


@message
class Dispatch(Array):
    request: int = field(UINT)
    epoch: int = field(UINT)
    shared: tuple = field(ListOf(Struct(DispatchShared)))
    items: tuple = field(ListOf(Struct(DispatchItem)))


@message
class Completion(Array):
    id: object = field(ID)
    epoch: int = field(UINT)
    dispatch: int = field(UINT)
    end: End = field(END)
    started_ago: int = field(MS)
    report: Report = field(Struct(Report), None)


@message
class Complete(Array):
    request: int = field(UINT)
    started_through: int = field(UINT)
    credit: int = field(UINT)
    items: tuple = field(ListOf(Struct(Completion)))


@message
class Completed(Array):
    request: int = field(UINT)
    codes: tuple = field(CODES)


@message
class Progress(Array):
    id: object = field(ID)
    epoch: int = field(UINT)
    dispatch: int = field(UINT)
    fraction: float = field(REAL)
    message: str = field(STR, "")


@message
class Renew(Array):
    request: int = field(UINT)
    started_through: int = field(UINT)
    credit: int = field(UINT)
    progress: tuple = field(ListOf(Struct(Progress)), ())


@message
class Renewed(Array):
    request: int = field(UINT)
    lease: int = field(MS)


@message
class Reclaim(Array):
    request: int = field(UINT)
    jobs: tuple = field(TOKENS)


@message
class Released(Array):
    request: int = field(UINT)
    credit: int = field(UINT)
    jobs: tuple = field(TOKENS)


@message
class CancelJobs(Array):
    request: int = field(UINT)
    jobs: tuple = field(TOKENS)


@message
class Drain(Array):
    request: int = field(UINT)


SHAPES = {
    Type.HELLO: Hello, Type.WELCOME: Welcome, Type.ERROR: Error, Type.PING: Ping, Type.PONG: Pong, Type.GOODBYE: Goodbye,
    Type.SUBMIT: Submit, Type.SUBMITTED: Submitted, Type.WAIT: Wait, Type.NOTIFY: Notify, Type.GET: Get, Type.JOBS: Jobs,
    Type.CANCEL: Cancel, Type.RETRY: Retry, Type.RESULTS: Results, Type.LIST: List, Type.LISTED: Listed, Type.ADMIN: Admin,
    Type.ADMIN_REPLY: AdminReply,
    Type.DISPATCH: Dispatch, Type.COMPLETE: Complete, Type.COMPLETED: Completed, Type.RENEW: Renew, Type.RENEWED: Renewed,
    Type.RECLAIM: Reclaim, Type.RELEASED: Released, Type.CANCEL_JOBS: CancelJobs, Type.DRAIN: Drain,
}
_TYPES = {shape: number for number, shape in SHAPES.items()}


@dataclasses.dataclass(frozen=True)
class Unknown:
    """A message of a type that this version does not know. It is to be ignored."""
    type: int
    request: int


def encode(body):
    """The frame of a message."""
    return pack([int(_TYPES[type(body)]), *body.write()])


def decode(frame):
    """The message of a frame. Raises BadMessage."""
    value = unpack(frame)
    if not isinstance(value, list) or len(value) < 2:
        raise BadMessage("not an array of a type and a request number")
    number, request = UINT.read(value[0], "type"), UINT.read(value[1], "request")
    if number not in SHAPES:
        return Unknown(number, request)
    return SHAPES[number].read(value[1:], Type(number).name)
