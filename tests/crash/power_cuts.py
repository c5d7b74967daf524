"""The power fails at each call that changes or syncs a file: what was not synced is gone, or a random part of it stays."""

import sys

import campaign
from power_cut import PowerCut
from script import Template
from trial import count_calls, run_trial

NEVER = 10**9


def at_call(template, call, sector, seed):
    def cut(broker, _code=None):
        PowerCut(broker.journal).apply(sector, seed)
    return run_trial(template, {"disk_kill": call}, journal=True, on_death=cut, on_end=cut, name="power")


def run(trials, full, seed):
    template = Template()
    for name, start in (("new store", None), ("grown store", template)):
        calls = count_calls(lambda: at_call(start, NEVER, None, 0), start).disk_calls
        points = range(1, calls + 1) if full else campaign.spread(range(1, calls + 1), 7)
        seeds = range(seed, seed + (2 if full else 1))
        trials.group(f"power cut, {name}, unsynced dropped", at_call, [(start, point, None, 0) for point in points])
        for sector in (512, 4096):
            chosen = [(start, point, sector, one * 10_000 + point) for one in seeds for point in points]
            trials.group(f"power cut, {name}, torn at {sector} bytes", at_call, chosen)


if __name__ == "__main__":
    sys.exit(campaign.main(run, __doc__))
