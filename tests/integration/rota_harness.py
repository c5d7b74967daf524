"""Runs the real programs for black-box tests: own directories, free ports, deadlines for everything, nothing left behind.

Every test derives from RotaTest. Programs are taken from $ROTA_BIN (<build>/bin). On failure the logs of all programs that
the test started are printed. A test waits for conditions (eventually), never for time.
"""

import faulthandler
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import sanitizers

BIN = Path(os.environ.get("ROTA_BIN", Path(__file__).resolve().parents[2] / "build/release/bin"))
SOURCE = Path(__file__).resolve().parents[2]
READY_SECONDS = 30  # a loaded two-core machine; the programs need milliseconds
# Stretches every deadline, for slow machines and instrumented builds.
PATIENCE = float(os.environ.get("ROTA_TEST_PATIENCE", "1"))
# The sanitizer that the programs were built with ("address", "thread"), or None.
SANITIZER = sanitizers.sanitizer_of(BIN / "rota-broker") if (BIN / "rota-broker").exists() else None

# Options of a broker whose failure detection is quick enough for tests.
QUICK_LEASE = ["--lease", "2s", "--reattach", "6s"]


def scale(full, smallest=1):
    """`full`, or less where ROTA_TEST_SCALE (0 … 1) asks for a quicker run."""
    return max(smallest, int(full * float(os.environ.get("ROTA_TEST_SCALE", "1"))))


class Deadline(AssertionError):
    """A condition did not come true in time."""


def eventually(condition, seconds, what, every=0.02):
    """Polls until condition() is true and returns its value; fails after `seconds`, naming `what`."""
    end = time.monotonic() + seconds * PATIENCE
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Deadline(f"not within {seconds} s: {what() if callable(what) else what}; last: {value!r}")
        pause.wait(every)


def process_alive(pid):
    """Whether the process runs: gone and zombie both count as dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def processes_with(marker):
    """Pids of live processes whose command line or environment contains `marker`."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        for file in ("cmdline", "environ"):
            try:
                if marker.encode() in Path(f"/proc/{entry}/{file}").read_bytes():
                    if process_alive(entry):
                        found.append(int(entry))
                    break
            except OSError:
                pass
    return found


class Program:
    """A long-running program: its ready line, its log, its end."""

    def __init__(self, test, arguments, ready, prefix=(), env=None, name=None):
        self.test = test
        self.arguments = [str(a) for a in arguments]
        self.name = name or Path(self.arguments[0]).name
        self.log = test.directory / f"{self.name}-{len(test.programs)}.log"
        self.lines = []
        self._ready_prefix = ready
        self._event = threading.Event()
        self._stderr = open(self.log, "wb")
        environment = dict(test.environment)
        environment.update(env or {})
        self.process = subprocess.Popen(
            [*prefix, *self.arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr,
            env=environment, cwd=test.directory)
        self.pid = self.process.pid
        self.ready_line = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        test.programs.append(self)

    def _read(self):
        for line in self.process.stdout:
            text = line.decode(errors="replace").rstrip("\n")
            self.lines.append(text)
            if self.ready_line is None and text.startswith(self._ready_prefix):
                self.ready_line = text
                self._event.set()
        self._event.set()

    def wait_ready(self, seconds=READY_SECONDS):
        self._event.wait(seconds * PATIENCE)
        if self.ready_line is None:
            code = self.process.poll()
            raise Deadline(f"{self.name} printed no ready line (exit {code})\n{self.log_text()}")
        return self

    @property
    def ready(self):
        """The key=value pairs of the ready line."""
        return dict(re.findall(r"(\w+)=(\S+)", self.ready_line or ""))

    def log_text(self):
        self._stderr.flush()
        return self.log.read_text(errors="replace")

    @property
    def alive(self):
        return self.process.poll() is None

    def kill(self, number=signal.SIGKILL):
        """Sends a signal; for SIGKILL, waits for the end."""
        if self.alive:
            self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(10)

    def stop(self, seconds=30):
        """SIGTERM, then the exit code."""
        if self.alive:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds=30):
        """The exit code. What it printed stands in `lines` by then."""
        try:
            code = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Deadline(f"{self.name} did not end within {seconds} s\n{self.log_text()}") from None
        self._reader.join(5 * PATIENCE)  # not for ever: a process that it left behind may hold its stdout open
        return code

    def close(self):
        if self.alive:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        self.process.stdout.close()
        self._stderr.close()


class Broker(Program):
    @property
    def clients(self):
        return self.ready["clients"]

    @property
    def workers(self):
        return self.ready["workers"]

    @property
    def http(self):
        return self.ready["http"]

    def get(self, path):
        with urllib.request.urlopen(self.http + path, timeout=10) as answer:
            return answer.status, answer.read().decode()

    def metrics(self):
        """All samples of /metrics: {"name{labels}": value}. A broker that is too busy for an answer (503) is asked again."""
        samples = {}

        def text():
            try:
                return self.get("/metrics")[1]
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                return None
        for line in eventually(text, 30, "the broker has time for /metrics").splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def metric(self, pattern):
        """Sum of the samples whose full name matches the regular expression."""
        return sum(value for name, value in self.metrics().items() if re.search(pattern, name))


class Outcome:
    """What a command did."""

    def __init__(self, process, seconds):
        self.code = process.returncode
        self.bytes = process.stdout
        self.out = process.stdout.decode(errors="replace")
        self.err = process.stderr.decode(errors="replace")
        self.seconds = seconds

    @property
    def lines(self):
        return self.out.splitlines()

    def json(self):
        return json.loads(self.out)

    def json_lines(self):
        return [json.loads(line) for line in self.lines]

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out[:2000]}\nstderr: {self.err[:2000]}"


class RotaTest(unittest.TestCase):
    """Base of all tests of the programs."""

    seconds = 120  # a test that takes longer is killed with a traceback
    maxDiff = 4000

    def setUp(self):
        faulthandler.dump_traceback_later(self.seconds * PATIENCE, exit=True)
        self.directory = Path(tempfile.mkdtemp(prefix="rota-test-"))
        self.began = time.monotonic()
        self.programs = []
        # Nothing of the caller's configuration may leak into the programs.
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ROTA_") and not k.startswith("XDG_")}
        self.environment.update(HOME=str(self.directory), LC_ALL="C.UTF-8")
        sanitizers.send_reports_to(self.directory, self.environment)
        self._worker_number = 0

    def tearDown(self):
        try:
            for program in reversed(self.programs):
                program.close()
            if self._failed():
                self._print_logs()
            found = sanitizers.reports(self.directory)
            self.assertFalse(found, found)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
            print(f"{time.monotonic() - self.began:.1f} s ", end="", file=sys.stderr, flush=True)
            faulthandler.cancel_dump_traceback_later()

    def _failed(self):
        result = self._outcome.result
        return any(getattr(test, "test_case", test) is self for test, _ in result.failures + result.errors)

    def _print_logs(self):
        for program in self.programs:
            text = program.log.read_text(errors="replace")
            print(f"--- {self.id()}: {' '.join(program.arguments)} (exit {program.process.returncode})\n{text[-6000:]}",
                  file=sys.stderr)

    # --- programs -----------------------------------------------------------------------------------------------------

    def broker(self, *options, data="data", clients="tcp://127.0.0.1:*", workers="tcp://127.0.0.1:*", http="127.0.0.1:0",
               wait=True, prefix=(), env=None):
        """Starts a broker on free ports (or those given) and waits until it serves."""
        program = Broker(
            self, [BIN / "rota-broker", "--data", self.directory / data, "--clients", clients, "--workers", workers,
                   "--http", http, *options], "rota-broker ready", prefix=prefix, env=env)
        return program.wait_ready() if wait else program

    def restart(self, broker, *options, data="data"):
        """A broker on the same directory and ports as `broker`, which has ended."""
        return self.broker(*options, data=data, clients=broker.clients, workers=broker.workers,
                           http=broker.http.removeprefix("http://"))

    def worker(self, broker, *options, name=None, slots=2, wait=True, prefix=(), exec=True, env=None):
        """Starts an exec worker of this broker (or endpoint) and waits until it is registered."""
        self._worker_number += 1
        name = name or f"w{self._worker_number}"
        endpoint = broker if isinstance(broker, str) else broker.workers
        arguments = [BIN / "rota-worker", "--broker", endpoint, "--name", name, "--slots", slots, *options]
        if exec:
            arguments.append("--exec")
        program = Program(self, arguments, "rota-worker ready", prefix=prefix, env=env, name=f"rota-worker-{name}")
        program.worker_name = name
        return program.wait_ready() if wait else program

    def rota(self, broker, *arguments, stdin=None, seconds=60, code=0, env=None, prefix=()):
        """Runs `rota` to its end. Fails unless it exits with `code` (None: any)."""
        endpoint = broker if isinstance(broker, str) else broker.clients
        command = [*prefix, str(BIN / "rota"), "--broker", endpoint, *[str(a) for a in arguments]]
        environment = dict(self.environment)
        environment.update(env or {})
        if isinstance(stdin, str):
            stdin = stdin.encode()
        began = time.monotonic()
        try:
            process = subprocess.run(command, input=stdin if stdin is not None else b"", stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=seconds * PATIENCE, env=environment, cwd=self.directory)
        except subprocess.TimeoutExpired as late:
            raise Deadline(f"{command} ran past {seconds} s; stderr: {late.stderr}") from None
        outcome = Outcome(process, time.monotonic() - began)
        if code is not None:
            self.assertEqual(code, outcome.code, f"{' '.join(map(str, arguments))}: {outcome}")
        return outcome

    def start_rota(self, broker, *arguments, stdin=None):
        """Runs `rota` in the background; a Program without ready line whose stdout lines are in `.lines`."""
        endpoint = broker if isinstance(broker, str) else broker.clients
        return Program(self, [BIN / "rota", "--broker", endpoint, *arguments], "\0", name="rota")

    # --- short forms --------------------------------------------------------------------------------------------------

    def submit(self, broker, *arguments, **keywords):
        """Submits one job and returns its id."""
        return self.rota(broker, "submit", *arguments, **keywords).out.strip()

    def status(self, broker, job):
        return self.rota(broker, "--output", "json", "status", job).json()

    def statuses(self, broker, jobs):
        """The facts of many jobs, in order."""
        return self.rota(broker, "--output", "json", "status", "-", stdin="\n".join(jobs) + "\n", seconds=120).json_lines()

    def queue(self, broker, name="default"):
        """The counts of one queue; all zero if the broker does not know it."""
        for row in self.rota(broker, "--output", "json", "queues").json_lines():
            if row["queue"] == name:
                return row
        return {"queue": name, "scheduled": 0, "ready": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0,
                "expired": 0}

    def wait_state(self, broker, job, state, seconds=30):
        """Polls until the job is in (one of) the state(s); returns its facts."""
        states = {state} if isinstance(state, str) else set(state)
        seen = {}

        def reached():
            seen.update(self.status(broker, job))
            return seen["state"] in states
        eventually(reached, seconds, lambda: f"job {job} in {states}: {seen}", every=0.05)
        return seen

    def assert_sentence(self, outcome, *words, program="rota"):
        """Its stderr is one clear line that begins with the program's name and holds all the words."""
        lines = [line for line in outcome.err.splitlines() if line.startswith(f"{program}:")]
        self.assertEqual(1, len(lines), outcome)
        for word in words:
            self.assertIn(str(word), lines[0])

    def broker_fails(self, *options, data=None, seconds=20, prefix=()):
        """Runs a broker that is to refuse; its outcome."""
        arguments = [*prefix, str(BIN / "rota-broker"), "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*",
                     "--http", "off"]
        if data is not None:
            arguments += ["--data", str(data)]
        return self.run_to_end([*arguments, *options], seconds)

    def run_to_end(self, arguments, seconds=20, env=None):
        environment = dict(self.environment)
        environment.update(env or {})
        began = time.monotonic()
        try:
            process = subprocess.run([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, timeout=seconds * PATIENCE, env=environment, cwd=self.directory)
        except subprocess.TimeoutExpired as late:
            raise Deadline(f"{arguments} ran past {seconds} s; stdout {late.stdout} stderr {late.stderr}") from None
        return Outcome(process, time.monotonic() - began)


SKIPPED = 77  # what ctest reports as skipped, never as passed


def main():
    """Runs the calling file's tests; exits with SKIPPED if not one of them could run here."""
    program = unittest.main(verbosity=2, exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun and len(result.skipped) == result.testsRun else 0)
