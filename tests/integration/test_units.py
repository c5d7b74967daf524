"""The units under a real systemd: confinement that the programs can live with, drains, restarts.

Boots systemd as the first process of namespaces of its own, on a root directory that lies over the real one and keeps what is
written in memory; the real root is unmounted there before systemd starts. Only where ROTA_TEST_SYSTEMD=1 asks for it, as root.
"""

import os
import re
import subprocess
from pathlib import Path

import rota_harness
from rota_harness import BIN, RotaTest, eventually

# Whatever would look at hardware, at the kernel's settings, or tidy up directories.
MASKED = """systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer systemd-sysctl.service
systemd-udevd.service systemd-modules-load.service systemd-remount-fs.service systemd-logind.service
systemd-update-utmp.service systemd-random-seed.service systemd-binfmt.service systemd-timesyncd.service
systemd-networkd.service systemd-resolved.service systemd-network-generator.service proc-sys-fs-binfmt_misc.automount
dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount
sys-fs-fuse-connections.mount getty.target""".split()

BOOT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$BASE"
mkdir "$BASE/changes" "$BASE/work" "$ROOT"
mount -t overlay overlay -o "lowerdir=/,upperdir=$BASE/changes,workdir=$BASE/work" "$ROOT"
for fresh in tmp run var/lib; do mount -t tmpfs tmpfs "$ROOT/$fresh"; done
mkdir -p "$ROOT/tmp/old" "$ROOT/var/lib/systemd"
mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
mkdir "$ROOT/dev/pts" "$ROOT/dev/shm"
mount -t tmpfs tmpfs "$ROOT/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
while read name major minor; do mknod -m 666 "$ROOT/dev/$name" c "$major" "$minor"; done <<NODES
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
NODES
mount -t proc proc "$ROOT/proc"
mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
mount -o remount,bind,ro "$ROOT/proc/sys"
mount -t sysfs -o ro sysfs "$ROOT/sys"
mount -t cgroup2 cgroup2 "$ROOT/sys/fs/cgroup"
ip link set lo up
cp -a "$PREFIX/usr/." "$ROOT/usr/"
rm -rf "$ROOT/etc/rota"
cp -r "$PREFIX/etc" "$ROOT/etc/rota"
for unit in $MASKED; do ln -sf /dev/null "$ROOT/etc/systemd/system/$unit"; done
cd "$ROOT"
pivot_root . tmp/old
umount -l /tmp/old
systemd-sysusers /usr/local/lib/sysusers.d/rota.conf
export container=rota-test
exec setpriv --bounding-set -sys_boot,-sys_module,-sys_rawio,-sys_time,-syslog \
  /lib/systemd/systemd --system --unit=sysinit.target --log-target=journal
"""


class Units(RotaTest):
    seconds = 180

    def setUp(self):
        super().setUp()
        if os.environ.get("ROTA_TEST_SYSTEMD") != "1" or os.geteuid() != 0:
            self.skipTest("boots a systemd of its own: only as root, with ROTA_TEST_SYSTEMD=1")
        prefix = self.directory / "prefix"
        done = subprocess.run(["cmake", "--install", str(BIN.parent), "--prefix", "/usr/local"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**self.environment, "DESTDIR": str(prefix)})
        self.assertEqual(0, done.returncode, done.stdout.decode())
        (prefix / "etc").mkdir()
        samples = prefix / "usr/local/share/doc/rota/config"
        (prefix / "etc/broker.toml").write_text((samples / "broker.toml").read_text())
        for name in ("worker", "worker-two"):
            (prefix / f"etc/{name}.toml").write_text('exec = true\nslots = 2\ndrain-timeout = "10m"\n')
        base = self.directory / "base"
        base.mkdir()
        environment = {**self.environment, "BASE": str(base), "ROOT": str(base / "root"), "PREFIX": str(prefix),
                       "MASKED": " ".join(MASKED), "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.log = open(self.directory / "boot.log", "wb")
        self.holder = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--cgroup", "--uts", "--ipc", "--fork",
                                        "--kill-child", "bash", "-c", BOOT], stdout=self.log, stderr=self.log, env=environment)
        self.addCleanup(self.end)
        eventually(self.booted, 30, lambda: (self.directory / "boot.log").read_text())

    def end(self):
        self.holder.kill()
        self.holder.wait()
        self.log.close()

    def booted(self):
        self.assertIsNone(self.holder.poll(), (self.directory / "boot.log").read_text())
        children = Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        if not children or "systemd" not in Path(f"/proc/{children[0]}/comm").read_text():
            return False
        self.first = children[0]
        return self.inside("systemctl", "is-system-running", code=None).out.strip() in ("running", "degraded")

    def inside(self, *command, code=0, seconds=60):
        outcome = self.run_to_end(["nsenter", f"--target={self.first}", "--all", "env", "-i",
                                   "PATH=/usr/local/bin:/usr/bin:/bin", *command], seconds)
        if code is not None:
            self.assertEqual(code, outcome.code, f"{command}: {outcome}\n{self.journal() if command[0] != 'journalctl' else ''}")
        return outcome

    def journal(self):
        return self.inside("journalctl", "--no-pager", "-n", "60", "-u", "rota-*", code=None).out

    def fact(self, unit, name):
        return self.inside("systemctl", "show", "--value", "-p", name, unit).out.strip()

    def in_state(self, unit, state, seconds=40):
        eventually(lambda: self.fact(unit, "ActiveState") == state, seconds, lambda: f"{unit} {state}: {self.journal()}", every=0.1)

    def test_units_live_with_their_confinement_and_drain_and_restart(self):
        self.inside("systemctl", "start", "rota-broker", "rota-worker", "rota-worker@two")
        # Threads, sync, descriptors, sockets: what a system call filter may break.
        self.inside("rota", "bench", "lifecycle", "--jobs", "20000", "--workers", "1", "--queue", "bench")
        self.assertIn("ok", self.inside("curl", "-fsS", "http://127.0.0.1:5580/healthz").out)
        self.assertIn("rota_", self.inside("curl", "-fsS", "http://127.0.0.1:5580/metrics").out)
        told = self.inside("rota", "submit", "--wait", "--", "sh", "-c", "id -un; pwd; echo $HOME; cat /var/lib/rota/data.mdb",
                           code=1)
        self.assertRegex(told.out, r"^rota-worker\n(/var/lib/rota-worker(?:-two)?)\n\1\n$")
        # One worker left: stopping it lets its job finish, and ends what the job left behind.
        self.inside("systemctl", "stop", "rota-worker@two")
        job = self.inside("rota", "submit", "--", "sh", "-c", "setsid sleep 4321 & sleep 1; echo finished").out.strip()
        eventually(lambda: "running" in self.inside("rota", "status", job).out, 20, "the job runs")
        self.inside("systemctl", "stop", "rota-worker")
        self.assertEqual("success", self.fact("rota-worker", "Result"))
        self.assertEqual("finished\n", self.inside("rota", "result", job).out)
        self.inside("pgrep", "-f", "sleep 4321", code=1)
        # A killed worker and a killed broker come back; a drained worker does not.
        self.inside("systemctl", "start", "rota-worker")
        for unit in ("rota-worker", "rota-broker"):
            self.inside("systemctl", "kill", "--kill-who=main", "--signal=KILL", unit)
            eventually(lambda unit=unit: self.fact(unit, "NRestarts") != "0", 40, lambda: f"{unit} restarts: {self.journal()}", 0.1)
            self.in_state(unit, "active")
        host = self.inside("hostname").out.strip()
        # Its old name may be held until the lease ends.
        eventually(lambda: re.search(rf"^{re.escape(host)} .* yes ", self.inside("rota", "workers", code=None).out, re.M), 60,
                   lambda: self.journal(), every=0.2)
        self.inside("rota", "drain", host)
        self.in_state("rota-worker", "inactive")

    def test_a_wrong_option_is_not_tried_again(self):
        self.inside("sh", "-c", "echo 'lese = \"3s\"' >> /etc/rota/broker.toml")
        self.inside("systemctl", "start", "rota-broker", code=1)
        self.assertEqual("failed", self.fact("rota-broker", "ActiveState"))
        self.assertEqual("64", self.fact("rota-broker", "ExecMainStatus"))
        self.assertIn("lese", self.journal())


if __name__ == "__main__":
    rota_harness.main()
