"""What librota-faults.so is asked to do to a program, and what it counted. The variables are described in preload/settings.h."""

import dataclasses
import os
import struct
from pathlib import Path

_COUNTERS = struct.Struct("<QQQQ64s")


def library(bin_directory):
    return Path(bin_directory) / "librota-faults.so"


@dataclasses.dataclass(frozen=True)
class Counters:
    store_points: int = 0
    disk_calls: int = 0
    writes: int = 0
    syncs: int = 0
    killed_at: str = ""  # the call at which the process killed itself

    @classmethod
    def read(cls, path):
        if not os.path.exists(path):
            return cls()
        *numbers, name = _COUNTERS.unpack(Path(path).read_bytes()[:_COUNTERS.size])
        return cls(*numbers, name.rstrip(b"\0").decode())


def environment(bin_directory, directory, counters, journal=None, store_kill=0, disk_kill=0, sync="", write=""):
    """Variables for a program that works on the store in `directory`."""
    values = {"LD_PRELOAD": str(library(bin_directory)), "ROTA_FAULT_DIRECTORY": str(Path(directory).absolute()),
              "ROTA_FAULT_COUNTERS": str(counters)}
    if journal:
        values["ROTA_FAULT_JOURNAL"] = str(journal)
    if store_kill:
        values["ROTA_FAULT_STORE_KILL"] = str(store_kill)
    if disk_kill:
        values["ROTA_FAULT_DISK_KILL"] = str(disk_kill)
    if sync:
        values["ROTA_FAULT_SYNC"] = sync
    if write:
        values["ROTA_FAULT_WRITE"] = write
    return values
