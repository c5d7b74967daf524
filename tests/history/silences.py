"""When workers were out of the broker's reach for so long that their jobs may have been given to somebody else.

The broker takes a job from a worker that lives in one case only: it has not heard that worker for a lease. A worker that comes
back before keeps its jobs, so a connection that was cut for a moment explains no second run. After a restart of the broker every
worker has `reattach_ms` from then on. A worker that was killed is silent for ever.

What counts as silence: stops and kills of the process, what was done to its connection (but a delay: what it says arrives), and
the time in which the worker itself says that it has no session. Those that touch are one silence. A session that is lost where
nothing was done to worker or broker is none: nobody may lose his session for a slow disk.

A job whose worker has reported its end, and was answered, is not taken from it by what happens to that worker later. The worker
does not log the answer. But it gives a session up whose broker leaves a report unanswered for a lease, however slow the disk is,
and logs that. So a report is answered for sure after two leases (the second is for a machine that is slow itself) in which the
worker logged no trouble and nothing was done to it, its connection or the broker.
"""

import math
from dataclasses import dataclass

SILENT = {"kill", "stop"}  # of what is done to a worker; one that drains is heard to its end
HEARD = {"delay"}  # of what is done to its connection
DOWN = {"kill", "term", "power cut", "read-only"}  # of what is done to the broker: its next life gives everybody time again
FOREVER = math.inf


@dataclass(frozen=True)
class Silence:
    """`begin` … `end` without a word. Its worker's leases may be over from `over` on, also if the broker is restarted later."""
    begin: int
    end: float
    over: int
    cause: str


@dataclass
class Chain:
    """Times of silence that touch. `parts`: (begin, end, cause); no cause: the worker says so."""
    begin: int
    end: float
    parts: list

    def cause(self, begin, end):
        """What was done to the worker for longest within these times; "" if nothing was."""
        within = [(min(last, end) - max(first, begin), cause) for first, last, cause in self.parts if cause]
        return max((one for one in within if one[0] >= 0), default=(0, ""))[1]


class Silences:
    """Of every worker, from the tables of a directory."""

    def __init__(self, tables):
        self._sessions = tables.sessions
        self.lease = int(tables.settings.get("lease_ms", 0)) * 1_000_000
        self.reattach = int(tables.settings.get("reattach_ms", 0)) * 1_000_000 or 2 * self.lease  # as rota-broker has it
        # A worker says something three times a lease: the broker may have heard it that long before the silence begins.
        self.third = self.lease // 3
        self._faults, self._downs, self._stops = {}, [], []
        self._disturbed = {}  # pid, name, or None of the broker → (begin, end) of whatever was done
        for fault in tables.faults:
            if fault.role in ("broker", "worker", "network"):
                whose = {"broker": None, "worker": fault.pid, "network": fault.name}[fault.role]
                self._disturbed.setdefault(whose, []).append((fault.begin, self._end_of(fault)))
            if fault.role == "broker" and fault.what in DOWN:
                self._downs.append(fault)
            elif fault.role == "broker" and fault.what == "stop":
                self._stops.append(fault)
            elif fault.role == "worker" and fault.what in SILENT:
                self._faults.setdefault(fault.pid, []).append(fault)
            elif fault.role == "network" and fault.what not in HEARD:
                self._faults.setdefault(fault.name, []).append(fault)
        for faults in (self._downs, self._stops):
            faults.sort(key=lambda fault: fault.begin)
        self._known, self._known_troubles = {}, {}

    @staticmethod
    def _end_of(fault):
        """A worker that was killed does not come back."""
        return FOREVER if fault.end is None or (fault.role, fault.what) == ("worker", "kill") else fault.end

    def of(self, process):
        """The silences of a worker's process that ended its leases, in order."""
        if process not in self._known:
            self._known[process] = [one for chain in self._chains(process) for one in self._lives(chain)]
        return self._known[process]

    def answered(self, process, t):
        """When a report that the worker made at `t` had been answered for sure; FOREVER if that cannot be told."""
        if not self.lease:
            return FOREVER
        if process not in self._known_troubles:
            troubles = self._without_session(process)
            troubles += [(when, when) for when, _ in self._sessions.get(process, ())]
            for whose in (None, process.pid, process.name):
                troubles += self._disturbed.get(whose, ())
            self._known_troubles[process] = sorted(troubles)
        quiet = t
        for begin, end in self._known_troubles[process]:
            if begin > quiet + 2 * self.lease:
                break
            quiet = max(quiet, end)
        return quiet + 2 * self.lease

    def _without_session(self, process):
        """(begin, end) of the times in which the worker says that it has none."""
        times, lost = [], None
        for t, what in sorted(self._sessions.get(process, ())):
            if what == "lost" and lost is None:
                lost = t
            elif what in ("back", "registered") and lost is not None:
                times.append((lost, t))
                lost = None
        return times if lost is None else [*times, (lost, FOREVER)]

    def _chains(self, process):
        parts = [(fault.begin, self._end_of(fault), f"{fault.role} {fault.what}")
                 for fault in self._faults.get(process.pid, []) + self._faults.get(process.name, [])]
        parts += [(lost, back, "") for lost, back in self._without_session(process)]
        chains = []
        for begin, end, cause in sorted(parts):
            # It finds out at its next renewal that its connection is another one, and is heard by nobody until then.
            near = 0 if cause else self.third
            if chains and begin <= chains[-1].end + near:
                chains[-1].end = max(chains[-1].end, end)
                chains[-1].parts.append((begin, end, cause))
            else:
                chains.append(Chain(begin, end, [(begin, end, cause)]))
        return chains

    def _lives(self, chain):
        """The parts of a chain between restarts of the broker that are long enough."""
        begin, patience, restarted = chain.begin, self.lease, ""
        for down in self._downs:
            if down.begin >= chain.end:
                break
            if (FOREVER if down.end is None else down.end) <= begin:
                continue
            yield from self._one(chain, begin, max(begin, down.begin), patience, restarted)
            if down.end is None:
                return
            begin, patience, restarted = down.end, self.reattach, f"broker {down.what}"
        if begin < chain.end:
            yield from self._one(chain, begin, chain.end, patience, restarted)

    def _one(self, chain, begin, end, patience, restarted):
        over = begin + patience - self.third
        for stop in self._stops:
            # The broker gives everybody the time in which it stood still itself, if that is more than a third of a lease.
            last = FOREVER if stop.end is None else stop.end
            stood = last - max(stop.begin, begin)
            if stop.begin < over + self.third and stood > self.third:
                over += stood
        cause = chain.cause(begin, end) or restarted
        if over <= end and cause:
            yield Silence(begin, chain.end, over, cause)
