"""Commands a second: jobs of Rota that run `true`, beside GNU parallel, task-spooler and xargs, two at a time."""

import os
import shutil
import signal
import subprocess
import time

from figures import combine
from rows import Row
from systems import FSYNC

EXEC_ROW = Row("exec", "Commands", "`true`, two at a time, a second", "exec", [], plot="Commands a second, two at a time")
AT_A_TIME = 2
SECONDS = 4.0
PROBE = 100
PATIENCE = 900


def shell(programs, directory, script, jobs):
    """Seconds that a script takes; $1 is the number of commands."""
    environment = dict(programs.environment, HOME=str(directory), TMPDIR=str(directory), TS_SOCKET=str(directory / "ts"),
                       TS_MAXFINISHED="1000000")
    start = time.monotonic()
    subprocess.run(["sh", "-ec", script, "sh", str(jobs)], env=environment, cwd=directory, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, timeout=PATIENCE)
    return time.monotonic() - start


def by_xargs(programs, directory, jobs):
    return shell(programs, directory, f'seq "$1" | xargs -n 1 -P {AT_A_TIME} true', jobs)


def by_parallel(programs, directory, jobs):
    return shell(programs, directory, f'seq "$1" | parallel --will-cite -j {AT_A_TIME} true', jobs)


def by_task_spooler(programs, directory, jobs):
    # Started before the clock, as the broker is. The last job may end before the one beside it: each is waited for.
    shell(programs, directory, f"tsp -S {AT_A_TIME}", 0)
    try:
        return shell(programs, directory, 'i=0; while [ $i -lt "$1" ]; do last=$(tsp true); i=$((i+1)); done; '
                                          'tsp -w "$last"; tsp -w "$((last - 1))" || true', jobs)
    finally:
        shell(programs, directory, "tsp -K", 0)


def by_rota(programs, directory, jobs):
    system = next(system for system in FSYNC if system.name == "rota")
    with system.server(programs, directory, "fsync") as server:
        worker = subprocess.Popen([programs.find("rota-worker"), "--broker", server.ready["workers"], "--exec", "--slots",
                                   str(AT_A_TIME), "--log-level", "warn"], env=programs.environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            worker.stdout.readline()  # ready
            start = time.monotonic()
            subprocess.run([programs.find("rota"), "--broker", server.ready["clients"], "--output", "quiet", "submit", "--array",
                            f"1-{jobs}", "--wait", "--", "true"], env=programs.environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE)
            return time.monotonic() - start
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)
            worker.stdout.close()


WAYS = {"rota": (by_rota, "rota-worker"), "task-spooler": (by_task_spooler, "tsp"), "gnu-parallel": (by_parallel, "parallel"),
        "xargs": (by_xargs, "xargs")}


def measure_exec(programs, options):
    runs, failures, jobs = {}, {}, {}
    directory = options.data / f"exec-{os.getpid()}"
    ways = {name: way for name, (way, program) in WAYS.items() if programs.find(program)}
    for _ in range(options.runs):
        for name, way in ways.items():
            if name in failures:
                continue
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            try:
                if name not in jobs:
                    seconds = SECONDS / 10 if options.quick else SECONDS
                    jobs[name] = options.jobs or max(PROBE, int(seconds * PROBE / way(programs, directory, PROBE)))
                runs.setdefault(name, []).append({"jobs_per_second": jobs[name] / way(programs, directory, jobs[name])})
            except subprocess.SubprocessError as failure:
                failures[name] = str(failure)
            finally:
                shutil.rmtree(directory, ignore_errors=True)
    return {"row": EXEC_ROW.name, "jobs": jobs, "failures": failures,
            "figures": {name: combine(figures) for name, figures in runs.items()}}
