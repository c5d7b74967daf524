"""The history of who does harm: what was done to which process or connection, from when to when (format: checker.py)."""

import json
import os
import time
from contextlib import contextmanager
from pathlib import Path


class Nemesis:
    """Writes <directory>/nemesis-<name>-<pid>.jsonl. One thread at a time."""

    def __init__(self, directory, name="driver", **settings):
        self._file = os.open(Path(directory) / f"nemesis-{name}-{os.getpid()}.jsonl",
                             os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._faults = 0
        if settings:
            self._write("settings", **settings)

    def _write(self, event, **fields):
        line = json.dumps({"t": time.monotonic_ns(), "e": event, **fields}, separators=(",", ":"))
        os.write(self._file, line.encode() + b"\n")

    def begin(self, what, role, name="", pid=0):
        """Call before the harm is done. `role`: broker, worker, client, network. Returns its number for end()."""
        self._faults += 1
        self._write("begin", fault=self._faults, what=what, role=role, name=name, pid=pid)
        return self._faults

    def end(self, fault):
        """Call after it is over: the process runs again, the connection is whole."""
        self._write("end", fault=fault)

    @contextmanager
    def fault(self, what, role, name="", pid=0):
        number = self.begin(what, role, name, pid)
        try:
            yield
        finally:
            self.end(number)

    def close(self):
        os.close(self._file)
