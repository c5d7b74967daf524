"""A faulty network between the real programs: cuts, resets in mid-frame, black holes in one direction, dribbles, delays.

Whatever happens to a connection, each submit makes one job, each job counts once, and none is lost.
"""

import threading

import rota_harness
from rota_harness import BIN, QUICK_LEASE, Program, RotaTest, eventually
from tcp_proxy import TO_CLIENT, TO_SERVER, TcpProxy

LEASE_SECONDS = 2
NOTES = 'echo $ROTA_JOB_WORKER >> runs/$ROTA_JOB_ID; '


class ProxyFaults(RotaTest):
    seconds = 180

    def setUp(self):
        super().setUp()
        self.b = self.broker(*QUICK_LEASE)
        self.proxies = []
        self.runs = self.directory / "runs"
        self.runs.mkdir()

    def tearDown(self):
        for proxy in self.proxies:
            proxy.close()
        super().tearDown()

    def proxy(self, endpoint):
        proxy = TcpProxy(endpoint)
        self.proxies.append(proxy)
        return proxy

    def far_worker(self, name="far", **keywords):
        """A worker behind a proxy, and the proxy."""
        proxy = self.proxy(self.b.workers)
        return self.worker(proxy.endpoint, name=name, **keywords), proxy

    def ran(self, job):
        file = self.runs / job
        return file.read_text().split() if file.exists() else []

    def assert_done(self, job, attempt=1, losses=0, worker=None):
        facts = self.wait_state(self.b, job, "succeeded")
        self.assertEqual((attempt, losses), (facts["attempt"], facts["losses"]), facts)
        if worker:
            self.assertEqual(worker, facts["worker"])

    def sessions(self):
        return {side: self.b.metric(f'rota_sessions.side="{side}"') for side in ("clients", "workers")}

    # --- clients ------------------------------------------------------------------------------------------------------

    def test_submit_cut_anywhere_makes_one_job(self):
        """Before it arrives, torn in the middle, behind its last byte, and at the acknowledgement."""
        traps = {"before": dict(direction=TO_SERVER, fraction=0), "torn": dict(direction=TO_SERVER, fraction=0.5),
                 "after": dict(direction=TO_SERVER, fraction=1), "answer": dict(direction=TO_CLIENT, fraction=0)}
        started = {}
        for name, trap in traps.items():
            proxy = self.proxy(self.b.clients)
            which = {"after": f"mark-{name}".encode()} if name == "answer" else {"contains": f"mark-{name}".encode()}
            sprung = proxy.reset_mid_frame(**trap, **which)
            started[name] = (self.start_rota(proxy.endpoint, "submit", "--", "sh", "-c", NOTES + f": mark-{name}"), sprung, proxy)
        jobs = []
        for name, (program, sprung, proxy) in started.items():
            self.assertTrue(sprung.wait(20), name)
            self.assertEqual(0, program.wait(), name)
            self.assertGreaterEqual(proxy.connections, 2, name)
            jobs.append(program.lines[0])
        self.worker(self.b)
        for job in jobs:
            self.assert_done(job)
            self.assertEqual(1, len(self.ran(job)))
        self.assertEqual(len(traps), self.queue(self.b)["succeeded"])

    def test_wait_survives_cuts(self):
        worker, workers = self.far_worker(slots=4)
        clients = self.proxy(self.b.clients)
        waiting = self.start_rota(clients.endpoint, "submit", "--wait", "--array", "1-60", "--", "sh", "-c",
                                  NOTES + "until [ -e go ]; do sleep 0.02; done")
        eventually(lambda: len(list(self.runs.iterdir())) >= 4, 30, "jobs run")
        for _ in range(3):
            before = clients.connections + workers.connections
            workers.cut()
            clients.cut()
            eventually(lambda: clients.connections + workers.connections >= before + 2, 30, "both are back")
        (self.directory / "go").touch()
        self.assertEqual(0, waiting.wait(90))
        self.assertEqual(60, self.queue(self.b)["succeeded"])
        # A connection's end costs no lease: nothing ran twice.
        self.assertEqual([1] * 60, [len(file.read_text().split()) for file in self.runs.iterdir()])
        self.assertEqual(0, worker.stop())

    def test_refused_for_a_while(self):
        clients = self.proxy(self.b.clients)
        _, workers = self.far_worker()
        for proxy in (clients, workers):
            proxy.refuse()
        waiting = self.start_rota(clients.endpoint, "--timeout", "60s", "submit", "--wait", "--", "sh", "-c", NOTES + "echo back")
        eventually(lambda: self.sessions()["workers"] == 0, 30, "the worker's lease ends")
        self.rota(clients.endpoint, "--timeout", "300ms", "ping", code=69)
        self.assertEqual((True, 0), (waiting.alive, clients.connections), "nobody comes through, and the client tries on")
        for proxy in (clients, workers):
            proxy.heal()
        self.assertEqual(0, waiting.wait(60))
        self.assertEqual(["back"], waiting.lines)

    # --- workers ------------------------------------------------------------------------------------------------------

    def test_dispatch_torn_in_the_middle_is_given_out_again_without_a_loss(self):
        _, proxy = self.far_worker()
        sprung = proxy.reset_mid_frame(TO_CLIENT, fraction=0.5, contains=b"mark-dispatch")
        job = self.submit(self.b, "--", "sh", "-c", NOTES + ": mark-dispatch")
        self.assertTrue(sprung.wait(20))
        self.assert_done(job, attempt=1, losses=0)
        self.assertEqual(["far"], self.ran(job))

    def test_completion_cut_anywhere_counts_once(self):
        traps = {"before": dict(direction=TO_SERVER, fraction=0), "torn": dict(direction=TO_SERVER, fraction=0.5),
                 "after": dict(direction=TO_SERVER, fraction=1), "answer": dict(direction=TO_CLIENT, fraction=0)}
        for name, trap in traps.items():
            mark = f"result-{name}".encode()
            worker, proxy = self.far_worker(name)
            # The result is put together by the command, so that the dispatch does not hold it.
            job = self.submit(self.b, "--", "sh", "-c", NOTES + f"echo result'-'{name}; until [ -e go-{name} ]; do sleep 0.02; done")
            eventually(lambda: self.ran(job), 20, "it runs")
            sprung = proxy.reset_mid_frame(**trap, **({"after": mark} if name == "answer" else {"contains": mark}))
            (self.directory / f"go-{name}").touch()
            self.assertTrue(sprung.wait(20), name)
            self.assert_done(job, worker=name)
            self.assertEqual([name], self.ran(job), name)
            eventually(lambda: self.queue(self.b)["running"] == 0, 20, "nothing is left over")
            self.assertEqual(0, worker.stop(), name)
        self.assertEqual(len(traps), self.queue(self.b)["succeeded"])

    def test_handler_worker_through_cuts(self):
        proxy = self.proxy(self.b.workers)
        worker = Program(self, [BIN / "prime-worker", proxy.endpoint], "serving primes").wait_ready()
        jobs = [self.submit(self.b, "--type", "primes", "--payload", "3000000") for _ in range(40)]
        stop = threading.Event()

        def cutting():
            while not stop.wait(0.15):
                proxy.cut()
        thread = threading.Thread(target=cutting)
        thread.start()
        try:
            eventually(lambda: proxy.connections >= 4, 30, "it comes back after cuts")
        finally:
            stop.set()
            thread.join()
        self.rota(self.b, "wait", *jobs, seconds=60)
        facts = self.statuses(self.b, jobs)
        self.assertEqual({("succeeded", 0)}, {(fact["state"], fact["losses"]) for fact in facts})
        self.assertTrue(worker.alive)

    # --- black holes --------------------------------------------------------------------------------------------------

    def held_job(self):
        """A job that runs on the far worker until `go` exists, elsewhere it ends at once."""
        job = self.submit(self.b, "--", "sh", "-c", NOTES + "[ $ROTA_JOB_WORKER != far ] || until [ -e go ]; do sleep 0.05; done; "
                          "echo $ROTA_JOB_WORKER")
        eventually(lambda: self.ran(job) == ["far"], 20, "the far worker runs it")
        return job

    def test_worker_that_cannot_be_heard_is_given_up_and_its_late_result_refused(self):
        baseline = self.sessions()
        worker, proxy = self.far_worker(slots=1)
        job = self.held_job()
        self.worker(self.b, name="near")
        proxy.black_hole(TO_SERVER)
        self.assert_done(job, attempt=2, losses=1, worker="near")
        eventually(lambda: self.sessions()["workers"] == baseline["workers"] + 1, 30, "one session is left")
        (self.directory / "go").touch()
        proxy.heal()
        eventually(lambda: len(self.rota(self.b, "workers").lines) >= 2, 30, "it is back")
        self.assertEqual("near\n", self.rota(self.b, "result", job).out)
        self.assertEqual(["far", "near"], self.ran(job))
        self.assertEqual(0, worker.stop())

    def test_worker_that_hears_nothing_goes_on_and_its_result_counts(self):
        _, proxy = self.far_worker(slots=1)
        job = self.held_job()
        proxy.black_hole(TO_CLIENT)
        before = proxy.connections
        eventually(lambda: proxy.connections > before, 60, "the worker notices the silence and tries anew")
        proxy.heal()
        (self.directory / "go").touch()
        facts = self.wait_state(self.b, job, "succeeded")
        self.assertEqual((1, "far"), (facts["attempt"], facts["worker"]), facts)
        self.assertEqual(["far"], self.ran(job))

    def test_what_is_dispatched_into_a_black_hole_runs_elsewhere(self):
        _, proxy = self.far_worker(slots=1)
        proxy.black_hole(TO_CLIENT)
        job = self.submit(self.b, "--", "sh", "-c", NOTES + "echo $ROTA_JOB_WORKER")
        eventually(lambda: self.status(self.b, job)["state"] == "running", 20, "it is under way")
        self.worker(self.b, name="near")
        facts = self.wait_state(self.b, job, "succeeded", seconds=60)
        self.assertEqual("near", facts["worker"])
        proxy.heal()
        self.assertEqual(["near"], self.ran(job))

    def test_client_in_a_black_hole(self):
        """Who cannot be heard is told all the same; who hears nothing is told in the end."""
        self.worker(self.b, slots=2)
        mute_proxy, deaf_proxy = self.proxy(self.b.clients), self.proxy(self.b.clients)
        mute, deaf = (self.start_rota(proxy.endpoint, "submit", "--wait", "--", "sh", "-c",
                                      NOTES + "until [ -e go ]; do sleep 0.05; done; echo done")
                      for proxy in (mute_proxy, deaf_proxy))
        eventually(lambda: len(list(self.runs.iterdir())) == 2, 20, "both jobs run")
        mute_proxy.black_hole(TO_SERVER)
        deaf_proxy.black_hole(TO_CLIENT)
        (self.directory / "go").touch()
        eventually(lambda: self.queue(self.b)["succeeded"] == 2, 20, "both end")
        self.assertEqual((0, ["done"]), (mute.wait(60), mute.lines))
        # Who hears nothing opens a new connection, again and again.
        eventually(lambda: deaf_proxy.connections >= 2, 60, "the client tries anew")
        self.assertEqual([], deaf.lines)
        deaf_proxy.heal()
        self.assertEqual((0, ["done"]), (deaf.wait(60), deaf.lines))
        self.assertEqual(2, self.queue(self.b)["succeeded"])

    # --- slow networks ------------------------------------------------------------------------------------------------

    def test_dribble(self):
        """4 kB a second: messages arrive in crumbs."""
        _, workers = self.far_worker()
        clients = self.proxy(self.b.clients)
        for proxy in (workers, clients):
            proxy.dribble(4000)
        out = self.rota(clients.endpoint, "submit", "--wait", "--array", "1-10", "--", "sh", "-c", NOTES + "true", seconds=90)
        self.assertEqual(0, out.code)
        self.assertEqual([["far"]] * 10, [file.read_text().split() for file in self.runs.iterdir()])

    def test_delay(self):
        """200 ms each way."""
        _, workers = self.far_worker()
        clients = self.proxy(self.b.clients)
        for proxy in (workers, clients):
            proxy.delay(200)
        self.rota(clients.endpoint, "submit", "--wait", "--array", "1-20", "--", "sh", "-c", NOTES + "true", seconds=90)
        self.assertEqual([["far"]] * 20, [file.read_text().split() for file in self.runs.iterdir()])


if __name__ == "__main__":
    rota_harness.main()
