"""librota-faults.so and power_cut.py on a small program that writes, syncs and is cut."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

import faults
import power_cut

BIN = Path(os.environ.get("ROTA_BIN", Path(__file__).resolve().parents[2] / "build/release/bin"))


class Faults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rota-faults-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.store = self.folder / "store"
        self.journal = self.folder / "journal"
        self.counters = self.folder / "counters"

    def run_program(self, code, make=True, **settings):
        """Runs Python code in the store's directory, with the library before it; its exit code."""
        if make:
            self.store.mkdir(exist_ok=True)
        environment = {**os.environ, **faults.environment(BIN, self.store, self.counters, self.journal, **settings)}
        program = subprocess.run([sys.executable, "-ISBc", "import os\n" + textwrap.dedent(code)], cwd=self.folder, env=environment,
                                 stdout=subprocess.PIPE, text=True, check=False)
        self.out = program.stdout
        return program.returncode

    def cut(self, **how):
        power_cut.PowerCut(self.journal).apply(**how)

    def write_old(self, size):
        self.store.mkdir()
        (self.store / "f").write_bytes(b"o" * size)

    def test_what_was_not_synced_is_gone(self):
        self.write_old(1000)
        self.assertEqual(0, self.run_program("""
            fd = os.open("store/f", os.O_RDWR)
            os.pwrite(fd, b"a" * 100, 0)
            os.fdatasync(fd)
            os.pwrite(fd, b"b" * 100, 50)
            os.pwritev(fd, [b"c" * 10, b"d" * 10], 2000)
        """))
        self.cut()
        self.assertEqual(b"a" * 100 + b"o" * 900, (self.store / "f").read_bytes())

    def test_a_file_grown_and_cut_has_its_synced_length(self):
        self.write_old(1000)
        self.assertEqual(0, self.run_program("""
            fd = os.open("store/f", os.O_RDWR)
            os.ftruncate(fd, 10)
            os.posix_fallocate(fd, 0, 5000)
        """))
        self.assertEqual(5000, (self.store / "f").stat().st_size)
        self.cut()
        self.assertEqual(b"o" * 1000, (self.store / "f").read_bytes())

    def test_a_synced_descriptor_syncs_its_own_sectors_alone(self):
        self.write_old(4096)
        self.assertEqual(0, self.run_program("""
            fd = os.open("store/f", os.O_RDWR)
            own = os.open("store/f", os.O_WRONLY | os.O_DSYNC)
            os.pwrite(fd, b"a" * 4096, 0)
            os.pwrite(own, b"s" * 120, 1056)
        """))
        self.cut()
        kept = b"a" * 32 + b"s" * 120 + b"a" * 360
        self.assertEqual(b"o" * 1024 + kept + b"o" * 2560, (self.store / "f").read_bytes())

    def test_a_cut_in_a_synced_write_leaves_it_open(self):
        self.write_old(512)
        code = """
            own = os.open("store/f", os.O_WRONLY | os.O_DSYNC)
            os.pwrite(own, b"s" * 512, 0)
            os.pwrite(own, b"t" * 512, 0)
        """
        self.assertEqual(-signal.SIGKILL, self.run_program(code, disk_kill=2))
        self.assertEqual("synced write", faults.Counters.read(self.counters).killed_at)
        self.cut()
        self.assertEqual(b"s" * 512, (self.store / "f").read_bytes())

    def test_torn_writes_keep_whole_sectors_at_random(self):
        self.write_old(8192)
        code = """
            fd = os.open("store/f", os.O_RDWR)
            os.pwrite(fd, b"n" * 8192, 0)
        """
        seen = set()
        for seed in range(8):
            (self.store / "f").write_bytes(b"o" * 8192)
            self.journal.unlink(missing_ok=True)
            self.assertEqual(0, self.run_program(code))
            self.cut(sector=512, seed=seed)
            content = (self.store / "f").read_bytes()
            sectors = [content[at:at + 512] for at in range(0, 8192, 512)]
            self.assertLessEqual(set(sectors), {b"n" * 512, b"o" * 512})
            seen.add(content)
        self.assertGreater(len(seen), 1)

    def test_a_name_lives_as_long_as_its_directory_was_synced(self):
        code = """
            os.mkdir("store")
            fd = os.open("store/f", os.O_RDWR | os.O_CREAT)
            os.write(fd, b"new")
            os.fsync(fd)
        """
        sync = """
            for name in ("store", "."):
                os.fsync(os.open(name, os.O_RDONLY | os.O_DIRECTORY))
        """
        self.assertEqual(0, self.run_program(code, make=False))
        self.cut()
        self.assertFalse(self.store.exists())
        self.journal.unlink()
        self.assertEqual(0, self.run_program(textwrap.dedent(code) + textwrap.dedent(sync), make=False))
        self.cut()
        self.assertEqual(b"new", (self.store / "f").read_bytes())

    def test_renames_and_removals_are_taken_back(self):
        self.write_old(3)
        (self.store / "g").write_bytes(b"g")
        (self.store / "h").write_bytes(b"h")
        self.assertEqual(0, self.run_program("""
            os.rename("store/f", "store/g")
            os.unlink("store/h")
        """))
        self.cut()
        self.assertEqual([b"ooo", b"g", b"h"], [(self.store / name).read_bytes() for name in "fgh"])

    def test_the_nth_sync_fails_and_what_comes_behind_it_is_told(self):
        code = """
            fd = os.open("store/f", os.O_RDWR)
            for n in range(4):
                os.pwrite(fd, b"x", n)
                try:
                    os.fsync(fd)
                    print("ok")
                except OSError as error:
                    print(error.errno)
        """
        self.write_old(3)
        self.assertEqual(0, self.run_program(code, sync="2 EIO"))
        self.assertEqual(["ok", "5", "ok", "ok"], self.out.split())
        behind = power_cut.after_fault(power_cut.read_journal(self.journal))
        self.assertEqual(["WRITE", "SYNC_BEGIN"] * 2, [record.kind.name for record in behind])

    def test_writes_fail_or_fall_short(self):
        self.write_old(0)
        code = """
            fd = os.open("store/f", os.O_RDWR)
            try:
                print(os.pwrite(fd, b"x" * 10, 0))
            except OSError as error:
                print(error.errno)
        """
        self.run_program(code, write="1 short")
        self.assertEqual("5", self.out.strip())
        self.run_program(code, write="1 ENOSPC")
        self.assertEqual("28", self.out.strip())

    def test_counts_outlive_the_kill(self):
        self.write_old(3)
        code = """
            fd = os.open("store/f", os.O_RDWR)
            for n in range(10):
                os.pwrite(fd, b"x", n)
                os.fsync(fd)
        """
        self.assertEqual(-signal.SIGKILL, self.run_program(code, disk_kill=6))
        counted = faults.Counters.read(self.counters)
        self.assertEqual((6, 3, 2, "sync"), (counted.disk_calls, counted.writes, counted.syncs, counted.killed_at))


if __name__ == "__main__":
    if not faults.library(BIN).exists():
        print(f"skipped: {faults.library(BIN)} is not built (sanitizers stand in front of the same calls)")
        sys.exit(77)
    unittest.main()
