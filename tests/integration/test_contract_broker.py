"""The contract of rota-broker: each option does what docs/cli.md says. CONTRACT names the test of each row."""

import json
import socket
import time

import rota_harness
import rota_peer as peer
from contract_rows import assert_covers
from rota_harness import BIN, QUICK_LEASE, Program, RotaTest, eventually

CONTRACT = {
    "--data": ["Directories.test_data_and_its_defaults", "test_bad_input.Directory"],
    "--clients": ["Endpoints.test_free_and_fixed_ports", "test_bad_input.Directory.test_port_in_use_is_named"],
    "--workers": ["Endpoints.test_free_and_fixed_ports"],
    "--http": ["Endpoints.test_http_can_be_off_or_elsewhere"],
    "--store": ["Limits.test_memory_store_keeps_nothing"],
    "--memory-limit": ["Limits.test_memory_jobs_beyond_the_limit_are_refused_for_now"],
    "--store-limit": ["test_store_full.FullStore.test_store_limit"],
    "--finished-limit": ["Limits.test_results_beyond_the_limit_go_first_and_keep_ends"],
    "--max-payload": ["Limits.test_largest_payload"],
    "--lease": ["Leases.test_worker_silent_beyond_its_lease_loses_its_jobs"],
    "--reattach": ["Leases.test_jobs_of_a_worker_that_does_not_come_back_run_elsewhere"],
    "--dedup-window": ["Leases.test_ids_older_than_the_dedup_window_are_refused"],
    "--advertise": ["Endpoints.test_advertised_host_is_told_to_jobs"],
    "--insecure": ["Endpoints.test_wildcard_needs_insecure_and_tells_each_peer_its_own_way",
                   "test_bad_input.Directory.test_public_address_needs_the_word_insecure"],
    "--config": ["test_contract_docs.Sources"],
    "--log-level": ["Logs.test_level_and_format"],
    "--log-format": ["Logs.test_level_and_format"],
    "--help": ["test_cli.Programs.test_every_program_tells_its_version_and_help"],
    "--version": ["test_cli.Programs.test_every_program_tells_its_version_and_help"],
    "ready line": ["test_cli.Programs.test_broker_prints_where_it_serves_and_stops_on_sigterm_and_sigint"],
    "told to systemd": ["Logs.test_service_manager_is_told"],
    "SIGTERM and SIGINT": ["test_cli.Programs.test_broker_prints_where_it_serves_and_stops_on_sigterm_and_sigint"],
    "kill -9 loses nothing": ["test_broker_kills"],
    "second broker: 75": ["test_bad_input.Directory.test_second_broker_on_a_directory_names_it_and_its_holder"],
    "check": ["test_cli.Commands.test_check_verifies_a_stopped_store_and_backup_copies_a_live_one",
              "Directories.test_store_commands_take_no_option_of_serving"],
    "backup": ["test_cli.Commands.test_check_verifies_a_stopped_store_and_backup_copies_a_live_one",
               "Directories.test_store_commands_take_no_option_of_serving"],
    "exit 77": ["test_bad_input.Directory.test_read_only_directory_is_refused"],
}


class Coverage(RotaTest):
    def test_every_option_has_a_test(self):
        assert_covers(self, "rota-broker", CONTRACT, __file__)


class Directories(RotaTest):
    def bare_broker(self, **env):
        program = Program(self, [BIN / "rota-broker", "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*",
                                 "--http", "off"], "rota-broker ready", env=env).wait_ready()
        self.assertEqual(0, program.stop())

    def test_data_and_its_defaults(self):
        state, xdg = self.directory / "state", self.directory / "xdg"
        # The strongest first: each is used while those after it are set too.
        for env, expected in (({"STATE_DIRECTORY": f"{state}:{self.directory / 'other'}", "XDG_STATE_HOME": str(xdg)}, state),
                              ({"XDG_STATE_HOME": str(xdg)}, xdg / "rota"), ({}, self.directory / ".local/state/rota"),
                              ({"ROTA_DATA": str(self.directory / "named"), "STATE_DIRECTORY": str(state)},
                               self.directory / "named")):
            self.assertFalse((expected / "data.mdb").exists())
            self.bare_broker(**env)
            self.assertTrue((expected / "data.mdb").exists(), env)

    def test_no_directory_is_a_usage_error(self):
        outcome = self.run_to_end(["env", "-u", "HOME", BIN / "rota-broker", "--http", "off"])
        self.assertEqual(64, outcome.code, outcome)
        self.assert_sentence(outcome, "--data", program="rota-broker")

    def test_store_commands_take_no_option_of_serving(self):
        for words in (["check", "--lease", "1s"], ["backup", "x", "--http", "off"]):
            outcome = self.run_to_end([BIN / "rota-broker", *words])
            self.assertEqual(64, outcome.code, outcome)
            self.assert_sentence(outcome, words[-2], words[0], program="rota-broker")
        outcome = self.run_to_end([BIN / "rota-broker", "check", "--data", self.directory / "none"])
        self.assertEqual(2, outcome.code, outcome)
        self.assertEqual(64, self.run_to_end([BIN / "rota-broker", "backup"]).code)


class Endpoints(RotaTest):
    def test_free_and_fixed_ports(self):
        first = self.broker()
        clients, workers = first.clients, first.workers
        self.assertNotEqual(clients, workers)
        self.assertEqual(0, first.stop())
        again = self.restart(first)
        self.assertEqual((clients, workers), (again.clients, again.workers))
        self.worker(again)
        self.rota(again, "submit", "--wait", "--", "true")
        for option in ("--clients", "--workers"):
            outcome = self.run_to_end([BIN / "rota-broker", "--data", self.directory / "x", option, "tcp://127.0.0.1"])
            self.assertEqual(64, outcome.code, outcome)
            self.assert_sentence(outcome, option, program="rota-broker")

    def test_http_can_be_off_or_elsewhere(self):
        silent = self.broker(data="off", http="off")
        self.assertTrue(silent.ready_line.endswith(" http=off"), silent.ready_line)
        other = self.broker(http="127.0.0.2:0")
        self.assertTrue(other.http.startswith("http://127.0.0.2:"), other.ready_line)
        self.assertEqual(200, other.get("/healthz")[0])
        self.assertIn("# TYPE", other.get("/metrics")[1])

    def test_advertised_host_is_told_to_jobs(self):
        broker = self.broker("--advertise", "queue.example.net")
        self.worker(broker)
        port = broker.clients.rpartition(":")[2]
        outcome = self.rota(broker, "submit", "--wait", "--", "sh", "-c", "echo $ROTA_BROKER")
        self.assertEqual(f"tcp://queue.example.net:{port}\n", outcome.out)

    def test_wildcard_needs_insecure_and_tells_each_peer_its_own_way(self):
        broker = self.broker("--insecure", clients="tcp://*:*", workers="tcp://*:*")
        clients, workers = (endpoint.rpartition(":")[2] for endpoint in (broker.clients, broker.workers))
        self.worker(f"tcp://127.0.0.3:{workers}")
        outcome = self.rota(f"tcp://127.0.0.4:{clients}", "submit", "--wait", "--", "sh", "-c", "echo $ROTA_BROKER")
        self.assertEqual(f"tcp://127.0.0.3:{clients}\n", outcome.out)


class Limits(RotaTest):
    def test_memory_store_keeps_nothing(self):
        broker = self.broker("--store", "memory")
        self.assert_sentence(self.rota(broker, "submit", "--", "true", code=64), "--durability memory")
        job = self.submit(broker, "--durability", "memory", "--", "true")
        self.assertEqual("ready", self.status(broker, job)["state"])
        self.assertFalse((self.directory / "data/data.mdb").exists())
        self.assertEqual(0, broker.stop())
        self.rota(self.restart(broker, "--store", "memory"), "status", job, code=2)

    def test_memory_jobs_beyond_the_limit_are_refused_for_now(self):
        broker = self.broker("--memory-limit", "4MiB")
        payload = self.directory / "payload"
        payload.write_bytes(b"x" * 1_000_000)
        submit = ["--timeout", "300ms", "submit", "--durability", "memory", "--type", "t", "--payload-file", payload]
        codes = [self.rota(broker, *submit, code=None) for _ in range(6)]
        self.assertEqual(0, codes[0].code, codes[0])
        self.assertEqual(75, codes[-1].code, codes[-1])
        self.assert_sentence(codes[-1])
        self.rota(broker, "purge", "--queue", "default", "--yes")
        eventually(lambda: self.rota(broker, *submit, code=None).code == 0, 10, "there is room again")

    def test_results_beyond_the_limit_go_first_and_keep_ends(self):
        broker = self.broker("--finished-limit", "1MiB", "--dedup-window", "10s")
        self.worker(broker)
        brief = self.submit(broker, "--keep", "1s", "--", "echo", "x")
        jobs = self.rota(broker, "submit", "--array", "1-40", "--", "head", "-c", "200000", "/dev/zero").lines
        self.rota(broker, "wait", brief, *jobs)
        eventually(lambda: self.rota(broker, "result", jobs[0], code=None).code != 0, 30, "the oldest result is gone")
        outcome = self.rota(broker, "result", jobs[0], code=None)
        self.assertIn(outcome.code, (2, 70), outcome)
        self.assert_sentence(outcome)
        # A job is kept for the dedup window at least, then for as long as it was submitted with.
        eventually(lambda: self.rota(broker, "status", brief, code=None).code == 2, 30, "its keep is over")
        self.assertEqual("succeeded", self.status(broker, jobs[-1])["state"])

    def test_largest_payload(self):
        payload = self.directory / "payload"
        payload.write_bytes(b"x" * (1 << 20))
        submit = ["submit", "--type", "t", "--payload-file", payload]
        small = self.broker("--max-payload", "1000B", data="small")
        self.assertEqual(64, self.rota(small, *submit, code=None).code)
        self.rota(small, "submit", "--type", "t", "--payload", "x" * 1000)
        usual = self.broker()
        self.rota(usual, *submit)
        payload.write_bytes(b"x" * ((1 << 20) + 1))
        outcome = self.rota(usual, *submit, code=64)
        self.assert_sentence(outcome, "payload")
        self.rota(self.broker("--max-payload", "2MiB", data="large"), *submit)


class Leases(RotaTest):
    def test_worker_silent_beyond_its_lease_loses_its_jobs(self):
        broker = self.broker(*QUICK_LEASE)
        self.worker(broker, name="first")
        left = self.rota(broker, "--output", "json", "workers").json()["lease_left_ms"]
        self.assertTrue(0 < left <= 2000, left)
        job = self.submit(broker, "--losses", "0", "--", "sleep", "600")
        self.wait_state(broker, job, "running")
        self.programs[-1].kill()
        facts = self.wait_state(broker, job, "failed", 20)  # --losses 0: it is not run again
        self.assertEqual(1, facts["losses"])
        self.assertTrue(facts["error"]["message"], facts)

    def test_jobs_of_a_worker_that_does_not_come_back_run_elsewhere(self):
        broker = self.broker("--lease", "1s", "--reattach", "2s")
        worker = self.worker(broker)
        job = self.submit(broker, "--", "sh", "-c", "test $ROTA_JOB_ATTEMPT = 2 || sleep 600")
        self.wait_state(broker, job, "running")
        broker.kill()
        worker.kill()
        broker = self.restart(broker, "--lease", "1s", "--reattach", "2s")
        self.assertEqual("running", self.status(broker, job)["state"])
        self.worker(broker)
        self.rota(broker, "wait", job)
        self.assertEqual((2, 1), tuple(self.status(broker, job)[field] for field in ("attempt", "losses")))

    def test_reattach_shorter_than_the_lease_is_a_usage_error(self):
        outcome = self.broker_fails("--lease", "10s", "--reattach", "5s", data=self.directory / "x")
        self.assertEqual(64, outcome.code, outcome)
        self.assert_sentence(outcome, "--reattach", "--lease", program="rota-broker")

    def test_ids_older_than_the_dedup_window_are_refused(self):
        broker = self.broker()
        old = peer.text_of(peer.make_id(at=time.time() - 3600))
        outcome = self.rota(broker, "submit", "--id", old, "--", "true", code=None)
        self.assertNotEqual(0, outcome.code, outcome)
        self.assert_sentence(outcome)
        longer = self.broker("--dedup-window", "2h", data="longer")
        self.assertEqual(old, self.submit(longer, "--id", old, "--", "true"))


class Logs(RotaTest):
    def test_level_and_format(self):
        text = self.broker(data="text")
        self.assertRegex(text.log_text(), r"(?m)^\d{4}-\d\d-\d\dT[0-9:.]+Z info rota-broker: ")
        lines = self.broker("--log-format", "json", data="json").log_text().splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertEqual({"ts", "level", "logger", "msg"}, set(json.loads(line)))
        self.assertEqual("", self.broker("--log-level", "off", data="off").log_text())

    def test_service_manager_is_told(self):
        path = str(self.directory / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(20)
            broker = self.broker(env={"NOTIFY_SOCKET": path})
            self.assertIn(b"READY=1", manager.recv(1000))
            self.assertEqual(0, broker.stop())
            self.assertIn(b"STOPPING=1", manager.recv(1000))


if __name__ == "__main__":
    rota_harness.main()
