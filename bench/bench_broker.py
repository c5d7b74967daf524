"""Starts a broker for a measurement and runs `rota` on it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


class Bench:
    def __init__(self, programs, data):
        self.programs = programs
        self.directory = Path(tempfile.mkdtemp(prefix="rota-bench-", dir=data))
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("ROTA_")}
        self.broker = None

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self, *options):
        """A fresh broker on an empty directory."""
        self.stop()
        data = self.directory / "data"
        shutil.rmtree(data, ignore_errors=True)
        self.broker = subprocess.Popen([self.programs / "rota-broker", "--data", data, "--clients", "tcp://127.0.0.1:*",
                                        "--workers", "tcp://127.0.0.1:*", "--http", "off", "--log-level", "warn", *options],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.environment)
        line = self.broker.stdout.readline().decode()
        if " ready " not in line:
            sys.exit("bench: the broker did not start")
        self.ready = dict(word.split("=", 1) for word in line.split() if "=" in word)

    def stop(self):
        if self.broker is not None:
            self.broker.terminate()
            try:
                self.broker.wait(10)
            except subprocess.TimeoutExpired:
                self.broker.kill()
                self.broker.wait()
            self.broker.stdout.close()
            self.broker = None

    def rota(self, *arguments, background=False):
        """Runs `rota` on the broker that was started; its one JSON object, or the process where it runs in the background."""
        command = [self.programs / "rota", "--broker", self.ready["clients"], "--output", "json", *arguments]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment)
        return process if background else self.result(process)

    @staticmethod
    def result(process):
        """The JSON objects that a finished `rota` printed."""
        out, complaints = process.communicate()
        if process.returncode != 0:
            sys.stderr.write(complaints.decode(errors="replace"))
            sys.exit(f"bench: {' '.join(map(str, process.args))} exited with {process.returncode}")
        return [json.loads(line) for line in out.splitlines()]

    def run(self, workload, *arguments):
        self.start()
        done = subprocess.run([self.programs / "rota", "--broker", self.ready["clients"], "--output", "json", "bench", workload,
                               "--workers", "1", "--workers-endpoint", self.ready["workers"], *arguments],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.environment, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: rota bench {workload} exited with {done.returncode}")
        return json.loads(done.stdout)

    def relay(self, *arguments):
        done = subprocess.run([self.programs / "rota-relay-bench", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              env=self.environment, check=False)
        if done.returncode != 0:
            sys.exit(f"bench: the relay exited with {done.returncode}")
        return json.loads(done.stdout)
