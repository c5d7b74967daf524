#!/usr/bin/python3
"""systemctl, journalctl and sudo for a test's own root directory, where no systemd runs. Under which name it is called decides.

Of a unit it honours what the documented commands need: ExecStart, User, StateDirectory and SIGTERM to the main process.
"""

import os
import pwd
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sanitizers  # noqa: E402

UNITS = Path("/usr/local/lib/systemd/system")
STATE = Path("/run/stand-in")


def become(user):
    entry = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def sanitizer_options():
    """What a sanitizer's runtime needs in every process; of ordinary builds nobody looks at it."""
    return {name: value for name, value in os.environ.items() if name in sanitizers.OPTIONS}


def sudo(words):
    # Like sudo's env_reset: nothing of the caller's configuration passes.
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **sanitizer_options()}
    if words[0] == "-u":
        words = [*become(words[1]), *words[2:]]
    os.execvpe(words[0], words, environment)


def running(unit):
    pid = STATE / f"{unit}.pid"
    return int(pid.read_text()) if pid.exists() and Path(f"/proc/{pid.read_text()}").exists() else None


def start(unit):
    text = (UNITS / f"{unit}.service").read_text()
    command = re.search(r"^ExecStart=(.*)$", text, re.M)[1].replace("%H", os.uname().nodename).split()
    user = re.search(r"^User=(.*)$", text, re.M)[1]
    state = Path("/var/lib") / re.search(r"^StateDirectory=(.*)$", text, re.M)[1]
    state.mkdir(mode=0o700, exist_ok=True)
    entry = pwd.getpwnam(user)
    os.chown(state, entry.pw_uid, entry.pw_gid)
    STATE.mkdir(exist_ok=True)
    log = STATE / f"{unit}.log"
    ready = log.stat().st_size if log.exists() else 0
    with open(log, "ab") as out:
        process = subprocess.Popen([*become(user), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=state,
                                   start_new_session=True,
                                   env={"PATH": "/usr/local/bin:/usr/bin:/bin", "STATE_DIRECTORY": str(state), "HOME": str(state),
                                        **sanitizer_options()})
    (STATE / f"{unit}.pid").write_text(str(process.pid))
    end = time.monotonic() + 60
    while b" ready " not in log.read_bytes()[ready:]:
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"systemctl: {unit} did not start: {log.read_text()[ready:]}")
        time.sleep(0.02)


def stop(unit):
    pid = running(unit)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 60
    while running(unit) and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]:
        if time.monotonic() > end:
            sys.exit(f"systemctl: {unit} does not stop")
        time.sleep(0.02)
    (STATE / f"{unit}.pid").unlink()


def systemctl(words):
    verbs = [word for word in words if not word.startswith("-")]
    verb, units = verbs[0], verbs[1:]
    if verb in ("daemon-reload", "reset-failed"):
        return
    for unit in units:
        if verb == "restart" or verb == "stop":
            stop(unit)
        if verb in ("start", "restart") or (verb == "enable" and "--now" in words):
            start(unit)


def journalctl(words):
    print((STATE / f"{words[words.index('-u') + 1]}.log").read_text(), end="")


if __name__ == "__main__":
    {"sudo": sudo, "systemctl": systemctl, "journalctl": journalctl}[Path(sys.argv[0]).name](sys.argv[1:])
