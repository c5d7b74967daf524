"""The numbers and names of docs/protocol.md, version 1: types, codes, states, ends, limits, administrative verbs."""

import enum

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
    "queues": (("cursor",), ("queue", "paused", "oldest_ready_s", "submits_per_s", "finishes_per_s")),  # and a count by state name
    "workers": (("cursor",), ("name", "host", "pid", "slots", "running", "held", "credit", "draining", "connected", "lease_left_ms",
                     "version", "labels")),
    "stats": ((), ()),
    "pause": (("queue",), ()),
    "resume": (("queue",), ()),
    "purge": (("queue", "state", "through", "cursor"), ("forgotten", "more", "through", "cursor")),
    "retry": (("queue", "state", "through", "cursor"), ("retried", "refused", "more", "through", "cursor")),
    "drain": (("worker",), ()),
}
