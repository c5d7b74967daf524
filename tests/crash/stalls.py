"""A sync takes five seconds, longer than a lease: whoever is honest keeps its lease, nothing is lost or run twice, and the broker
goes on to say that it serves."""

import contextlib
import sys
import threading
import urllib.error
import urllib.request

import campaign
from broker_process import CrashFailure
from trial import run_trial

NEVER = 10**9
STALL_MS = 5000
LEASE = ("--store-limit", "256MiB", "--lease", "3s", "--reattach", "30s")


@contextlib.contextmanager
def healthy(broker):
    """Asks /healthz all the time; fails unless each answer was 200."""
    over, others = threading.Event(), []
    address = broker.ready["http"] + "/healthz"

    def ask():
        while not over.wait(0.2):
            try:
                with urllib.request.urlopen(address, timeout=30) as answer:
                    if answer.status != 200:
                        others.append(answer.status)
            except (urllib.error.URLError, OSError) as error:
                others.append(str(error))
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if others:
        raise CrashFailure(f"/healthz said {others[:5]}")


def stalled(number):
    def died(broker, code):
        raise CrashFailure(f"the broker ended with {code}: {broker.log_text()}")
    trial = run_trial(None, {"sync": f"{number} stall {STALL_MS}"}, on_death=died, watch=healthy, name="stall", options=LEASE,
                      http="127.0.0.1:0")
    if trial.lost_sessions:
        trial.verdict.findings.append(f"{trial.lost_sessions} sessions of honest peers were ended")
    return trial


def run(trials, full, _seed):
    syncs = stalled(NEVER).counters.syncs
    # The first ones are of the start, when nobody is there yet.
    points = range(8, syncs + 1, 2) if full else campaign.spread(range(8, syncs - 4), 2)
    trials.group(f"sync stalled for {STALL_MS // 1000} s, lease 3 s", stalled, [(point,) for point in points],
                 was_hit=lambda trial, number: trial.counters is not None and trial.counters.syncs >= number,
                 spare=None if full else 0)


if __name__ == "__main__":
    sys.exit(campaign.main(run, __doc__))
