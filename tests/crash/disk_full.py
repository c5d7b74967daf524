#!/usr/bin/env python3
"""Fills the disk of a broker at any moment of its work. Usage: disk_full.py [--full] [--seed N].

Each cycle: a broker on a file system of 160 MiB, a client and a worker at work; somebody else takes the rest of the disk, jobs that
nobody runs take the rest of the file. New jobs must be refused as STORE_FULL, everything else must go on; in every third cycle the
broker is killed and started in that state. Then there is room again, on the disk or in the file, and jobs must be taken without
anybody's help. At the end every job is judged by the history checker, and the store by rota-broker check.
"""

import sys

import disk_stage
from rota_harness import eventually

FILLER = ("--timeout", "2s", "bench", "submit", "--queue", "fill", "--jobs", "2000", "--payload", "256KiB")


def cycle(stage, disk, random, number):
    wanted = random.randrange(3, 60)
    eventually(lambda: stage.logged("acked") >= wanted, disk_stage.PATIENT, "the client is at work", every=0.02)
    before_ballast = random.random() < 0.5
    if before_ballast:
        stage.rota(*FILLER[:-3], random.randrange(1, 100), *FILLER[-2:])
    disk.fill()

    def is_full():
        stage.rota(*FILLER)
        return stage.is_refusing()
    eventually(is_full, disk_stage.PATIENT, "new jobs are refused", every=0.1)
    assert_work_goes_on(stage)
    if number % 3 == 2:
        fault = stage.nemesis.begin("kill", "broker", "broker", stage.broker.pid)
        stage.broker.kill()
        stage.start_broker()
        stage.nemesis.end(fault)
        eventually(stage.is_refusing, disk_stage.PATIENT, "they are refused by the next broker too", every=0.1)
        assert_work_goes_on(stage)
    assert stage.broker.alive, stage.broker.log_text()
    # What takes room in the file goes, or what takes it on the disk; the other one later.
    if random.random() < 0.5:
        disk.make_room()
        must_take_jobs(stage)
        purge(stage)
    else:
        purge(stage)
        must_take_jobs(stage)
        disk.make_room()


def assert_work_goes_on(stage):
    """A job is taken back, and what was accepted is run."""
    job = stage.rota("--output", "json", "list", "--queue", "fill", "--limit", "1").stdout
    assert '"id"' in job, job
    identifier = job.split('"id":"')[1].split('"')[0]
    done = stage.rota("cancel", identifier)
    assert done.returncode == 0, done.stderr
    eventually(lambda: stage.unfinished() in (0, None) or stage.logged("done") > 0, disk_stage.PATIENT, "jobs are run")


def purge(stage):
    done = stage.rota("purge", "--queue", "fill", "--yes")
    assert done.returncode == 0, done.stderr


def must_take_jobs(stage):
    taken = stage.logged("acked")
    eventually(lambda: stage.logged("acked") > taken or not stage.is_refusing(), disk_stage.PATIENT, "jobs are taken again",
               every=0.1)
    done = stage.rota("--timeout", "60s", "submit", "--queue", "fill", "--type", "none", "--payload", "x")
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    sys.exit(disk_stage.main("disk full", cycle, 160, 1, 20, __doc__.splitlines()[0]))
