"""Starts the servers that are compared: on loopback, a free port, an empty directory, watched for syncs."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

START_PATIENCE = 120  # seconds; RabbitMQ takes ten on a machine that has nothing else to do
DESCRIPTORS = 131072
SYNC_RECORD_BYTES = 64  # room for SyncRecord of sync_watch.h


class RunFailed(Exception):
    """A system could not be measured; the others go on."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def allow_many_connections():
    """As many descriptors as ten thousand clients need, or as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = max(hard, DESCRIPTORS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (OSError, ValueError):  # only root may raise what was set for it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Programs:
    """Where programs are found: Rota's in `bin`, the others unpacked under `root` (scripts/rota) or else installed."""

    def __init__(self, bin_folder, root):
        self.bin = bin_folder
        self.root = root
        folders = [root / part for part in ("usr/bin", "usr/sbin", "usr/lib/rabbitmq/bin")]
        self.path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin"])
        libraries = [str(folder) for folder in sorted((root / "usr/lib").glob("*-linux-gnu*"))]
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("ROTA_", "RABBITMQ_"))}
        self.environment.update(PATH=self.path, LC_ALL="C.UTF-8")
        self.environment.pop("NOTIFY_SOCKET", None)
        if libraries:
            self.environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)

    def find(self, name):
        own = self.bin / name
        return str(own) if own.exists() else shutil.which(name, path=self.path)


class Server:
    """One run's server. `with` it; stopped and its directory removed at the end."""

    program = None  # what has to be installed
    version_command = ()
    version_pattern = r"(\d+\.\d+[.\d]*)"

    def __init__(self, programs, data, durability, **_):
        self.programs = programs
        self.directory = Path(data) / f"{type(self).__name__.lower()}-{os.getpid()}"
        self.durability = durability
        self.port = 0
        self.processes = []

    def __enter__(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.watch = self.directory / "sync-watch"
        self.watch.write_bytes(bytes(SYNC_RECORD_BYTES))
        self.port = free_port()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self.processes = []

    def start(self):
        self.launch(self.command())
        self.await_port()

    def command(self):
        raise NotImplementedError

    def launch(self, command, environment=None, stdout=None):
        environment = dict(self.programs.environment, **(environment or {}))
        environment["LD_PRELOAD"] = str(self.programs.bin / "librota-sync-watch.so")
        environment["ROTA_SYNC_WATCH"] = str(self.watch)
        with open(self.directory / "log", "ab") as log:
            process = subprocess.Popen([self.programs.find(command[0]) or command[0], *map(str, command[1:])], env=environment,
                                       cwd=self.directory, stdin=subprocess.DEVNULL, stdout=stdout or log, stderr=log,
                                       preexec_fn=allow_many_connections)
        self.processes.append(process)
        return process

    def await_port(self):
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline:
            if self.processes[-1].poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        log = (self.directory / "log").read_text(errors="replace")[-300:]
        raise RunFailed(f"{self.program} did not start: {log}")

    def pids(self):
        """The server's processes with all descendants."""
        found, parents = [p.pid for p in self.processes], {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                except (OSError, IndexError):
                    continue
                parents.setdefault(parent, []).append(int(entry.name))
        for pid in found:  # grows meanwhile
            found += parents.get(pid, [])
        return found

    def load_options(self):
        """What rota-compare-load is told about where the server is."""
        return ["--address", "127.0.0.1", "--port", str(self.port)]

    def counters(self):
        """The server's own counters of commits and bytes; empty if it has none."""
        return {}

    @classmethod
    def version(cls, programs):
        program = programs.find(cls.version_command[0]) if cls.version_command else None
        if program is None:
            return None
        done = subprocess.run([program, *cls.version_command[1:]], env=programs.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        found = re.search(cls.version_pattern, done.stdout + done.stderr)
        return found.group(1) if found else "?"

    @classmethod
    def is_there(cls, programs):
        return programs.find(cls.program) is not None


class Rota(Server):
    program = "rota-broker"
    version_command = ("rota-broker", "--version")

    def __init__(self, programs, data, durability, memory_limit=None, **rest):
        super().__init__(programs, data, durability, **rest)
        self.memory_limit = memory_limit

    def start(self):
        options = ["--memory-limit", self.memory_limit] if self.memory_limit else []
        broker = self.launch(["rota-broker", "--data", self.directory / "data", "--clients", "tcp://127.0.0.1:*", "--workers",
                              "tcp://127.0.0.1:*", "--http", "127.0.0.1:0", "--log-level", "warn", *options],
                             stdout=subprocess.PIPE)
        line = broker.stdout.readline().decode()
        if " ready " not in line:
            raise RunFailed("rota-broker did not start: " + (self.directory / "log").read_text(errors="replace"))
        self.ready = dict(word.split("=", 1) for word in line.split() if "=" in word)

    def load_options(self):
        return ["--address", self.ready["clients"], "--workers-endpoint", self.ready["workers"]]

    def counters(self):
        with urllib.request.urlopen(self.ready["http"] + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        named = {"commits": "rota_commit_seconds_count", "store_bytes": "rota_store_written_bytes_total"}
        found = {name: re.search(rf"^{metric} (\S+)$", text, re.M) for name, metric in named.items()}
        return {name: float(match.group(1)) for name, match in found.items() if match}


class Redis(Server):
    program = "redis-server"
    version_command = ("redis-server", "--version")
    version_pattern = r"v=(\S+)"

    def __init__(self, programs, data, durability, appendfsync="always", **rest):
        super().__init__(programs, data, durability, **rest)
        self.appendfsync = appendfsync

    def command(self):
        keep = ["yes", "--appendfsync", self.appendfsync] if self.durability == "fsync" else ["no"]
        return ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--dir", self.directory, "--save", "",
                "--maxclients", "20000", "--appendonly", *keep]


class Beanstalkd(Server):
    program = "beanstalkd"
    version_command = ("beanstalkd", "-v")

    def __init__(self, programs, data, durability, sync_ms=0, **rest):
        super().__init__(programs, data, durability, **rest)
        self.sync_ms = sync_ms

    def command(self):
        keep = ["-b", self.directory, f"-f{self.sync_ms}"] if self.durability == "fsync" else []
        return ["beanstalkd", "-l", "127.0.0.1", "-p", self.port, *keep]


class Gearmand(Server):
    program = "gearmand"
    version_command = ("gearmand", "--version")

    def command(self):
        # A million buckets: with the 991 of the default a backlog is searched in long chains.
        keep = ["-q", "libsqlite3", f"--libsqlite3-db={self.directory}/queue.db"] if self.durability == "fsync" else []
        return ["gearmand", "-L", "127.0.0.1", "-p", self.port, "--hashtable-buckets=1000003", "-l", "stderr", "-P",
                self.directory / "pid", *keep]


class Nats(Server):
    program = "nats-server"
    version_command = ("nats-server", "--version")

    def command(self):
        return ["nats-server", "-a", "127.0.0.1", "-p", self.port, "-js", "-sd", self.directory]


class RabbitMq(Server):
    program = "rabbitmq-server"

    def start(self):
        name = f"rota{os.getpid()}"
        port_mapper, distribution = free_port(), free_port()
        (self.directory / "enabled_plugins").write_text("[].")
        (self.directory / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        environment = {
            "HOME": str(self.directory), "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory), "RABBITMQ_LOGS": "-", "RABBITMQ_NODENAME": f"{name}@localhost",
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none"), "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.directory), "ERL_EPMD_PORT": str(port_mapper),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RUNNING_UNDER_SYSTEMD": "true",
        }
        # Its port mapper would be left behind if the server itself started it.
        self.launch([self.unpacked("erlang/erts-*/bin/epmd"), "-port", port_mapper, "-address", "127.0.0.1"])
        own, self.port = self.port, port_mapper
        self.await_port()
        self.port = own
        # Not the wrapper of Debian's, which changes to a user that installing makes.
        self.launch([self.unpacked("rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")], environment)
        self.await_port()

    def unpacked(self, pattern):
        for root in (self.programs.root, Path("/")):
            for found in sorted(root.glob("usr/lib/" + pattern)):
                return str(found)
        raise RunFailed(f"RabbitMQ is not complete: no {pattern}")

    @classmethod
    def version(cls, programs):
        for root in (programs.root, Path("/")):
            for found in root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*"):
                return found.name.rsplit("-", 1)[1]
        return None

    @classmethod
    def is_there(cls, programs):
        return cls.version(programs) is not None
