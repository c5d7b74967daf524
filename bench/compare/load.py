"""One run: a fresh server, one load, the figures."""

import json
import resource
import subprocess
import sys

from servers import RunFailed, allow_many_connections

RUN_PATIENCE = 900  # seconds
CLIENT_STACK = 256 * 1024  # of a thread: ten thousand of them at most


def limits_for_many():
    allow_many_connections()
    resource.setrlimit(resource.RLIMIT_STACK, (CLIENT_STACK, resource.getrlimit(resource.RLIMIT_STACK)[1]))


def run_json(programs, command, many=False):
    """The JSON object that a program printed."""
    try:
        done = subprocess.run([programs.find(command[0]) or command[0], *map(str, command[1:])], env=programs.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_PATIENCE, check=False,
                              preexec_fn=limits_for_many if many else None)
    except subprocess.TimeoutExpired as timeout:
        raise RunFailed(f"{command[0]} was not done after {RUN_PATIENCE} s") from timeout
    if done.returncode != 0:
        raise RunFailed(f"{command[0]} exited with {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def run_load(programs, data, system, workload, options):
    """`options`: of rota-compare-load, by name without dashes. Adds commits and bytes where the server counts them."""
    with system.server(programs, data, system.durability, **system.options) as server:
        before = server.counters()
        command = ["rota-compare-load", "--workload", workload, "--peer", system.peer, *server.load_options(), "--durability",
                   "fsync" if system.durability == "fsync" else "memory", "--server-pids", ",".join(map(str, server.pids())),
                   "--sync-watch", server.watch, *system.load]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        figures = run_json(programs, command, many=options.get("clients", 1) > 100)
        after = server.counters()
    commits = after.get("commits", 0) - before.get("commits", 0)
    if commits > 0:
        figures["commits"] = commits
        figures["jobs_per_commit"] = figures["jobs"] / commits
        figures["store_bytes_per_job"] = (after["store_bytes"] - before["store_bytes"]) / figures["jobs"]
    # The promise of Rota's fsync: a run that breaks it is not a result.
    if system.is_rota and system.durability != "memory" and figures.get("unsynced_acknowledgements", 0) > 0:
        sys.exit(f"compare: void: Rota acknowledged {figures['unsynced_acknowledgements']} submits without a sync after their "
                 "arrival")
    return figures
