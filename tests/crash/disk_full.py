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
    hold_jobs(stage)
    before_ballast = random.random() < 0.5
    if before_ballast:
        stage.rota(*FILLER[:-3], random.randrange(1, 100), *FILLER[-2:])
    disk.fill()

    def is_full():
        stage.rota(*FILLER)
        return stage.is_refusing()
    eventually(is_full, disk_stage.PATIENT, "new jobs are refused", every=0.1)
    assert_cancels(stage)
    if number % 3 == 2:
        fault = stage.nemesis.begin("kill", "broker", "broker", stage.broker.pid)
        stage.broker.kill()
        stage.start_broker()
        stage.nemesis.end(fault)
        eventually(stage.is_refusing, disk_stage.PATIENT, "they are refused by the next broker too", every=0.1)
        assert_cancels(stage)
    assert_runs_held_jobs(stage)
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


def hold_jobs(stage):
    """Nothing of the client's queue is run until assert_runs_held_jobs(), and there is something to run."""
    must_do(stage, "pause", "default")
    taken = stage.logged("acked")
    eventually(lambda: stage.logged("acked") > taken + 1, disk_stage.PATIENT, "jobs are held", every=0.02)


def assert_runs_held_jobs(stage):
    """What was accepted while there was room is run without any."""
    ended = stage.logged("done")
    must_do(stage, "resume", "default")
    eventually(lambda: stage.logged("done") > ended, disk_stage.PATIENT, "jobs are run", every=0.1)


def assert_cancels(stage):
    """A job is taken back."""
    job = stage.rota("--output", "json", "list", "--queue", "fill", "--limit", "1").stdout
    assert '"id"' in job, job
    must_do(stage, "cancel", job.split('"id":"')[1].split('"')[0])


def must_do(stage, *arguments):
    done = stage.rota(*arguments)
    assert done.returncode == 0, done.stderr


def purge(stage):
    must_do(stage, "purge", "--queue", "fill", "--yes")


def must_take_jobs(stage):
    taken = stage.logged("acked")
    eventually(lambda: stage.logged("acked") > taken or not stage.is_refusing(), disk_stage.PATIENT, "jobs are taken again",
               every=0.1)
    done = stage.rota("--timeout", "60s", "submit", "--queue", "fill", "--type", "none", "--payload", "x")
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    sys.exit(disk_stage.main("disk full", cycle, 160, 1, 20, __doc__.splitlines()[0]))
