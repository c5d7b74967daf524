"""Each sync fails with EIO, each write with EIO, ENOSPC or half way: the broker ends, syncs nothing again, and loses nothing."""

import sys

import campaign
from broker_process import CrashFailure
from power_cut import Kind, PowerCut, after_fault, read_journal
from script import Template
from trial import count_calls, run_trial

NEVER = 10**9
EXIT_INTERNAL, EXIT_TEMPORARY = 70, 75
META_PAGES = 8192  # LMDB takes a head that it could not sync back: one write into its first two pages, without a sync


def failing(template, kind, number, what, then, seed):
    """`then`: the broker starts again on what the host holds in memory (None), or the power fails as well (0, or a sector)."""
    def died(broker, code):
        if code not in (EXIT_INTERNAL, EXIT_TEMPORARY):
            raise CrashFailure(f"it ended with exit {code}")
        behind = after_fault(read_journal(broker.journal))
        if behind is None:
            raise CrashFailure(f"it ended with exit {code} though nothing failed: {broker.log_text()}")
        for record in behind:
            if record.kind != Kind.WRITE or record.offset + record.length > META_PAGES:
                raise CrashFailure(f"behind the failure it went on with {record.kind.name} at {record.offset}")
        if then is not None:
            PowerCut(broker.journal).apply(then or None, seed)
    return run_trial(template, {kind: f"{number} {what}"}, journal=True, on_death=died, name="sync")


def run(trials, full, seed):
    template = Template()
    for name, start in (("new store", None), ("grown store", template)):
        counted = count_calls(lambda: failing(start, "sync", NEVER, "EIO", None, 0), start)
        for kind, what, calls in (("sync", "EIO", counted.syncs), ("write", "EIO", counted.writes),
                                  ("write", "ENOSPC", counted.writes), ("write", "short", counted.writes)):
            thens = [(None, 0)] if kind == "write" else [(None, 0), (0, 0), (512, seed), (4096, seed + 1)]
            numbers = range(1, calls + 1) if full else campaign.spread(range(1, calls + 1), 4 if kind == "sync" else 3)
            what_fails = f"{what} of a {kind}" if what != "short" else "a write cut short"
            trials.group(f"{what_fails}, {name}", failing,
                         [(start, kind, number, what, then, one + number) for number in numbers for then, one in thens])


if __name__ == "__main__":
    sys.exit(campaign.main(run, __doc__))
