"""On what and of what versions the figures are."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path


def processor():
    text = Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*: (.+)$", text, re.M)
    return found.group(1) if found else platform.machine()


def memory_gib():
    found = re.search(r"^MemTotal:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    return round(int(found.group(1)) / 1024**2) if found else 0


def file_system(path):
    done = subprocess.run(["df", "--output=fstype", str(path)], capture_output=True, text=True, check=False)
    return done.stdout.split()[-1] if done.returncode == 0 else "?"


def distribution():
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', Path("/etc/os-release").read_text(), re.M)
    return found.group(1) if found else "?"


def commit():
    done = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def describe(programs, servers, options):
    versions = {server.__name__.lower(): server.version(programs) for server in servers}
    return {
        "cores": os.cpu_count(), "processor": processor(), "memory_gib": memory_gib(), "system": distribution(),
        "kernel": platform.release(), "file_system": file_system(options.data), "date": time.strftime("%Y-%m-%d"),
        "commit": commit(), "runs": options.runs, "load_average": os.getloadavg()[0],
        "versions": {name: version for name, version in versions.items() if version},
    }


def as_text(facts):
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (f"{facts['cores']} cores ({facts['processor']}), {facts['memory_gib']} GiB, {facts['file_system']}, "
            f"{facts['system']}, Linux {facts['kernel']}, {facts['date']}; {versions}")
