"""The faults of a campaign: each is begun, lasts, and is ended; what was done is written into the nemesis' history."""

import heapq
import itertools
import signal
import time

from broker_host import HOUR, PATIENT, Finding, end_at_once
from tcp_proxy import BOTH, TO_CLIENT, TO_SERVER


class Faults:
    """A seeded mix of faults on the roles of a stage. At most one is on at a time on each role and on the broker."""

    def __init__(self, stage, nemesis, random):
        self.stage, self.nemesis, self.random = stage, nemesis, random
        self.lease = stage.options.lease_ms / 1000
        self._endings = []  # (when, number, call)
        self._numbers = itertools.count()
        # (weight, target, what is done); each returns how long it lasts and what ends it.
        self.kinds = [
            (3, "broker", self.kill_broker), (2, "broker", self.stop_broker_in_order), (2, "broker", self.pause_broker),
            (3, "broker", self.cut_power), (2 if stage.broker.has_clock else 0, "broker", self.jump),
            (5, "worker", self.kill), (4, "worker", self.pause), (3, "worker", self.drain),
            (4, "worker", self.cut), (4, "worker", self.black_hole), (2, "worker", self.delay), (2, "worker", self.tear),
            (4, "client", self.kill), (2, "client", self.pause),
            (4, "client", self.cut), (3, "client", self.black_hole), (2, "client", self.delay), (2, "client", self.tear),
        ]

    # --- when ----------------------------------------------------------------------------------------------------------

    def run(self, seconds):
        """Begins faults for so long, then ends all of them."""
        until = time.monotonic() + seconds
        next_begin = time.monotonic() + self.random.uniform(0.2, 1)
        while (now := time.monotonic()) < until:
            if now >= next_begin:
                self.begin_one()
                next_begin = time.monotonic() + self.random.expovariate(1 / self.stage.options.pause)
            self.end_due(now)
            self.stage.everybody_lives()
            wake = min([until, next_begin, *(entry[0] for entry in self._endings[:1])])
            time.sleep(max(0.0, min(0.2, wake - time.monotonic())))
        while self._endings:
            self.end_due(float("inf"))
            time.sleep(0.05)

    def end_due(self, now):
        due = []
        while self._endings and self._endings[0][0] <= now:
            due.append(heapq.heappop(self._endings)[2])
        for end in due:
            end()

    def begin_one(self):
        _, target, what = self.random.choices(self.kinds, [kind[0] for kind in self.kinds])[0]
        if target == "broker":
            if not self.stage.broker_busy:
                self.stage.broker_busy = True
                self.later(*what())
            return
        idle = [role for role in self.stage.roles if role.kind == target and not role.busy]
        if idle:
            role = self.random.choice(idle)
            role.busy = True
            self.later(*what(role))

    def later(self, seconds, end):
        heapq.heappush(self._endings, (time.monotonic() + seconds, next(self._numbers), end))

    # --- the broker ----------------------------------------------------------------------------------------------------

    def kill_broker(self):
        return self.end_broker("kill", self.stage.broker.kill)

    def stop_broker_in_order(self):
        return self.end_broker("term", self.stage.broker.stop)

    def cut_power(self):
        broker = self.stage.broker
        if not broker.can_lose_power:
            return self.kill_broker()
        return self.end_broker("power cut", lambda: broker.cut_power(self.random.getrandbits(32)))

    def end_broker(self, what, how):
        fault = self.nemesis.begin(what, "broker", pid=self.stage.broker.program.pid)
        how()

        def again():
            self.start_broker()
            self.nemesis.end(fault)
            self.stage.broker_busy = False
        return self.random.choice((0, 0.3, self.lease, 2 * self.lease)), again

    def start_broker(self):
        """Sometimes with a disk whose power can be cut, and then sometimes with a sync that takes longer than a lease. Such a
        stall explains nothing: who is alive keeps his jobs."""
        stall = (self.random.randint(20, 500), int(self.random.uniform(0.5, 2.5) * self.lease * 1000))
        self.stage.broker.start(self.random.random() < 0.5, stall if self.random.random() < 0.5 else None)

    def restart_broker(self):
        """The last one of a round: what is told from now on comes from the disk."""
        _, again = self.cut_power()
        again()

    def pause_broker(self):
        program = self.stage.broker.program
        fault = self.nemesis.begin("stop", "broker", pid=program.pid)
        program.kill(signal.SIGSTOP)

        def go_on():
            program.kill(signal.SIGCONT)
            self.nemesis.end(fault)
            self.stage.broker_busy = False
        return self.random.uniform(0.1, 2) * self.lease, go_on

    def jump(self):
        """An hour forward or back; some restarts happen with the clock still off."""
        broker = self.stage.broker
        fault = self.nemesis.begin("clock jump", "broker", pid=broker.program.pid)
        broker.set_clock(self.random.choice((-HOUR, 0, HOUR)))

        def done():
            self.nemesis.end(fault)
            self.stage.broker_busy = False
        return 0.1, done

    # --- workers and clients -------------------------------------------------------------------------------------------

    def over(self, role, fault):
        self.nemesis.end(fault)
        role.busy = False

    def kill(self, role):
        fault = self.nemesis.begin("kill", role.kind, role.name, role.program.pid)
        end_at_once(role.program)
        self.stage.forget(role.program)
        role.program = None
        self.nemesis.end(fault)

        def again():
            self.stage.start(role)
            role.busy = False
        return self.random.choice((0, 0.2, self.lease)), again

    def pause(self, role):
        program = role.program
        fault = self.nemesis.begin("stop", role.kind, role.name, program.pid)
        program.kill(signal.SIGSTOP)

        def go_on():
            program.kill(signal.SIGCONT)
            self.over(role, fault)
        return self.random.uniform(0.2, 2.5) * self.lease, go_on

    def drain(self, role):
        """Told to end in order; its successor comes when it has."""
        program = role.program
        if program.ready_line is None:
            return 0, lambda: setattr(role, "busy", False)  # cannot take a signal yet; waiting for it would hold up all others
        fault = self.nemesis.begin("drain", role.kind, role.name, program.pid)
        role.program = None
        program.kill(signal.SIGTERM)
        until = time.monotonic() + PATIENT

        def again():
            if program.alive and time.monotonic() < until:
                self.later(0.1, again)  # without its broker it cannot leave
                return
            if program.wait(1) != 0:
                raise Finding(f"{role.name} drained, and exited with {program.process.returncode}: {program.log_text()[-2000:]}")
            self.stage.forget(program)
            self.stage.start(role)
            self.over(role, fault)
        return self.random.uniform(0.5, 2) * self.lease, again

    # --- the network ---------------------------------------------------------------------------------------------------

    def network(self, what, role, begin):
        fault = self.nemesis.begin(what, "network", role.name)
        begin()

        def heal():
            role.proxy.heal()
            self.over(role, fault)
        return heal

    def cut(self, role):
        reset = self.random.random() < 0.7
        if self.random.random() < 0.5:
            return 0, self.network("cut", role, lambda: role.proxy.cut(reset))
        return self.random.uniform(0.2, 2) * self.lease, self.network("refuse", role, role.proxy.refuse)

    def black_hole(self, role):
        direction = self.random.choice((BOTH, TO_SERVER, TO_CLIENT))
        heal = self.network("black hole", role, lambda: role.proxy.black_hole(direction))
        return self.random.uniform(0.3, 3) * self.lease, heal

    def delay(self, role):
        milliseconds = self.random.choice((20, 100, 400))
        heal = self.network("delay", role, lambda: role.proxy.delay(milliseconds))
        return self.random.uniform(0.5, 2) * self.lease, heal

    def tear(self, role):
        direction = self.random.choice((TO_SERVER, TO_CLIENT))
        fraction = self.random.random()
        heal = self.network("reset in mid-frame", role, lambda: role.proxy.reset_mid_frame(direction, fraction))
        return 0.5 * self.lease, heal
