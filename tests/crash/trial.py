"""One trial: a script under a broker that dies at a given point, restarts, and is read twice at the end."""

import contextlib
import dataclasses

from broker_process import BrokerProcess, CrashFailure
from ledger import Ledger
from peers import Peers
import script


@dataclasses.dataclass
class Verdict:
    """What one or many trials came to."""
    trials: int = 0
    kills: int = 0
    attempted: int = 0
    acked: int = 0
    lost: int = 0
    unexpected: int = 0
    duplicates: int = 0
    explained: int = 0
    findings: list = dataclasses.field(default_factory=list)

    def add(self, other):
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def good(self):
        return not (self.lost or self.unexpected or self.findings) and self.duplicates == self.explained


@dataclasses.dataclass
class Trial:
    verdict: Verdict
    killed_at: str = ""  # nothing: the script came to its end first
    counters: object = None  # of the first life
    lost_sessions: int = 0


def run_trial(template=None, fault=None, journal=False, on_death=None, on_end=None, name="trial", watch=None,
              **settings):
    """`fault`: of the first broker, as for BrokerProcess.start(). `on_death(broker, code)` is called when it has died of it, and
    `on_end(broker)` between the two readings, when the broker was killed in quiet. `watch(broker)` is a context in which the script
    runs. `settings` are BrokerProcess's."""
    ledger = template.ledger() if template else Ledger()
    verdict = Verdict(trials=1)
    trial = Trial(verdict)
    try:
        with BrokerProcess(name, **settings) as broker:
            _run(broker, ledger, template, fault or {}, journal, on_death, on_end, watch or contextlib.nullcontext, trial)
            verdict.findings += [f"{fault}: checker: {what}" for what in ledger.history.judge()]
    except CrashFailure as failure:
        verdict.findings.append(f"{fault}: {failure}")
    trial.lost_sessions = ledger.lost_sessions
    verdict.attempted, verdict.acked = ledger.attempted, ledger.acked
    verdict.lost, verdict.unexpected = len(ledger.lost), len(ledger.unexpected)
    verdict.duplicates = ledger.duplicates
    verdict.findings += [f"{fault}: {what}" for what in (ledger.lost + ledger.unexpected)[:5]]
    return trial


def _run(broker, ledger, template, fault, journal, on_death, on_end, watch, trial):
    deaths = []

    def revive():
        code = broker.kill()
        deaths.append(code)
        if len(deaths) > 1:
            raise CrashFailure(f"the broker died again (exit {code}): {broker.log_text()}")
        trial.counters = broker.counters
        trial.killed_at = trial.counters.killed_at or f"exit {code}"
        trial.verdict.kills += 1
        if on_death:
            on_death(broker, code)
        broker.start_sound(journal=journal)

    if template:
        template.lay_out(broker)
    peers = Peers(broker, ledger, revive)
    if template:
        template.take_over(peers)
    if not broker.start(journal=journal, **fault):
        revive()
    try:
        peers.connect()
        with watch(broker):
            if template:
                script.grown(peers, template.ids)
            else:
                script.fresh(peers)
            script.finish(peers)
        script.read_all(peers)
        if trial.counters is None:
            trial.counters = broker.counters
        broker.kill()
        peers.close()
        if on_end:
            on_end(broker)
        if wrong := broker.check():
            raise CrashFailure(f"the store is damaged: {wrong}")
        ledger.broker_died()
        broker.start_sound()
        ledger.history.broker_serves()
        deaths.append(None)
        peers.connect()
        script.read_all(peers)
    finally:
        peers.close()


def count_calls(run_undisturbed, template):
    """The counters of a trial without a fault. The first one on a template waits for the end of a keep, and asks meanwhile."""
    if template:
        run_undisturbed()
    return run_undisturbed().counters
