"""One life after the other of a broker over one store, with or without faults."""

import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import faults

BIN = Path(os.environ.get("ROTA_BIN", Path(__file__).resolve().parents[2] / "build/release/bin"))
PATIENCE = 60 * float(os.environ.get("ROTA_TEST_PATIENCE", "1"))


OPTIONS = ("--store-limit", "256MiB", "--lease", "10s", "--reattach", "30s")  # the smallest store
EXIT_DAMAGED = {70}  # docs/errors.md


class CrashFailure(AssertionError):
    """A promise was broken, or something took for ever."""


class BrokerProcess:
    """Starts and kills; knows where everything of a trial lies. `options` are more options of rota-broker."""

    def __init__(self, name="trial", options=OPTIONS, http="off"):
        self.folder = Path(tempfile.mkdtemp(prefix=f"rota-crash-{name}-"))
        self.store = self.folder / "above" / "store"  # made by the broker, as is the directory above it
        self.counters_file = self.folder / "counters"
        self.journal = self.folder / "journal"
        self.log = self.folder / "log"
        self.process = None
        self.ready = {}
        self.starts = 0
        self._options = [*options, "--http", http]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.kill()
        if kind is None or kind is KeyboardInterrupt:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, journal=False, **fault):
        """Starts it with these faults (see faults.environment). False if it ended before it served."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("ROTA_", "XDG_"))}
        environment.update(HOME=str(self.folder), LC_ALL="C.UTF-8")
        if journal or fault:
            self.counters_file.unlink(missing_ok=True)
            for old in self.folder.glob("journal*"):
                old.unlink()
            environment.update(faults.environment(BIN, self.store, self.counters_file, self.journal if journal else None, **fault))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BIN / "rota-broker", "--data", self.store, "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*",
                 *self._options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=self.folder)
        self.starts += 1
        line, end = b"", time.monotonic() + PATIENCE
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0]:
                raise CrashFailure(f"the broker did not begin to serve: {self.log_text()}")
            part = os.read(self.process.stdout.fileno(), 4096)
            if not part:
                self.wait()
                return False
            line += part
        self.ready = dict(re.findall(r"(\w+)=(\S+)", line.decode()))
        return True

    def start_sound(self, **more):
        """Starts it, and it must serve."""
        if not self.start(**more):
            raise CrashFailure(f"the broker does not serve any more (exit {self.process.returncode}): {self.log_text()}")

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def wait(self):
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code

    def kill(self, number=signal.SIGKILL):
        """Ends it; its exit code. A broker that is dead already stays so."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    @property
    def counters(self):
        return faults.Counters.read(self.counters_file)

    def log_text(self):
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def check(self):
        """What `rota-broker check` says of the store, which no broker may have open: empty if it is sound."""
        done = subprocess.run([BIN / "rota-broker", "check", "--data", self.store], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
        return "" if done.returncode == 0 else f"exit {done.returncode}: {done.stdout}"
