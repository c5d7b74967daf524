"""`cmake --install` into a prefix of one's own: complete, self-contained, and checked by systemd's own linter."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import rota_harness
from rota_harness import BIN, QUICK_LEASE, SOURCE, Program, RotaTest

PROGRAMS = {"bin/rota", "bin/rota-broker", "bin/rota-worker", "libexec/rota/rota-spawner"}
UNITS = ("rota-broker.service", "rota-worker.service", "rota-worker@.service")


class Installed(RotaTest):
    def setUp(self):
        super().setUp()
        self.prefix = self.directory / "prefix"
        self.install("--prefix", self.prefix)

    def install(self, *arguments, **environment):
        done = subprocess.run(["cmake", "--install", str(BIN.parent), *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, env={**self.environment, **environment})
        self.assertEqual(0, done.returncode, done.stdout.decode())

    def unit(self, name):
        return self.prefix / "lib/systemd/system" / name

    def test_everything_has_its_place_and_nothing_else_comes_along(self):
        found = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        expected = PROGRAMS | {f"lib/systemd/system/{unit}" for unit in UNITS} | {"lib/sysusers.d/rota.conf"}
        for program in ("rota", "rota-broker", "rota-worker"):
            expected |= {f"share/man/man1/{program}.1", f"share/bash-completion/completions/{program}",
                         f"share/fish/vendor_completions.d/{program}.fish"}
        expected.add("share/zsh/site-functions/_rota")
        expected |= {"share/rota/rota-alerts.yml", "share/rota/rota.json"}
        expected |= {f"share/doc/rota/config/{name}.toml" for name in ("broker", "worker", "rota")}
        self.assertEqual(expected, found)
        for program in PROGRAMS:
            self.assertTrue(os.access(self.prefix / program, os.X_OK), program)

    def test_installed_programs_run_a_job_with_the_installed_spawner(self):
        binaries = self.prefix / "bin"
        broker = Program(self, [binaries / "rota-broker", "--data", self.directory / "data", "--clients", "tcp://127.0.0.1:*",
                                "--workers", "tcp://127.0.0.1:*", "--http", "off", *QUICK_LEASE], "rota-broker ready").wait_ready()
        worker = Program(self, [binaries / "rota-worker", "--broker", broker.ready["workers"], "--exec"], "rota-worker ready")
        worker.wait_ready()
        done = self.run_to_end([binaries / "rota", "--broker", broker.ready["clients"], "submit", "--wait", "--",
                                "sh", "-c", "readlink /proc/$PPID/exe"], 60)
        self.assertEqual(0, done.code, done)
        self.assertEqual(self.prefix / "libexec/rota/rota-spawner", Path(done.out.strip()))
        self.assertEqual(0, worker.stop())
        self.assertEqual(0, broker.stop())

    def test_a_worker_without_its_spawner_says_where_it_looked(self):
        (self.prefix / "libexec/rota/rota-spawner").unlink()
        outcome = self.run_to_end([self.prefix / "bin/rota-worker", "--exec"])
        self.assertEqual(70, outcome.code, outcome)
        self.assertIn("libexec/rota", outcome.err)

    def test_units_name_the_programs_where_they_will_be(self):
        stage = self.directory / "stage"
        self.install("--prefix", "/usr", DESTDIR=str(stage))
        for unit in UNITS:
            text = (stage / "usr/lib/systemd/system" / unit).read_text()
            self.assertRegex(text, r"(?m)^ExecStart=/usr/bin/rota-(broker|worker) --config /etc/rota/")
            # Comments may speak of rota-worker@NAME; nothing else may be left to fill in.
            self.assertNotRegex(text, r"@[A-Z]+@")

    def test_systemd_finds_no_fault_in_the_units(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        # The pages that Documentation= names are looked up too.
        manuals = "yes" if shutil.which("man") else "no"
        instance = self.prefix / "lib/systemd/system/rota-worker@two.service"
        instance.symlink_to("rota-worker@.service")
        for unit in (*UNITS[:2], instance.name):
            done = subprocess.run(["systemd-analyze", "verify", f"--man={manuals}", "--recursive-errors=no", str(self.unit(unit))],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                                  env={**self.environment, "MANPATH": str(self.prefix / "share/man")})
            self.assertEqual((0, ""), (done.returncode, done.stdout.decode()), unit)

    def test_systemd_rates_the_broker_as_well_confined(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze here")
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager",
                               str(self.unit("rota-broker.service"))], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60, env=self.environment)
        self.assertEqual(0, done.returncode, done.stdout.decode()[-2000:])

    def test_units_leave_a_drain_its_time(self):
        seconds = {"s": 1, "m": 60, "min": 60}

        def length(text):
            number, unit = re.fullmatch(r"(\d+)([a-z]+)", text).groups()
            return int(number) * seconds[unit]
        drain = length(re.search(r'^drain-timeout = "(\w+)"', (SOURCE / "packaging/config/worker.toml").read_text(), re.M)[1])
        for unit in UNITS[1:]:
            text = self.unit(unit).read_text()
            self.assertGreater(length(re.search(r"^TimeoutStopSec=(\w+)$", text, re.M)[1]), drain)
            self.assertIn("\nKillMode=mixed\n", text)

    def test_users_of_the_units_are_made(self):
        if not shutil.which("systemd-sysusers"):
            self.skipTest("no systemd-sysusers here")
        root = self.directory / "root"
        (root / "etc").mkdir(parents=True)
        done = subprocess.run(["systemd-sysusers", f"--root={root}", str(self.prefix / "lib/sysusers.d/rota.conf")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, env=self.environment)
        self.assertEqual(0, done.returncode, done.stdout.decode())
        made = {line.split(":")[0] for line in (root / "etc/passwd").read_text().splitlines()}
        for unit in UNITS:
            self.assertIn(re.search(r"^User=(.+)$", self.unit(unit).read_text(), re.M)[1], made)

    def test_sample_configurations_work_as_they_are(self):
        samples = self.prefix / "share/doc/rota/config"
        ports = [("5555", "*"), ("5556", "*"), ("5580", "0")]
        text = (samples / "broker.toml").read_text()
        for fixed, free in ports:
            text = text.replace(f"127.0.0.1:{fixed}", f"127.0.0.1:{free}")
        (self.directory / "broker.toml").write_text(text)
        broker = Program(self, [BIN / "rota-broker", "--config", "broker.toml"], "rota-broker ready",
                         env={"STATE_DIRECTORY": str(self.directory / "state")}).wait_ready()
        for name in ("worker", "rota"):
            (self.directory / f"{name}.toml").write_text(
                (samples / f"{name}.toml").read_text().replace("tcp://127.0.0.1:5556", broker.ready["workers"])
                .replace("tcp://127.0.0.1:5555", broker.ready["clients"]))
        Program(self, [BIN / "rota-worker", "--config", "worker.toml", "--name", "here"], "rota-worker ready").wait_ready()
        done = self.run_to_end([BIN / "rota", "--config", "rota.toml", "submit", "--wait", "--type", "greet"])
        self.assertEqual((0, "hello\n"), (done.code, done.out), done)

    def test_every_option_shown_in_a_sample_is_one(self):
        for program, name in (("rota-broker", "broker"), ("rota-worker", "worker"), ("rota", "rota")):
            text = (SOURCE / f"packaging/config/{name}.toml").read_text()
            # As it would be with everything in it switched on; what was set twice, once.
            lines = dict(re.findall(r"^#?([a-z-]+) = (.*)$", text, re.M))
            self.assertGreater(len(lines), 2)
            (self.directory / "all.toml").write_text("".join(f"{key} = {value}\n" for key, value in lines.items()))
            words = {"rota-broker": ["check", "--data", "none"], "rota-worker": ["--slots", "0"], "rota": ["id"]}[program]
            outcome = self.run_to_end([BIN / program, "--config", "all.toml", *words])
            self.assertNotIn("all.toml", outcome.err, outcome)
            if program == "rota-worker":  # stopped by --slots, which is looked at after the file was accepted
                self.assertIn("--slots", outcome.err)


if __name__ == "__main__":
    rota_harness.main()
