"""The pieces of which messages are made: docs/protocol.md, "Pieces", and tokens."""

import dataclasses

from .codec import BIN, BOOL, ID, INT, MS, SELECTOR, STR, TIME, UINT, Array, BadMessage, DictOf, IntMap, Kind, ListOf, Numbered, Struct, field
from .numbers import Code, Durability, End, State

CODE = Numbered(Code)
STATE = Numbered(State)
END = Numbered(End)
DURABILITY = Numbered(Durability)

message = dataclasses.dataclass(frozen=True)


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
