"""The broker of a campaign and the machine that it believes to be on: a disk that can lose its power, a clock that can jump."""

import os
import random
import shutil
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "integration"), str(TESTS / "crash")]
import faults as disk_faults  # noqa: E402
import power_cut  # noqa: E402
from rota_harness import BIN, SANITIZER, Broker  # noqa: E402

HOUR = 3600
PATIENT = 300  # seconds: a machine that does much else may be slow, and slowness is no finding


class Finding(Exception):
    """Something happened that no fault explains."""


def clock_library():
    """Debian's libfaketime for programs with threads; None where it is not installed or a sanitizer must come first."""
    return None if SANITIZER else next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


def end_at_once(program):
    """SIGKILL, and waits for the end."""
    program.process.kill()
    program.wait(PATIENT)


class BrokerHost:
    """Starts and ends the broker of a stage. Without the libraries it needs, a fault is not offered."""

    def __init__(self, stage, arguments):
        self._stage, self._arguments = stage, arguments
        self.data = stage.directory / "data"
        self.data.mkdir()
        self.program = None
        self._journal = stage.directory / "journal"
        self._journaled = False
        self._clock_library = clock_library()
        self._clock = stage.directory / "clock"
        self.set_clock(0)

    # --- the clock ----------------------------------------------------------------------------------------------------------

    @property
    def has_clock(self):
        return self._clock_library is not None

    def set_clock(self, offset):
        """Sets the broker's wall clock so many seconds off, now and after restarts. The steady clocks stay as they are."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{offset:+d}\n")
        os.replace(new, self._clock)

    # --- the process --------------------------------------------------------------------------------------------------------

    def start(self, journaled=False, stall=None):
        """`journaled`: what it writes is recorded, so that its power can be cut. `stall` (number, milliseconds): that sync
        takes so much longer."""
        self._journaled = journaled and disk_faults.library(BIN).exists()
        environment, preloaded = {}, []
        if self._journaled:
            environment = disk_faults.environment(BIN, self.data, self._stage.directory / "counters", journal=self._journal,
                                                  sync=f"{stall[0]} stall {stall[1]}" if stall else "")
            preloaded.append(environment["LD_PRELOAD"])
        if self.has_clock:
            preloaded.append(str(self._clock_library))
            environment.update(FAKETIME_TIMESTAMP_FILE=str(self._clock), FAKETIME_CACHE_DURATION="1",
                               FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1")
        if preloaded:
            environment["LD_PRELOAD"] = ":".join(preloaded)
        self.program = Broker(self._stage, [BIN / "rota-broker", "--data", self.data, *self._arguments], "rota-broker ready",
                              env=environment)
        self.program.wait_ready(PATIENT)

    def left_out(self):
        """The faults that cannot take place here, and why."""
        faults = []
        if not self.has_clock:
            faults.append("clock jumps (they need libfaketime and programs without a sanitizer)")
        if not disk_faults.library(BIN).exists():
            faults.append(f"power cuts and slow syncs (they need {disk_faults.library(BIN)})")
        return faults

    @property
    def can_lose_power(self):
        return self._journaled

    def kill(self):
        end_at_once(self.program)
        self._gone()

    def stop(self):
        """In order."""
        code = self.program.stop(PATIENT)
        if code != 0:
            raise Finding(f"the broker exited with {code} at SIGTERM: {self.program.log_text()[-3000:]}")
        self._gone()

    def must_live(self):
        if self.program is not None and not self.program.alive:
            raise Finding(f"the broker (pid {self.program.pid}) ended with {self.program.process.returncode} by itself:\n"
                          f"{self.program.log_text()[-3000:]}")

    def cut_power(self, seed):
        """Kills it, and takes back from the disk what was not synced: all of it, or a random part of its sectors."""
        end_at_once(self.program)
        sector = random.Random(seed).choice((None, 512, 4096))
        power_cut.PowerCut(self._journal).apply(sector, seed)
        self._gone()

    def close(self):
        """After the end of a campaign, however it ended."""
        if self.program is not None:
            self._forget_clock(self.program.pid)

    @staticmethod
    def _forget_clock(pid):
        """Removes what the library of a killed process leaves behind."""
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            Path("/dev/shm", name).unlink(missing_ok=True)

    def _gone(self):
        program, self.program = self.program, None
        self._stage.forget(program)
        self._forget_clock(program.pid)
        for rest in self._journal.parent.glob(self._journal.name + "*"):
            if rest.is_dir():
                shutil.rmtree(rest)
            else:
                rest.unlink()
