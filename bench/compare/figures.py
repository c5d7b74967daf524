"""Medians, spreads, and the lines that are printed."""

import statistics

# What is shown of each system, where it was measured: key, heading, decimals.
FIGURES = [
    ("jobs_per_second", "jobs/s", 0),
    ("submits_per_second", "submits/s", 0),
    ("fill_per_second", "submitted/s", 0),
    ("drain_per_second", "drained/s", 0),
    ("memory_bytes_per_job", "memory, B/job", 0),
    ("acknowledged_p50_us", "ack p50, µs", 0),
    ("worker_has_it_p50_us", "worker has it p50, µs", 0),
    ("latency_p50_us", "result p50, µs", 0),
    ("latency_p99_us", "result p99, µs", 0),
    ("cpu_s_per_million", "server CPU, s per million", 2),
    ("fill_cpu_s_per_million", "CPU submitting", 2),
    ("drain_cpu_s_per_million", "CPU draining", 2),
    ("restart_s", "s until it serves", 2),
    ("commits", "commits", 0),
    ("jobs_per_commit", "jobs a commit", 1),
    ("store_bytes_per_job", "store, B/job", 0),
    ("written_bytes_per_job", "written to disk, B/job", 0),
]
LOWER_IS_BETTER = {"latency_p50_us", "latency_p99_us", "memory_bytes_per_job", "restart_s"}


def latency_of(figures):
    """Flat names. The result is known when the submitter has it, or else when the server has the completion."""
    flat = {}
    for name in ("acknowledged", "worker_has_it", "completed", "known"):
        for percentile, value in (figures.get(name) or {}).items():
            flat[f"{name}_{percentile}"] = value
    last = figures.get("known") or figures.get("completed") or {}
    flat.update({f"latency_{percentile}": value for percentile, value in last.items()})
    return flat


def combine(runs):
    """{figure: {median, least, most}} over the runs."""
    out = {}
    for key in {key for run in runs for key, value in run.items() if isinstance(value, (int, float))}:
        values = [run[key] for run in runs if key in run]
        out[key] = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return out


def median(result, system, key):
    return result["figures"].get(system, {}).get(key, {}).get("median")


def spread(result, system, key):
    """Half the range of the runs, as a share of the median."""
    figure = result["figures"].get(system, {}).get(key)
    if not figure or not figure["median"]:
        return None
    return (figure["most"] - figure["least"]) / 2 / figure["median"]


def ratio(result, key, system, base="rota"):
    """How many times better `base` is."""
    ours, theirs = median(result, base, key), median(result, system, key)
    if not ours or not theirs:
        return None
    return theirs / ours if key in LOWER_IS_BETTER else ours / theirs


def is_synced(result, system):
    """Whether each acknowledgement came after a sync; None where that was not watched."""
    count = median(result, system, "unsynced_acknowledgements")
    return None if count is None else count == 0


def number(value, decimals):
    return "–" if value is None else f"{value:,.{decimals}f}"


def columns(result):
    """Those of FIGURES that some system has."""
    return [figure for figure in FIGURES if any(figure[0] in figures for figures in result["figures"].values())]


def print_row(row, result):
    shown = columns(result)
    width = max([len(name) for name in result["figures"]] + [8])
    for system in result["figures"]:
        parts = [f"{heading} {number(median(result, system, key), decimals)}" for key, heading, decimals in shown
                 if median(result, system, key) is not None]
        share = spread(result, system, row.figure)
        times = ratio(result, row.figure, system)
        if share is not None:
            parts.append(f"±{share * 100:.0f} %")
        if times is not None and system != "rota":
            parts.append(f"Rota {times:.2f} x")
        print(f"  {system:<{width}}  " + "  ".join(parts), flush=True)
    for system, why in result["failures"].items():
        print(f"  {system:<{width}}  failed: {why}", flush=True)
