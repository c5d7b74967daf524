"""What is measured: one Row is one table of the page."""

from dataclasses import dataclass, field

from systems import FSYNC, MEMORY, PLAIN

BATCHES = {1: 1, 64: 1024, 512: 8192}  # jobs in a message at most: jobs in flight at most


@dataclass(frozen=True)
class Row:
    name: str  # as --only has it
    section: str  # of the page
    title: str
    workload: str  # of rota-compare-load
    systems: list
    options: dict = field(default_factory=dict)  # of rota-compare-load
    most_jobs: int = 2_000_000
    seconds: float = 4.0  # about so long a run: slow systems get fewer jobs
    fixed_jobs: int = 0  # every system the same number, however long it takes
    figure: str = "jobs_per_second"  # that ratios and plots are of
    limits: tuple = ()  # bare limits measured beside: relay, lmdb, fdatasync, preallocated
    plot: str = ""  # title of the plot it has bars in; rows with the same one share it
    plot_figure: str = ""  # another one than `figure`
    point: float = 0  # of a line plot: where on the x axis

    def payload(self):
        return self.options.get("payload", 100)


def only(systems, *names):
    return [system for system in systems if system.name in names]


def batch_title(batch, window):
    return "one job at a time" if batch == 1 else f"batches of {batch}, {window} jobs in flight"


def lifecycle():
    rows = []
    for durability, systems, limits in (("memory", MEMORY, ("relay",)),
                                        ("fsync", FSYNC, ("lmdb", "fdatasync", "preallocated"))):
        for batch, window in BATCHES.items():
            rows.append(Row(f"lifecycle-{durability}-{batch}", "Lifecycle", f"{durability}, {batch_title(batch, window)}",
                            "lifecycle", systems, {"batch": batch, "window": window}, limits=limits,
                            plot=f"Jobs a second, one producer and one worker, {durability}"))
        rows.append(Row(f"lifecycle-{durability}-calls", "Lifecycle",
                        f"{durability}, one job a call, each side waiting for its answer", "lifecycle", systems,
                        {"batch": 1, "window": 1024, "unacknowledged": 1}))
        rows.append(Row(f"lifecycle-{durability}-4k", "Lifecycle", f"{durability}, 4 KiB payloads, {batch_title(64, 1024)}",
                        "lifecycle", systems, {"batch": 64, "window": 1024, "payload": 4096}, most_jobs=500_000,
                        limits=limits))
    return rows


def plain():
    return [Row("plain", "Out of the box", "a plain loop of submits, a plain handler, defaults everywhere", "plain", PLAIN,
                plot="Jobs a second out of the box")]


def backlog():
    rows = []
    # Foreground jobs of gearmand end with the connection that submitted them: they are no backlog.
    queued = [system for system in MEMORY if system.name != "gearmand-foreground"]
    for durability, systems in (("memory", queued), ("fsync", FSYNC)):
        rows.append(Row(f"backlog-{durability}", "Backlog", f"{durability}, a million jobs submitted, then drained", "backlog",
                        systems, {"batch": 512, "window": 8192}, most_jobs=1_000_000, seconds=30,
                        figure="drain_per_second", plot_figure="memory_bytes_per_job", plot=f"Bytes of memory a queued job, {durability}"))
    return rows


def latency():
    rows = []
    for durability, systems, limits in (("memory", MEMORY, ("relay",)), ("fsync", FSYNC, ("lmdb", "wakeup"))):
        rows.append(Row(f"latency-{durability}-1", "Latency", f"{durability}, one job in flight", "latency", systems,
                        {"batch": 1, "window": 1}, most_jobs=20_000, figure="latency_p50_us", limits=limits,
                        plot=f"Microseconds from submit to result, one job in flight, {durability}"))
        rows.append(Row(f"latency-{durability}-5000", "Latency", f"{durability}, 5,000 jobs a second", "latency", systems,
                        {"batch": 64, "window": 8192, "rate": 5000}, fixed_jobs=25_000, figure="latency_p99_us",
                        plot=f"Microseconds from due to result at 5,000 jobs a second, {durability}"))
    return rows


def scaling():
    rows = []
    fast = only(MEMORY, "rota", "gearmand-foreground", "redis-list", "beanstalkd")
    for count in (1, 2, 4, 8, 16, 32, 64):
        rows.append(Row(f"workers-{count}", "Scaling", f"memory, {count} workers", "lifecycle", fast,
                        {"batch": 64, "window": 4096, "workers": count}, most_jobs=500_000, point=count,
                        plot="Jobs a second by number of workers"))
    for count in (1, 10, 100, 1000, 10_000):
        rows.append(Row(f"clients-{count}", "Scaling", f"memory, {count} clients with one job each unacknowledged",
                        "lifecycle", only(MEMORY, "rota", "gearmand-background", "redis-list", "beanstalkd"),
                        {"batch": 1, "window": 1024, "unacknowledged": 1, "clients": count}, most_jobs=200_000,
                        point=count, plot="Jobs a second by number of clients"))
    for count in (10**4, 10**5, 10**6, 10**7):
        rows.append(Row(f"queued-{count}", "Scaling", f"fsync, {count:,} jobs queued", "backlog", only(FSYNC, "rota"),
                        {"batch": 512, "window": 8192}, fixed_jobs=count, figure="drain_per_second", point=count,
                        plot="Jobs a second by jobs queued"))
    rows.append(Row("queued-scattered", "Scaling", "fsync, a million jobs with random priorities and delays", "backlog",
                    only(FSYNC, "rota"), {"batch": 512, "window": 8192, "scattered": 1}, fixed_jobs=10**6,
                    figure="drain_per_second"))
    return rows


ROWS = [*lifecycle(), *plain(), *backlog(), *latency(), *scaling()]
