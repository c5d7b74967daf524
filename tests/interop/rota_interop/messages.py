"""Every message of docs/protocol.md, version 1, under the names that the page gives them."""

import dataclasses

from .codec import (BIN, BOOL, ID, INT, MS, REAL, SCALAR, SELECTOR, STR, TIME, UINT, Array, BadMessage, DictOf, ListOf, Map, Packed,
                    Struct, field, pack, unpack)
from .numbers import *  # noqa: F403  (one name, m, for all of the protocol)
from .pieces import *  # noqa: F403

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
    cursor: str = field(STR, "")


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
