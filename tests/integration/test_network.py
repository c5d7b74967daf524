"""Workers on other hosts, stood in for by network namespaces with addresses of their own; and a cut network.

Needs root and namespaces; elsewhere reported as skipped. ROTA_CUT_SECONDS (5) is how long the cut lasts, against a lease
of 2 s; with 60 or more the default lease is used.
"""

import os
import shutil
import subprocess
import unittest

import rota_harness
from rota_harness import RotaTest, eventually

CUT_SECONDS = float(os.environ.get("ROTA_CUT_SECONDS", "5"))


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True)


def namespaces_work():
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"rota-probe-{os.getpid()}"
    if ip("netns", "add", name, check=False).returncode != 0:
        return False
    works = ip("-n", name, "link", "add", "probe0", "type", "veth", "peer", "name", "probe1", check=False).returncode == 0
    ip("netns", "delete", name, check=False)
    return works


@unittest.skipUnless(namespaces_work(), "needs root and network namespaces")
class OtherHosts(RotaTest):
    seconds = 120 + 3 * CUT_SECONDS

    def setUp(self):
        super().setUp()
        self.namespaces = []
        self.hub = self.namespace("hub")

    def tearDown(self):
        try:
            super().tearDown()
        finally:
            for name in self.namespaces:
                ip("netns", "delete", name, check=False)

    def namespace(self, label):
        name = f"rota-{os.getpid()}-{label}"
        ip("netns", "add", name)
        self.namespaces.append(name)
        ip("-n", name, "link", "set", "lo", "up")
        return name

    def host(self, number):
        """A namespace joined to the hub's by a veth of its own: the hub is 10.77.N.1, it is 10.77.N.2."""
        name = self.namespace(f"host{number}")
        ip("-n", self.hub, "link", "add", f"hub{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", self.hub, "address", "add", f"10.77.{number}.1/24", "dev", f"hub{number}")
        ip("-n", self.hub, "link", "set", f"hub{number}", "up")
        ip("-n", name, "address", "add", f"10.77.{number}.2/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        return name

    @staticmethod
    def inside(namespace):
        return ["ip", "netns", "exec", namespace]

    def hub_broker(self, *options):
        return self.broker("--insecure", *options, clients="tcp://*:5555", workers="tcp://*:5556", http="127.0.0.1:5580",
                           prefix=self.inside(self.hub))

    def hub_rota(self, *arguments, **keywords):
        return self.rota("tcp://127.0.0.1:5555", *arguments, prefix=self.inside(self.hub), **keywords)

    def test_workers_with_own_addresses_register_and_work(self):
        self.hub_broker()
        for number in (1, 2, 3):
            self.worker(f"tcp://10.77.{number}.1:5556", name=f"host{number}", slots=2, prefix=self.inside(self.host(number)))
        workers = [row["name"] for row in map(rota_harness.json.loads, self.hub_rota("--output", "json", "workers").lines)]
        self.assertEqual(["host1", "host2", "host3"], sorted(workers))
        ids = self.hub_rota("submit", "--array", "1-90", "--", "sh", "-c", "sleep 0.05; echo $ROTA_JOB_WORKER $ROTA_BROKER").lines
        self.hub_rota("wait", *ids)
        results = [self.hub_rota("result", job).out.split() for job in ids]
        self.assertEqual({"host1", "host2", "host3"}, {worker for worker, _ in results})
        # Bound to all addresses, the broker advertises its port alone; each worker puts in the host it reached it by.
        for worker, endpoint in results:
            self.assertEqual(f"tcp://10.77.{worker[-1]}.1:5555", endpoint)

    def test_running_job_outlives_a_cut_and_its_result_counts(self):
        self.hub_broker(*([] if CUT_SECONDS >= 60 else ["--lease", "2s", "--reattach", "6s"]))
        host = self.host(1)
        worker = self.worker("tcp://10.77.1.1:5556", name="far", slots=2, prefix=self.inside(host))
        job = self.hub_rota("submit", "--", "sh", "-c",
                            "echo $ROTA_JOB_ATTEMPT >> runs; until [ -e release ]; do sleep 0.1; done; echo survived").out.strip()
        eventually(lambda: (self.directory / "runs").exists(), 20, "the job runs")
        ip("-n", host, "link", "set", "eth0", "down")
        rota_harness.threading.Event().wait(CUT_SECONDS)  # the cut is the fault under test, not a wait for something
        self.assertTrue(worker.alive)
        ip("-n", host, "link", "set", "eth0", "up")
        # Whether the broker has charged a loss or not: nobody else was given the job, so its run counts.
        eventually(lambda: self.hub_rota("--output", "json", "workers").lines, 60, "the worker is back")
        (self.directory / "release").touch()
        self.hub_rota("wait", job, seconds=60)
        self.assertEqual("survived\n", self.hub_rota("result", job).out)
        self.assertEqual("1\n", (self.directory / "runs").read_text())
        facts = self.hub_rota("--output", "json", "status", job).json()
        self.assertEqual(("succeeded", 1, "far"), tuple(facts[k] for k in ("state", "attempt", "worker")))


if __name__ == "__main__":
    rota_harness.main()
