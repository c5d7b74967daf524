"""The programs of a campaign: one broker over one store, workers and clients that come and go, proxies between them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "history"), str(TESTS / "integration")]
import sanitizers  # noqa: E402
from broker_host import PATIENT, BrokerHost, Finding  # noqa: E402
from rota_harness import BIN, Program, eventually  # noqa: E402
from tcp_proxy import TcpProxy  # noqa: E402

QUEUES = ("fast", "mixed", "slow")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def flags(name, values):
    return [part for value in values for part in (name, value)]


class Role:
    """A worker or client that has successors: its proxy, its running process, and what is being done to it."""

    def __init__(self, kind, number, target):
        self.kind, self.number = kind, number
        self.proxy = TcpProxy(target)
        self.program = None
        self.incarnation = 0
        self.busy = False  # a fault is on

    @property
    def name(self):
        """Workers are told apart by name; a client's successor takes over what it left, so it keeps the name."""
        return f"w{self.number}i{self.incarnation}" if self.kind == "worker" else f"c{self.number}"


class Stage:
    """`directory` holds the store, logs and histories. Attributes `directory`, `programs` and `environment` serve Program."""

    def __init__(self, directory, options):
        self.directory = Path(directory)
        self.options = options
        self.programs = []
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("ROTA_", "XDG_"))}
        self.environment.update(HOME=str(directory), LC_ALL="C.UTF-8")
        sanitizers.send_reports_to(self.directory, self.environment)
        self.clients = f"tcp://127.0.0.1:{free_port()}"
        self.workers = f"tcp://127.0.0.1:{free_port()}"
        self.history = None  # of the round
        # Results are compared at the end of a round: none of it may be dropped for room, which a clock that jumps would take
        # from the newest jobs.
        self.broker = BrokerHost(self, ["--clients", self.clients, "--workers", self.workers, "--http", "off", "--lease",
                                        f"{options.lease_ms}ms", "--log-level", "warn", "--finished-limit", "60GiB"])
        self.broker_busy = False
        self.roles = [Role("worker", n, self.workers) for n in range(1, options.workers + 1)]
        self.roles += [Role("client", n, self.clients) for n in range(1, options.clients + 1)]

    # --- programs ---------------------------------------------------------------------------------------------------------

    def start(self, role):
        role.incarnation += 1
        (self.start_worker if role.kind == "worker" else self.start_client)(role)

    def start_worker(self, role):
        role.program = Program(self, [
            BIN / "history-worker", "--broker", role.proxy.endpoint, "--directory", self.history, "--name", role.name,
            "--slots", 16, *flags("--queue", QUEUES)], "history-worker ready", name=f"worker-{role.name}")

    def start_client(self, role):
        mix = {"longs": 2, "flaky": 5, "doomed": 3, "delayed": 10, "urgent": 20, "large": 2, "keyed": 2, "cancels": 2}
        role.program = Program(self, [
            BIN / "history-client", "--broker", role.proxy.endpoint, "--directory", self.history, "--name", role.name,
            "--rate", self.options.rate, "--batch", 64, "--window", self.options.window, "--patience", f"{PATIENT}s",
            "--long-ms", self.options.lease_ms * 3 // 2, *flags("--queue", QUEUES),
            *[str(part) for name, share in mix.items() for part in (f"--{name}", share)]],
            "history-client ready", name=f"client-{role.name}")

    def forget(self, program):
        """Closes a program that has ended and removes its log."""
        program.close()
        self.programs.remove(program)
        program.log.unlink(missing_ok=True)

    def everybody_lives(self):
        """Nobody may end by itself, and no sanitizer may complain."""
        if found := sanitizers.reports(self.directory):
            raise Finding(found)
        self.broker.must_live()
        for role in self.roles:
            if role.program is not None and not role.program.alive:
                raise self.ended(role)

    @staticmethod
    def ended(role):
        return Finding(f"{role.name} (pid {role.program.pid}) ended with {role.program.process.returncode}: "
                       f"{role.program.lines[-1:]} {role.program.log_text()[-3000:]}")

    # --- the end of a round -----------------------------------------------------------------------------------------------

    def finish_clients(self):
        """Clients submit no more and wait for their last ends."""
        clients = [role for role in self.roles if role.kind == "client"]
        for role in clients:
            role.program.wait_ready(PATIENT)
            role.program.kill(signal.SIGTERM)
        for role in clients:
            if role.program.wait(2 * PATIENT) != 0:
                self.broker.must_live()
                raise self.ended(role)
            self.forget(role.program)
            role.program = None

    def wait_idle(self):
        """Until no job is left to do: clients that were killed may have submitted more than anybody waits for."""
        eventually(lambda: self.unfinished() == 0, PATIENT, lambda: f"jobs that never end: {self.queues()}", every=0.1)

    def queues(self):
        done = subprocess.run([BIN / "rota", "--broker", self.clients, "--output", "json", "queues"], capture_output=True,
                              env=self.environment, check=False, timeout=PATIENT)
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else None

    def unfinished(self):
        rows = self.queues()
        return None if rows is None else sum(row[state] for row in rows for state in ("scheduled", "ready", "running"))

    def read_all(self):
        done = subprocess.run([BIN / "history-client", "--broker", self.clients, "--directory", self.history, "--name", "last",
                               "--patience", f"{PATIENT}s", "--read"], capture_output=True, env=self.environment, check=False,
                              timeout=2 * PATIENT)
        if done.returncode != 0:
            raise Finding(f"the last reading failed: {done.stderr.decode()}")

    def finish_workers(self):
        workers = [role for role in self.roles if role.kind == "worker"]
        for role in workers:
            role.program.wait_ready(PATIENT)
            role.program.kill(signal.SIGTERM)
        for role in workers:
            if role.program.wait(PATIENT) != 0:
                raise self.ended(role)
            self.forget(role.program)
            role.program = None

    def begin_round(self, number):
        self.history = self.directory / f"round-{number}"
        self.history.mkdir()
        for role in self.roles:
            self.start(role)
        for role in self.roles:
            role.program.wait_ready(PATIENT)

    def close(self):
        for program in list(self.programs):
            program.close()
        self.broker.close()
        for role in self.roles:
            role.proxy.close()

    def check_store(self):
        """The store's own verdict about itself, with the broker stopped."""
        done = subprocess.run([BIN / "rota-broker", "check", "--data", self.broker.data], capture_output=True, text=True,
                              env=self.environment, check=False, timeout=4 * PATIENT)
        if done.returncode != 0:
            raise Finding(f"rota-broker check exited with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
