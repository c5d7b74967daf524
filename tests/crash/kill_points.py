"""The broker is killed at each of its calls into the store: before every one, and right behind those that made something durable."""

import collections
import sys

import campaign
from script import Template
from trial import count_calls, run_trial

NEVER = 10**9  # counts, and kills nothing


def at_point(template, point):
    return run_trial(template, {"store_kill": point}, name="kill")


def run(trials, full, _seed):
    template = Template()
    calls = collections.Counter()

    def see(trial):
        if trial.verdict.kills:
            calls[trial.killed_at] += 1
    for name, start in (("new store", None), ("grown store", template)):
        points = count_calls(lambda: at_point(start, NEVER), start).store_points
        chosen = range(1, points + 1) if full else campaign.spread(range(1, points + 1), 14)
        trials.group(f"SIGKILL at a store call, {name}", at_point, [(start, point) for point in chosen], see)
    print("\nkilled before: " + ", ".join(f"{name} {count}" for name, count in sorted(calls.items())), flush=True)


if __name__ == "__main__":
    sys.exit(campaign.main(run, __doc__))
