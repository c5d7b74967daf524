"""A store with jobs of every kind, and what it says of them, to be compared after damage."""

import json
import subprocess

from broker_process import BIN, PATIENCE

FACTS = ("id", "state", "queue", "type", "priority", "key", "attempt", "retries")  # that no restart changes


def rota(broker, *arguments, stdin="", code=0):
    done = subprocess.run([BIN / "rota", "--broker", broker.ready["clients"], "--timeout", "30s", *map(str, arguments)],
                          input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    if code is not None and done.returncode != code:
        raise AssertionError(f"rota {arguments}: exit {done.returncode}: {done.stderr.decode()}")
    return done


def submit(broker, *arguments):
    return rota(broker, "submit", *arguments).stdout.decode().split()


def fill(broker):
    """Jobs in every state, with large and small payloads, shared parts, keys and results; their ids, and the cancelled ones among them."""
    worker = subprocess.Popen(
        [BIN / "rota-worker", "--broker", broker.ready["workers"], "--name", "w", "--slots", "4", "--exec"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ended = submit(broker, "--array", "1-60", "--keep", "5d", "--", "sh", "-c", "echo $ROTA_JOB_INDEX")
        ended += submit(broker, "--key", "mail", "--name", "large", "--", "seq", "3000")
        failed = submit(broker, "--", "sh", "-c", "echo oops >&2; exit 3")
        rota(broker, "wait", *ended)
        rota(broker, "wait", *failed, code=None)
        waiting = submit(broker, "--retries", "3", "--backoff", "1h", "--", "sh", "-c", "exit 1")
        running = submit(broker, "--", "sleep", "600") + submit(broker, "--key", "nightly", "--", "sleep", "600")
        pending = []
        for n in range(8):
            pending += submit(broker, "--queue", "held", "--type", "report", "--priority", n - 4,
                              "--payload", f"{n} " * (3 << min(2 * n, 11)))
        pending += submit(broker, "--queue", "held", "--array", "1-150", "--env", "WHY=" + "w" * 200, "--", "true")
        pending += submit(broker, "--queue", "held", "--delay", "1h", "--key", "later", "--", "true")
        rota(broker, "pause", "held")
        for job in waiting:
            await_fact(broker, job, "attempt", 1)
        for job in running:
            await_fact(broker, job, "state", "running")
        cancelled = pending[-5:-1]
        rota(broker, "cancel", *cancelled)
        return ended + failed + waiting + running + pending, cancelled
    finally:
        worker.kill()
        worker.wait()


def await_fact(broker, job, name, value):
    for _ in range(2000):
        if json.loads(rota(broker, "--output", "json", "status", job).stdout).get(name) == value:
            return
    raise AssertionError(f"job {job} never had {name} {value}")


def facts(broker, ids):
    """What a broker says of these jobs, by id; a job that it cannot read has the text of the refusal."""
    said = {}
    done = rota(broker, "--output", "json", "status", "-", stdin="\n".join(ids) + "\n", code=None)
    if done.returncode == 0:
        for line in done.stdout.decode().splitlines():
            job = json.loads(line)
            said[job["id"]] = {name: job.get(name) for name in FACTS}
    else:
        for job in ids:
            # A broker that met damage has ended; nobody answers any more.
            if not broker.alive:
                break
            one = rota(broker, "--output", "json", "status", job, code=None)
            if one.returncode == 0:
                said[job] = {name: json.loads(one.stdout).get(name) for name in FACTS}
            else:
                said[job] = one.stderr.decode()
    return said


def result(broker, job):
    if not broker.alive:
        return ""
    done = rota(broker, "result", job, code=None)
    return done.stdout if done.returncode == 0 else done.stderr.decode()
