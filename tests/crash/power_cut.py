"""What a power cut leaves of a store: takes back what the journal of librota-faults.so shows was not on disk.

The process is dead already, and all that it wrote is in the page cache. A change counts as on disk when a later sync of its file
succeeded, or when it went through an O_DSYNC descriptor whose write came back; an entry of a directory when that directory was
synced. Everything else may be there or not: `drop` takes all of it back, `torn` keeps a random part of it, in units of sectors.
"""

import dataclasses
import enum
import os
import random
import shutil
import struct

SECTOR = 512  # a disk writes one whole or not at all


class Kind(enum.IntEnum):
    """As in preload/journal.h."""
    FILE = 1
    WRITE = 2
    RESIZE = 3
    SYNC = 4
    SYNC_RANGE = 5
    MAKE = 6
    RENAME = 7
    UNLINK = 8
    SYNC_NAMES = 9
    FAULT = 10
    SYNC_BEGIN = 11


@dataclasses.dataclass
class Record:
    kind: Kind
    file: int
    offset: int
    length: int
    value: int
    data: bytes


_HEADER = struct.Struct("<IIQQqQ")


def read_journal(path):
    """All records. The last one may be cut off, by a kill while it was written: what it is about was not begun then."""
    records = []
    with open(path, "rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            kind, number, offset, length, value, size = _HEADER.unpack(header)
            data = file.read(size)
            if len(data) == size:
                records.append(Record(Kind(kind), number, offset, length, value, data))
    return records


def after_fault(records):
    """The writes and syncs that were asked for behind the first call that was made to fail."""
    for place, record in enumerate(records):
        if record.kind == Kind.FAULT:
            return [one for one in records[place + 1:] if one.kind in (Kind.WRITE, Kind.SYNC_BEGIN, Kind.RESIZE)]
    return None


@dataclasses.dataclass
class _File:
    path: str
    changes: list = dataclasses.field(default_factory=list)  # not on disk: (offset, length, what was there, size before)


def _without(change, start, end):
    """What is left of a change when [start, end) of it is on disk."""
    offset, length, old, size = change
    for a, b in ((offset, min(offset + length, start)), (max(offset, end), offset + length)):
        if a < b:
            yield a, b - a, old[a - offset:b - offset], size


class PowerCut:
    """The state of a disk that a journal tells of."""

    def __init__(self, journal):
        self._journal = str(journal)
        self._files, self._names = {}, []  # number → _File; operations on names that are not on disk, in order
        self.unsynced_bytes = 0
        for record in read_journal(journal):
            self._take(record)

    def _take(self, record):
        kind = record.kind
        if kind == Kind.FILE:
            path = os.fsdecode(record.data)
            if record.value or record.file not in self._files:
                self._files[record.file] = _File(path)
            if record.value:
                self._names.append((kind, path, "", 0))
        elif kind == Kind.WRITE:
            self._files[record.file].changes.append((record.offset, record.length, record.data, record.value))
        elif kind == Kind.RESIZE:
            self._files[record.file].changes.append((record.offset, len(record.data), record.data, record.value))
        elif kind == Kind.SYNC:
            self._files[record.file].changes.clear()
        elif kind == Kind.SYNC_RANGE:
            file = self._files[record.file]
            start = record.offset // SECTOR * SECTOR
            end = -(-(record.offset + record.length) // SECTOR) * SECTOR
            file.changes = [part for change in file.changes for part in _without(change, start, end)]
        elif kind == Kind.MAKE:
            self._names.append((kind, os.fsdecode(record.data), "", 0))
        elif kind == Kind.RENAME:
            source, target = map(os.fsdecode, record.data.split(b"\0"))
            self._names.append((kind, source, target, record.value))
            for file in self._files.values():
                if file.path == source:
                    file.path = target
        elif kind == Kind.UNLINK:
            self._names.append((kind, os.fsdecode(record.data), "", record.value))
        elif kind == Kind.SYNC_NAMES:
            directory = os.fsdecode(record.data)
            self._names = [one for one in self._names if os.path.dirname(one[2] or one[1]) != directory]

    def apply(self, sector=None, seed=0):
        """Makes the files what the cut leaves: without `sector` nothing that was not synced, with it a random part."""
        choice = random.Random(seed)
        for file in self._files.values():
            if file.changes and os.path.exists(file.path):
                self._roll_back(file, sector, choice)
        # A file system keeps the order of what is done to names: some first ones of them are on disk.
        kept = choice.randint(0, len(self._names)) if sector else 0
        for operation in reversed(self._names[kept:]):
            self._undo(*operation)

    def _roll_back(self, file, sector, choice):
        size = file.changes[0][3]  # when it was last synced
        with open(file.path, "r+b") as stream:
            new_size = stream.seek(0, os.SEEK_END)
            touched, new = set(), {}
            unit = sector or SECTOR
            for offset, length, _, _ in file.changes:
                touched.update(range(offset // unit, -(-(offset + length) // unit)))
            for number in touched:
                stream.seek(number * unit)
                new[number] = stream.read(unit)
            for offset, length, old, _ in reversed(file.changes):
                stream.seek(offset)
                stream.write(old.ljust(length, b"\0"))
                self.unsynced_bytes += length
            if sector is None:
                stream.truncate(size)
                return
            for number in sorted(touched):
                if choice.random() < 0.5:
                    stream.seek(number * unit)
                    stream.write(new[number])
            stream.truncate(choice.choice((size, max(size, new_size))))

    def _undo(self, kind, path, target, kept):
        if kind == Kind.FILE:
            if os.path.lexists(path):
                os.unlink(path)
        elif kind == Kind.MAKE:
            shutil.rmtree(path, ignore_errors=True)
        elif kind == Kind.RENAME:
            if os.path.isdir(os.path.dirname(path)) and os.path.lexists(target):
                os.rename(target, path)
            elif os.path.lexists(target):
                os.unlink(target)
            if kept:
                os.link(f"{self._journal}.kept.{kept}", target)
        elif kind == Kind.UNLINK and kept and not os.path.lexists(path):
            os.link(f"{self._journal}.kept.{kept}", path)
