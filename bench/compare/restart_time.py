"""How long a broker with ten million queued jobs takes to serve again."""

import subprocess
import time

from figures import combine
from rows import Row
from systems import FSYNC

RESTART_ROW = Row("restart", "Scaling", "seconds until a broker with ten million queued jobs serves again", "restart", [],
                  figure="restart_s")
JOBS = 10**7


def measure_restart(programs, options):
    jobs = options.jobs or (JOBS // 100 if options.quick else JOBS)
    system = next(system for system in FSYNC if system.name == "rota")
    runs = []
    with system.server(programs, options.data, "fsync") as server:
        subprocess.run([programs.find("rota"), "--broker", server.ready["clients"], "--output", "quiet", "bench", "submit",
                        "--jobs", str(jobs), "--batch", "512", "--window", "8192"], env=programs.environment,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
        for _ in range(options.runs):
            server.stop()
            start = time.monotonic()
            server.start()
            runs.append({"restart_s": time.monotonic() - start})
    return {"row": RESTART_ROW.name, "jobs": {"rota": jobs}, "failures": {}, "figures": {"rota": combine(runs)}}
