"""What rota shows on a terminal and in a pipe: widths, colours, bars, and nothing that acts on the terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading

import rota_harness
from rota_harness import BIN, Deadline, RotaTest, eventually

ESCAPE = "\x1b"


class Terminal(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()
        self.environment["TERM"] = "xterm"

    def on_terminal(self, *words, columns=80, code=0, env=None, stderr=True, during=None):
        """Runs `rota` with stdout (and stderr) on a terminal of that width; what appeared there."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST  # line ends as they are written
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        shown = []

        def read():
            while True:
                try:
                    data = os.read(master, 65536)
                except OSError:
                    return
                if not data:
                    return
                shown.append(data)
        process = subprocess.Popen([BIN / "rota", "--broker", self.b.clients, *[str(word) for word in words]],
                                   stdin=subprocess.DEVNULL, stdout=slave, stderr=slave if stderr else subprocess.DEVNULL,
                                   env={**self.environment, **(env or {})}, cwd=self.directory)
        os.close(slave)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            if during is not None:
                during(lambda: b"".join(shown).decode(errors="replace"))
            self.assertEqual(code, process.wait(30), b"".join(shown))
        except subprocess.TimeoutExpired:
            raise Deadline(f"rota {words} did not end") from None
        finally:
            process.kill()
            process.wait()
            reader.join(10)
            os.close(master)
        return b"".join(shown).decode(errors="replace")

    def test_states_have_colours_unless_told_otherwise(self):
        jobs = self.rota(self.b, "submit", "--array", "1-2", "--", "true").lines
        self.rota(self.b, "cancel", jobs[0])
        for words in (["status", *jobs], ["status", jobs[0]], ["queues"]):
            self.assertIn("\x1b[33m", self.on_terminal(*words), words)
            for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
                self.assertNotIn(ESCAPE, self.on_terminal(*words, env=env), (words, env))
            self.assertIn(ESCAPE, self.on_terminal(*words, env={"NO_COLOR": ""}))
            self.assertNotIn(ESCAPE, self.rota(self.b, *words).out)

    def test_tables_fit_the_terminal_and_are_whole_in_a_pipe(self):
        name = "a long name " * 8 + "世界" * 10
        jobs = [self.submit(self.b, "--name", name, "--queue", "q" * 64, "--", "true") for _ in range(2)]
        for columns in (40, 60, 80, 120, 200):
            lines = self.on_terminal("status", *jobs, columns=columns, env={"NO_COLOR": "1"}).splitlines()
            self.assertEqual(3, len(lines))
            for line in lines:
                self.assertLessEqual(sum(2 if char > "\u2e80" else 1 for char in line), columns, line)
                self.assertNotIn("�", line)
        self.assertIn("…", lines[1])
        self.assertIn(jobs[0], lines[1])
        narrow = self.on_terminal("status", *jobs, columns=40, env={"NO_COLOR": "1"})
        self.assertIn(jobs[0][-8:], narrow)  # the ending by which commands know it
        piped = self.rota(self.b, "status", *jobs).out
        self.assertIn(name, piped)
        self.assertIn("q" * 64, piped)
        self.assertRegex(piped, r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
        self.worker(self.b, "--label", "zone=a", "--label", "disk=ssd", name="w" * 100)
        for words in (["queues"], ["workers"]):
            for columns in (60, 100):
                for line in self.on_terminal(*words, columns=columns, env={"NO_COLOR": "1"}).splitlines():
                    self.assertLessEqual(len(line), columns, line)

    def test_narrow_terminals_keep_what_runs_and_waits(self):
        self.submit(self.b, "--type", "nobody", "--payload", "x")
        self.worker(self.b, "--label", "zone=a", name="bee")
        for words, columns, kept, gone in ((["workers"], 60, {"RUNNING", "HELD"}, {"CREDIT", "LEASE_LEFT_MS", "VERSION"}),
                                           (["queues"], 44, {"READY", "RUNNING", "SCHEDULED"}, {"EXPIRED", "CANCELLED"})):
            header = set(self.on_terminal(*words, columns=columns, env={"NO_COLOR": "1"}).splitlines()[0].split())
            self.assertEqual((kept, set()), (kept & header, gone & header), header)

    def test_strangers_text_never_acts_on_the_terminal(self):
        self.worker(self.b)
        evil = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\x9b5A\r\ud83d".encode("utf-8", "surrogatepass")
        script = self.directory / "evil"
        script.write_bytes(b"one\n\ttwo\n" + evil + b"\nend\n")
        job = self.submit(self.b, "--", "sh", "-c", "cat evil; cat evil >&2; exit 3")
        self.rota(self.b, "wait", job, code=1)
        for words in (["status", job], ["status", job, job]):
            shown = self.on_terminal(*words, env={"NO_COLOR": "1"})
            self.assertEqual(set(), {char for char in shown if char < " " or "\x7f" <= char < "\xa0"} - {"\n", "\t"}, shown)
        for words in (["result", job], ["submit", "--wait", "--", "cat", "evil"]):
            shown = self.on_terminal(*words, code=1 if words[0] == "result" else 0)
            self.assertIn("one\n\ttwo\n", shown)
            self.assertIn("\x1b[31mred\x1b[0m", shown)  # colours may stay
            self.assertNotIn("\x1b]", shown)
            self.assertNotIn("\x1b[2J", shown)
            self.assertEqual(set(), {char for char in shown if char < " "} - {"\n", "\t", ESCAPE}, shown)
        self.assertEqual(script.read_bytes(), self.rota(self.b, "result", job, code=1).bytes)
        piped = self.rota(self.b, "status", job).out
        self.assertNotIn(ESCAPE, piped)

    def test_bar_of_several_jobs_is_drawn_on_a_terminal_only(self):
        self.worker(self.b)
        wait = ["submit", "--wait", "--array", "1-3", "--", "sh", "-c",
                "test $ROTA_JOB_INDEX = 1 || until [ -e go ]; do sleep 0.02; done"]

        def go(shown):
            eventually(lambda: "1/3" in shown(), 20, shown)
            (self.directory / "go").touch()
        shown = self.on_terminal(*wait, during=go)
        self.assertIn("[##########....................] 1/3", shown)
        self.assertTrue(shown.split("\r\x1b[K")[-1].startswith("rota: 3 of 3 jobs final"), shown)
        dumb = self.on_terminal(*wait, env={"TERM": "dumb"})
        self.assertTrue(dumb.startswith("rota: 3 of 3"), dumb)
        self.assertNotIn("[#", self.rota(self.b, *wait).err)
        self.assertEqual("", self.on_terminal("--output", "quiet", *wait))

    def test_times_are_told_from_now_on_a_terminal(self):
        jobs = self.rota(self.b, "submit", "--array", "1-2", "--", "true").lines
        self.assertRegex(self.on_terminal("status", *jobs, columns=120), r"\d+s ago")
        self.assertRegex(self.on_terminal("status", jobs[0]), r"Z \(\d+s ago\)")
        self.assertNotIn("ago", self.rota(self.b, "status", *jobs).out)


if __name__ == "__main__":
    rota_harness.main()
