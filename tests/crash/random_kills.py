"""Broker, workers and clients are killed at random under load, over one store; every history is judged by the checker."""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "torture"), str(TESTS / "history")]

import campaign  # noqa: E402
import checker  # noqa: E402
import fault_mix  # noqa: E402
import nemesis  # noqa: E402
from stage import Stage  # noqa: E402
from trial import Verdict  # noqa: E402

LOAD = {"lease_ms": 2000, "workers": 3, "clients": 3, "rate": 1500, "window": 4000, "pause": 0.4}


def play(stage, number, seed, seconds):
    """One round: load and kills for so long, then everything comes to its end and is read from the disk."""
    stage.begin_round(number)
    harm = nemesis.Nemesis(stage.history, lease_ms=LOAD["lease_ms"], seed=seed)
    faults = fault_mix.Faults(stage, harm, random.Random(seed))
    faults.kinds = [(3, "broker", faults.kill_broker), (4, "worker", faults.kill), (3, "client", faults.kill)]
    faults.run(seconds)
    stage.finish_clients()
    stage.wait_idle()
    fault = harm.begin("kill", "broker")
    stage.broker.kill()
    stage.broker.start()
    harm.end(fault)
    stage.wait_idle()
    stage.read_all()
    stage.finish_workers()
    harm.close()
    return checker.check(stage.history)


def run(trials, full, seed):
    rounds, seconds = (6, 30) if full else (1, 8)
    total = checker.Report()
    folder, is_well = Path(tempfile.mkdtemp(prefix="rota-crash-random-")), False
    stage = Stage(folder, argparse.Namespace(**LOAD))
    try:
        stage.broker.start()
        for number in range(rounds):
            total.add(play(stage, number, seed + number, seconds))
        stage.broker.stop()
        stage.check_store()
        is_well = total.ok
    finally:
        stage.close()
        if is_well:
            shutil.rmtree(folder)
        else:
            print(f"the histories, logs and the store are in {folder}", file=sys.stderr)
    kills = sum(total.faults.values())
    trials.good = trials.good and total.ok and kills > 0
    for finding in total.findings:
        print(f"FOUND: {finding}", file=sys.stderr)
    for role in ("broker", "worker", "client"):
        print(f"  {total.faults[f'{role} kill']} kills of a {role}", file=sys.stderr)
    verdict = Verdict(kills=kills, attempted=total.attempted, acked=total.acked, lost=total.lost,
                      unexpected=total.unexpected, duplicates=total.duplicates, explained=total.explained)
    print(campaign.row(f"SIGKILL at random of broker, workers, clients, {rounds} rounds of {seconds} s", verdict.kills, verdict),
          flush=True)


if __name__ == "__main__":
    sys.exit(campaign.main(run, __doc__, needs_faults=False))
