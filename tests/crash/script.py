"""What is asked of a broker while it is killed: once everything that a store can be asked to do.

`fresh` begins with an empty directory. `grown` begins with a store that holds jobs of every kind, filed and unfiled, with leases,
states and shared parts, and has them loaded, swept, forgotten, revived and purged.
"""

import copy

from broker_process import OPTIONS, BrokerProcess, CrashFailure
from ledger import Ledger
from peers import Peers, m

LARGE = b"large " * 3000  # over a page


def run_jobs(peers, count, end=m.End.SUCCEEDED):
    """Waits for so many dispatched jobs and ends them that way."""
    peers.until(lambda: len(peers.started) >= count, f"{count} dispatches")
    for token in list(peers.started)[:count]:
        peers.end_run(token, end)
    peers.report()


def fresh(peers):
    client = peers
    client.submit([b"one"])
    run_jobs(peers, 1)
    client.admin("pause", queue="a")
    client.submit([b"many %d" % n for n in range(3)], flags=m.NOTIFY_FLAG)
    client.submit([LARGE], priority=5)
    client.submit([b"keyed"], key="k", key_for=60_000)
    client.submit([b"keyed too"], key="k", key_for=60_000)  # refused: the key is held
    [later] = client.submit([b"later"], delay=3_600_000)
    [never] = client.submit([b"never"])
    client.cancel([later, never])
    client.admin("resume", queue="a")
    run_jobs(peers, 2)
    peers.renew()
    run_jobs(peers, 3)
    [again] = client.submit([b"again"], retries=3, backoff=1)
    run_jobs(peers, 1, m.End.FAILED)
    run_jobs(peers, 1)
    [bad] = client.submit([b"bad"], queue="b", kind="u")
    run_jobs(peers, 1, m.End.REJECTED)
    client.retry(bad, 1)
    run_jobs(peers, 1)
    [running] = client.submit([b"running"])
    peers.until(lambda: peers.started, "a dispatch")
    client.cancel([running])
    peers.until(lambda: not peers.started, "its cancellation")
    peers.report()
    gone = client.submit([b"to be purged %d" % n for n in range(2)], queue="b", kind="x")
    client.purge("b", "ready", gone)


def prepare(peers):
    """A store for `grown`: what is in it, and that it is as large as a slice of work or so, does not matter; its kinds do."""
    ids = {}
    ids["filed"] = peers.submit([b"filed %d" % n for n in range(4)])
    run_jobs(peers, 4)
    [ids["bad"]] = peers.submit([b"bad"], queue="b", kind="u")
    run_jobs(peers, 1, m.End.REJECTED)
    ids["short"] = peers.submit([b"short"], keep=1)
    peers.ledger.purge_asked(ids["short"])
    run_jobs(peers, 1)
    peers.admin("pause", queue="b")
    ids["waiting"] = peers.submit([b"waiting %d" % n for n in range(3)], queue="b")
    [ids["flaky"]] = peers.submit([b"flaky"], retries=2, backoff=1)
    run_jobs(peers, 1, m.End.FAILED)
    peers.until(lambda: peers.started, "the flaky job again")
    ids["leased"] = peers.submit([b"leased"])
    peers.until(lambda: len(peers.started) == 2, "a lease")
    return ids


def grown(peers, ids):
    """On a store of prepare(), under a broker that has loaded it."""
    def is_forgotten():
        peers.pause()
        return not peers.read(ids["short"])
    peers.until(is_forgotten, "the end of a keep")  # filed: one transaction of the sweeper did all of it
    run_jobs(peers, 2)
    peers.retry(ids["bad"], 1)
    run_jobs(peers, 0)
    peers.admin("resume", queue="b")
    run_jobs(peers, 4)
    peers.list_all()
    peers.purge("a", "succeeded", ids["filed"] + ids["short"] + [ids["flaky"]] + ids["leased"])


def finish(peers):
    """Runs whatever is left to its end."""
    ledger = peers.ledger

    def is_quiet():
        for token in list(peers.started):
            peers.end_run(token, m.End.SUCCEEDED)
        peers.report()
        open_jobs = [job for job, (state, *_) in peers.read(ledger.jobs).items() if not state]
        if open_jobs:
            peers.pause()
        return not open_jobs
    peers.until(is_quiet, "the end of every job")


def read_all(peers):
    ledger = peers.ledger
    ledger.read(peers.read(ledger.jobs), peers.list_all())


class Template:
    """A store of prepare() to begin with, again and again."""

    def __init__(self):
        ledger = Ledger()
        # What is to be forgotten is kept for at least the dedup window.
        with BrokerProcess("template", options=(*OPTIONS, "--dedup-window", "10s")) as broker:
            broker.start_sound()

            def died():
                raise CrashFailure(f"the broker died while the store was prepared: {broker.log_text()}")
            peers = Peers(broker, ledger, died)
            peers.connect()
            self.ids = prepare(peers)
            self._worker = peers.worker()
            broker.kill()
            peers.close()
            content = (broker.store / "data.mdb").read_bytes()
            self._size, self._content = len(content), content.rstrip(b"\0")
        self._ledger = ledger

    def lay_out(self, broker):
        broker.store.mkdir(parents=True)
        with open(broker.store / "data.mdb", "wb") as file:
            file.write(self._content)
            file.truncate(self._size)

    def ledger(self):
        """What its making was told, for one trial."""
        ledger = copy.deepcopy(self._ledger)
        ledger.broker_died()
        return ledger

    def take_over(self, peers):
        """The worker that held leases when the store was copied."""
        peers.take_over(self._worker)
