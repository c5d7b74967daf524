"""The bare limits, measured in the same turn as the systems."""

import shutil

from load import run_json

NAMES = {
    "relay": "bare ZeroMQ relay",
    "lmdb": "LMDB alone",
    "fdatasync": "append and fdatasync",
    "preallocated": "the same, file preallocated",
    "wakeup": "a thread wakes another",
}
RECORD_OVERHEAD = 150  # bytes of a stored job beside its payload, about: bare runs write as much


def run_limit(programs, data, limit, row, rota, jobs):
    """`rota`: figures of Rota in this turn; commits of the limits hold as many jobs as its own."""
    options = row.options
    if limit == "relay":
        return run_json(programs, ["rota-relay-bench", "--jobs", jobs, "--payload", row.payload(), "--batch", options["batch"],
                                   "--window", options["window"]])
    directory = data / "limit"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    # One job at a time is committed once for the submit and once for the end.
    per_commit = max(1, round(rota.get("jobs_per_commit", 1)))
    try:
        return run_json(programs, ["rota-limits-bench", limit, "--directory", directory, "--jobs", jobs, "--per-commit",
                                   per_commit, "--record", row.payload() + RECORD_OVERHEAD])
    finally:
        shutil.rmtree(directory, ignore_errors=True)
