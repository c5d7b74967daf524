"""What the project wants of its speed, held against the figures."""

from dataclasses import dataclass

from figures import is_synced, median
from limit_runs import NAMES

RELAY, LMDB, WAKE = NAMES["relay"], NAMES["lmdb"], NAMES["wakeup"]


@dataclass
class Goal:
    text: str
    value: float | None  # None: not measured
    least: float | None = None
    most: float | None = None
    unit: str = "×"

    def wanted(self):
        return f"≥ {self.least:g} {self.unit}" if self.least is not None else f"≤ {self.most:g} {self.unit}"

    def verdict(self):
        if self.value is None:
            return "not measured"
        met = self.value >= self.least if self.least is not None else self.value <= self.most
        return "reached" if met else "**not reached**"


def over(a, b):
    return a / b if a and b else None


def peers(result):
    return [name for name in result["figures"] if not name.startswith("rota") and name not in NAMES.values()]


def best(result, key, names=None):
    values = [median(result, name, key) for name in (peers(result) if names is None else names)]
    return max((value for value in values if value), default=None)


def goals(rows):
    """`rows`: {row name: result}; a row that was not measured gives no value."""
    empty = {"figures": {}}

    def row(name):
        return rows.get(name, empty)

    def figure(name, system, key="jobs_per_second"):
        return median(row(name), system, key)

    out = []
    for batch in (64, 512):
        name = f"lifecycle-memory-{batch}"
        out.append(Goal(f"memory, batches of {batch}: the fastest peer", over(figure(name, "rota"),
                                                                             best(row(name), "jobs_per_second")), 1.2))
        out.append(Goal(f"memory, batches of {batch}: the bare relay", over(figure(name, "rota"), figure(name, RELAY)), 0.25))
    for batch in (64, 512):
        name = f"lifecycle-fsync-{batch}"
        synced = [peer for peer in peers(row(name)) if is_synced(row(name), peer)]
        out.append(Goal(f"fsync, batches of {batch}: the fastest peer that syncs before it answers",
                        over(figure(name, "rota"), best(row(name), "jobs_per_second", synced)), 2))
        out.append(Goal(f"fsync, batches of {batch}: LMDB alone", over(figure(name, "rota"), figure(name, LMDB)), 0.4))
    out.append(Goal("out of the box: the best peer", over(figure("plain", "rota-gathered"),
                                                          best(row("plain"), "jobs_per_second")), 5))
    out.append(Goal("memory, one job at a time: the bare relay", over(figure("lifecycle-memory-1", "rota"),
                                                                      figure("lifecycle-memory-1", RELAY)), 0.8))
    return out + latency_goals(figure) + size_goals(figure) + cpu_goals(row)


def latency_goals(figure):
    p50 = figure("latency-memory-1", "rota", "latency_p50_us")
    synced = figure("latency-fsync-1", "rota", "latency_p50_us")
    parts = [figure("latency-memory-1", RELAY, "latency_p50_us"), figure("latency-fsync-1", LMDB, "latency_p50_us"),
             figure("latency-fsync-1", WAKE, "latency_p50_us")]
    allowed = 1.25 * parts[0] + 2 * parts[1] + 4 * parts[2] if all(parts) else None
    return [
        Goal("memory, one job in flight, p50: the bare relay's", over(p50, parts[0]), most=1.25),
        Goal("memory, one job in flight, p99: its p50", over(figure("latency-memory-1", "rota", "latency_p99_us"), p50), most=2),
        Goal("fsync, one job in flight, p50: 1.25 relays, two LMDB commits and four wake-ups", over(synced, allowed), most=1),
        Goal("fsync, 5,000 jobs a second, p99: the unloaded p50", over(figure("latency-fsync-5000", "rota", "latency_p99_us"),
                                                                       synced), most=5),
    ]


def size_goals(figure):
    few, many = "queued-10000", "queued-10000000"
    return [
        Goal("memory of a queued, synced 100-byte job", figure("backlog-fsync", "rota", "memory_bytes_per_job"), most=96,
             unit="B"),
        Goal("submitting ten million: the rate of ten thousand", over(figure(many, "rota", "fill_per_second"),
                                                                      figure(few, "rota", "fill_per_second")), 0.7),
        Goal("draining ten million: the rate of ten thousand", over(figure(many, "rota", "drain_per_second"),
                                                                    figure(few, "rota", "drain_per_second")), 0.7),
        Goal("restart with ten million", figure("restart", "rota", "restart_s"), most=10, unit="s"),
        Goal("draining a million of random priorities and delays: first in, first out",
             over(figure("queued-scattered", "rota", "drain_per_second"), figure("queued-1000000", "rota", "drain_per_second")),
             0.5),
        Goal("commands a second: task-spooler", over(figure("exec", "rota"), figure("exec", "task-spooler")), 2),
        Goal("commands a second: GNU parallel", over(figure("exec", "rota"), figure("exec", "gnu-parallel")), 5),
    ]


def cpu_goals(row):
    out = []
    for name in ("lifecycle-memory-64", "lifecycle-memory-512", "lifecycle-fsync-64", "lifecycle-fsync-512"):
        result = row(name)
        others = [median(result, peer, "cpu_s_per_million") for peer in peers(result)
                  if "memory" in name or is_synced(result, peer)]
        least = min((value for value in others if value), default=None)
        out.append(Goal(f"server CPU a job, {name.replace('lifecycle-', '').replace('-', ', batches of ')}: the thriftiest peer",
                        over(median(result, "rota", "cpu_s_per_million"), least), most=1))
    return out
