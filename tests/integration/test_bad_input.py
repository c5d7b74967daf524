"""What bad input gets: the exit code of the contract and one clear sentence."""

import ctypes
import os
import shutil
import struct
import subprocess
import uuid

import rota_harness
from rota_harness import BIN, RotaTest


class Usage(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def refused(self, code, words, *arguments, **keywords):
        outcome = self.rota(self.b, *arguments, code=code, **keywords)
        self.assert_sentence(outcome, *words)
        return outcome

    def test_unknown_options_are_usage_errors_of_all_programs(self):
        self.refused(64, ["--colour"], "submit", "--colour", "blue", "--", "true")
        for program in ("rota-broker", "rota-worker"):
            outcome = self.run_to_end([BIN / program, "--colour"])
            self.assertEqual(64, outcome.code, outcome)
            self.assert_sentence(outcome, "--colour", program=program)

    def test_unknown_command_is_a_usage_error(self):
        self.assertEqual(64, self.rota(self.b, "submitt", code=None).code)
        self.assertEqual(64, self.rota(self.b, code=None).code)

    def test_unknown_values_name_what_is_allowed(self):
        self.refused(64, ["fsync", "memory"], "submit", "--durability", "maybe", "--", "true")
        self.refused(64, ["text", "json", "quiet"], "--output", "yaml", "ping")

    def test_queue_name_out_of_rule(self):
        for name in ("", "a b", "x" * 65, "naïve", "a/b"):
            self.assertEqual(64, self.rota(self.b, "submit", "--queue", name, "--", "true", code=None).code, name)
        self.refused(64, ["queue"], "submit", "--queue", "a b", "--", "true")
        self.rota(self.b, "submit", "--queue", "x" * 64, "--", "true")
        outcome = self.run_to_end([BIN / "rota-worker", "--exec", "--queue", "a b"])
        self.assertEqual(64, outcome.code, outcome)
        self.assert_sentence(outcome, "queue", program="rota-worker")

    def test_negative_and_malformed_durations(self):
        for option in ("--delay", "--time-limit", "--expires", "--keep", "--key-for"):
            for value in ("-5s", "5", "5 parsecs", "", "1e9999s", "99999999999999999999s"):
                outcome = self.rota(self.b, "submit", f"{option}={value}", "--", "true", code=None)
                self.assertEqual(64, outcome.code, f"{option}={value}: {outcome}")
        self.refused(64, ["--delay"], "submit", "--delay=-5s", "--", "true")
        self.refused(64, ["--timeout"], "--timeout=-1s", "ping")
        outcome = self.broker_fails("--lease=-1s", data=self.directory / "x")
        self.assertEqual(64, outcome.code, outcome)

    def test_numbers_out_of_range(self):
        for option, value in (("--priority", "128"), ("--priority", "-129"), ("--retries", "-1"), ("--losses", "many")):
            outcome = self.rota(self.b, "submit", f"{option}={value}", "--", "true", code=None)
            self.assertEqual(64, outcome.code, f"{option}={value}: {outcome}")
        for array in ("5-1", "a-b", "1-2:0", "1-99999999999"):
            self.assertEqual(64, self.rota(self.b, "submit", "--array", array, "--", "true", code=None).code, array)

    def test_malformed_ids(self):
        for command in ("status", "result", "cancel", "wait"):
            outcome = self.rota(self.b, command, "not-a-uuid!", code=64)
            self.assert_sentence(outcome, "not-a-uuid!")

    def test_foreign_uuid_is_refused_with_the_command_that_makes_ids(self):
        self.refused(64, ["rota id"], "submit", "--id", str(uuid.uuid4()), "--", "true")

    def test_unknown_jobs(self):
        unknown = self.rota(self.b, "id").out.strip()
        for command in ("status", "result", "cancel", "wait"):
            outcome = self.rota(self.b, command, unknown, code=2)
            self.assert_sentence(outcome, unknown)
        outcome = self.rota(self.b, "--output", "json", "result", unknown, code=2)
        self.assertIn('"NOT_FOUND"', outcome.err)
        self.assertIn('"retryable":false', outcome.err.replace(" ", ""))

    def test_payload_too_large(self):
        big = self.directory / "big"
        big.write_bytes(b"x" * (2 * 1024 * 1024))
        outcome = self.rota(self.b, "submit", "--type", "t", "--payload-file", big, code=None)
        self.assertIn(outcome.code, (64, 77, 75, 70, 1), outcome)
        self.assert_sentence(outcome, "payload")
        self.assertEqual(0, self.queue(self.b)["ready"])
        self.rota(self.b, "submit", "--type", "t", "--payload", "x")
        self.assertEqual(1, self.queue(self.b)["ready"])

    def test_submit_without_anything_to_run(self):
        self.assertEqual(64, self.rota(self.b, "submit", code=None).code)
        self.assertEqual(64, self.rota(self.b, "submit", "--type", "t", "--", "true", code=None).code)
        self.assertEqual(64, self.rota(self.b, "submit", "--each-line", "/no/such/file", "--", "true", code=None).code)

    def test_bad_config_files(self):
        config = self.directory / "rota.toml"
        for text in ("broker = ", 'colour = "blue"\n', 'timeout = "soon"\n'):
            config.write_text(text)
            outcome = self.run_to_end([BIN / "rota", "--config", config, "ping"])
            self.assertEqual(64, outcome.code, f"{text!r}: {outcome}")
            self.assert_sentence(outcome, config.name if "=" not in text[:-2] else "")
        outcome = self.run_to_end([BIN / "rota", "--config", self.directory / "none.toml", "ping"])
        self.assertEqual(64, outcome.code, outcome)


class Unreachable(RotaTest):
    def test_broker_that_is_not_there_is_named_within_the_timeout(self):
        for arguments in (["ping"], ["submit", "--", "true"], ["queues"]):
            outcome = self.rota("tcp://127.0.0.1:9", "--timeout", "500ms", *arguments, code=69, seconds=15)
            self.assert_sentence(outcome, "tcp://127.0.0.1:9")
            self.assertLess(outcome.seconds, 10)

    def test_endpoint_that_is_none(self):
        for endpoint in ("nonsense", "tcp://", "tcp://host", "http://127.0.0.1:5555", "tcp://127.0.0.1:99999"):
            self.assertEqual(64, self.rota(endpoint, "--timeout", "500ms", "ping", code=None).code, endpoint)


class Directory(RotaTest):
    def test_second_broker_on_a_directory_names_it_and_its_holder(self):
        first = self.broker()
        outcome = self.broker_fails(data=self.directory / "data")
        self.assertEqual(75, outcome.code, outcome)
        self.assert_sentence(outcome, self.directory / "data", first.pid, program="rota-broker")
        self.rota(first, "ping")

    def test_directory_of_a_killed_broker_is_free(self):
        first = self.broker()
        job = self.submit(first, "--", "true")
        first.kill()
        again = self.broker()
        self.assertEqual("ready", self.status(again, job)["state"])

    def test_directory_below_a_file_is_refused(self):
        file = self.directory / "file"
        file.write_text("")
        outcome = self.broker_fails(data=file / "data")
        self.assertEqual(77, outcome.code, outcome)
        self.assert_sentence(outcome, file / "data", program="rota-broker")

    def test_read_only_directory_is_refused(self):
        target = self.directory / "locked"
        target.mkdir()
        prefix = ()
        if os.geteuid() == 0:
            # Permission bits do not bind root: a read-only mount in a mount namespace of its own does.
            probe = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o ro none '{target}'"]
            if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True).returncode != 0:
                self.skipTest("no mount namespaces here")
            prefix = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o ro none '{target}' && exec \"$@\"", "sh"]
        else:
            target.chmod(0o500)
        outcome = self.broker_fails(data=target, prefix=prefix)
        self.assertEqual(77, outcome.code, outcome)
        self.assert_sentence(outcome, target, program="rota-broker")

    def test_newer_format_is_refused_with_both_versions(self):
        broker = self.broker()
        self.submit(broker, "--", "true")
        self.assertEqual(0, broker.stop())
        self.raise_format_version(self.directory / "data" / "data.mdb", 100)
        outcome = self.broker_fails(data=self.directory / "data")
        self.assertIn(outcome.code, (70, 77), outcome)
        self.assert_sentence(outcome, self.directory / "data", "format 100", "newer", program="rota-broker")

    @staticmethod
    def raise_format_version(file, version):
        """Rewrites the record `format` of the table `meta` (docs/store-format.md) wherever it lies in LMDB's file."""
        xxh3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits_withSeed
        xxh3.restype, xxh3.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64]

        def node(number):
            payload = bytes([number])
            seed = xxh3(b"format", 6, 1)
            # LMDB's leaf node: size of the value (32 bits), flags, size of the key (16 bits each), key, value.
            return struct.pack("<IHH", 9, 0, 6) + b"format" + struct.pack("<Q", xxh3(payload, 1, seed)) + payload
        data = file.read_bytes()
        assert node(1) in data, "the record is not where the store's format says"
        file.write_bytes(data.replace(node(1), node(version)))

    def test_port_in_use_is_named(self):
        first = self.broker()
        outcome = self.run_to_end([BIN / "rota-broker", "--data", self.directory / "other", "--clients", first.clients,
                                   "--workers", "tcp://127.0.0.1:*", "--http", "off"])
        self.assertIn(outcome.code, (69, 75), outcome)
        self.assert_sentence(outcome, first.clients, program="rota-broker")

    def test_public_address_needs_the_word_insecure(self):
        outcome = self.run_to_end([BIN / "rota-broker", "--data", self.directory / "d", "--clients", "tcp://*:*",
                                   "--workers", "tcp://127.0.0.1:*", "--http", "off"])
        self.assertIn(outcome.code, (64, 77), outcome)
        self.assert_sentence(outcome, "--insecure", program="rota-broker")


if __name__ == "__main__":
    rota_harness.main()
