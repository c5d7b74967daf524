"""How docs/protocol.md writes things: msgpack arrays that grow at their end, str-keyed maps, and the rules for readers.

A message is described once, as a dataclass whose fields name their kind. Array and Map do the rest: writers leave out trailing
defaults, readers take nil for a default, ignore further fields and unknown keys, and refuse what breaks a rule.
"""

import dataclasses
import uuid

import msgpack


class BadMessage(Exception):
    """Bytes that are not a message of this protocol. The text names the field."""


class Kind:
    """A type of the page: how a value of it is read and written."""

    def __init__(self, name, accepts, check=None):
        self.name = name
        self._accepts = accepts
        self._check = check

    def read(self, value, where):
        if isinstance(value, bool) and bool not in self._accepts:
            raise BadMessage(f"{where}: a bool where {self.name} is expected")
        if not isinstance(value, self._accepts):
            raise BadMessage(f"{where}: {type(value).__name__} where {self.name} is expected")
        if self._check is not None and not self._check(value):
            raise BadMessage(f"{where}: {value!r} is out of range for {self.name}")
        return value

    def write(self, value):
        return value


TEN_YEARS_MS = 316_224_000_000

INT = Kind("int", (int,))
UINT = Kind("uint", (int,), lambda value: value >= 0)
MS = Kind("ms", (int,), lambda value: 0 <= value <= TEN_YEARS_MS)
TIME = Kind("time", (int,), lambda value: value >= 0)
BOOL = Kind("bool", (bool,))
STR = Kind("str", (str,))
BIN = Kind("bin", (bytes,))
SCALAR = Kind("int, real, bool or str", (int, float, bool, str))


class _Real(Kind):
    """A float on the wire; readers take an int as well."""

    def __init__(self):
        super().__init__("real", (float, int))

    def read(self, value, where):
        return float(super().read(value, where))

    def write(self, value):
        return float(value)


class _Id(Kind):
    """A UUID: bin of 16."""

    def __init__(self):
        super().__init__("id", (bytes,), lambda value: len(value) == 16)

    def read(self, value, where):
        return uuid.UUID(bytes=super().read(value, where))

    def write(self, value):
        return value.bytes


class _Selector(Kind):
    """None, an index (int) or a line (bytes)."""

    def __init__(self):
        super().__init__("selector", (int, bytes))


REAL = _Real()
ID = _Id()
SELECTOR = _Selector()


class Numbered(Kind):
    """A uint with names. A number without one, which a later version may send, stays an int."""

    def __init__(self, names):
        super().__init__(names.__name__, (int,), lambda value: value >= 0)
        self._names = names

    def read(self, value, where):
        number = super().read(value, where)
        try:
            return self._names(number)
        except ValueError:
            return number

    def write(self, value):
        return int(value)


class ListOf(Kind):
    def __init__(self, item):
        super().__init__(f"[{item.name}…]", (list,))
        self._item = item

    def read(self, value, where):
        return tuple(self._item.read(one, f"{where} {number}") for number, one in enumerate(super().read(value, where)))

    def write(self, value):
        return [self._item.write(one) for one in value]


class DictOf(Kind):
    """A str-keyed map whose keys are data."""

    def __init__(self, value):
        super().__init__(f"{{str: {value.name}}}", (dict,))
        self._value = value

    def read(self, value, where):
        return {STR.read(key, where): self._value.read(one, f"{where} {key}") for key, one in super().read(value, where).items()}

    def write(self, value):
        return {key: self._value.write(one) for key, one in value.items()}


class Struct(Kind):
    """An Array, Map or IntMap inside a message."""

    def __init__(self, shape):
        super().__init__(shape.__name__, (list, dict))
        self.shape = shape

    def read(self, value, where):
        return self.shape.read(value, where)

    def write(self, value):
        return value.write()


class Packed(Struct):
    """A bin that holds the msgpack of a struct."""

    def read(self, value, where):
        return self.shape.read(unpack(BIN.read(value, where)), where)

    def write(self, value):
        return pack(value.write())


_REQUIRED = object()


def field(kind, default=_REQUIRED, key=None):
    """A field of a message. Without default it is required."""
    metadata = {"kind": kind, "key": key}
    if default is _REQUIRED:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _required(one):
    return one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING


def _default(one):
    return one.default_factory() if one.default is dataclasses.MISSING else one.default


class Array:
    """[a, b, …]: fields by position. Further ones are ignored; optional ones may be nil, or missing at the end."""

    def write(self):
        values, used = [], 0
        for number, one in enumerate(dataclasses.fields(self)):
            value = getattr(self, one.name)
            if not _required(one) and value == _default(one):
                values.append(0 if type(value) is int else None)
                continue
            values.append(one.metadata["kind"].write(value))
            used = number + 1
        return values[:used]

    @classmethod
    def read(cls, value, where):
        if not isinstance(value, list):
            raise BadMessage(f"{where}: {type(value).__name__} where an array is expected")
        found = {}
        for number, one in enumerate(dataclasses.fields(cls)):
            given = value[number] if number < len(value) else None
            if given is not None:
                found[one.name] = one.metadata["kind"].read(given, f"{where}: {one.name}")
            elif _required(one):
                raise BadMessage(f"{where}: {one.name} is missing")
        return cls(**found)


class Map:
    """{name: value}: fields by name; None is left out. Unknown keys are ignored."""

    def write(self):
        pairs = ((one, getattr(self, one.name)) for one in dataclasses.fields(self))
        return {self.key_of(one): one.metadata["kind"].write(value) for one, value in pairs if value is not None}

    @classmethod
    def read(cls, value, where):
        if not isinstance(value, dict):
            raise BadMessage(f"{where}: {type(value).__name__} where a map is expected")
        found = {}
        for one in dataclasses.fields(cls):
            given = value.get(cls.key_of(one))
            if given is not None:
                found[one.name] = one.metadata["kind"].read(given, f"{where}: {one.name}")
            elif _required(one):
                raise BadMessage(f"{where}: {one.name} is missing")
        return cls(**found)

    @staticmethod
    def key_of(one):
        return one.name


class IntMap(Map):
    """The same with an int for each key: options."""

    @staticmethod
    def key_of(one):
        return one.metadata["key"]


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def unpack(frame):
    """One msgpack value that fills the frame."""
    try:
        return msgpack.unpackb(frame, raw=False, strict_map_key=False)
    except Exception as bad:  # msgpack raises half a dozen unrelated kinds
        raise BadMessage(f"not one value of msgpack: {bad}") from None
