#!/usr/bin/env python3
"""Turns the disk of a broker read-only at any moment of its work. Usage: read_only.py [--full] [--seed N].

Each cycle: a broker on an ext4 file system, a client and a worker at work; the file system finds an error and turns itself
read-only. The broker must end with a clear error and its exit code, and refuse to start in that state. When the disk can be written
again, the next one must serve every acknowledged job. At the end every job is judged by the history checker, and the store by
rota-broker check.
"""

import re
import subprocess
import sys

import disk_stage
from rota_harness import BIN, eventually

EXIT_CODES = (70, 77)  # docs/errors.md


def cycle(stage, disk, random, _number):
    wanted = random.randrange(3, 120)
    eventually(lambda: stage.logged("acked") >= wanted, disk_stage.PATIENT, "the client is at work", every=0.02)
    fault = stage.nemesis.begin("read-only", "broker", "broker", stage.broker.pid)
    disk.turn_read_only()
    code = stage.broker.wait(disk_stage.PATIENT)
    text = stage.broker.log_text()
    assert code in EXIT_CODES, f"exit {code}: {text}"
    assert re.search(r"cannot (sync|write|delete|raise|open|lock).*(Read-only file system|Input/output error)", text), text
    refused = subprocess.run([BIN / "rota-broker", "--data", stage.data, "--clients", "tcp://127.0.0.1:*", "--workers",
                              "tcp://127.0.0.1:*", "--http", "off"], capture_output=True, text=True, check=False,
                             timeout=disk_stage.PATIENT, stdin=subprocess.DEVNULL)
    assert refused.returncode in EXIT_CODES and "rota-broker: " in refused.stderr, f"exit {refused.returncode}: {refused.stderr}"
    disk.unmount()
    disk.mount()
    stage.start_broker()
    stage.nemesis.end(fault)


if __name__ == "__main__":
    sys.exit(disk_stage.main("disk read-only", cycle, 160, 1, 20, __doc__.splitlines()[0]))
