"""docs/operations.md: its commands work as pasted, its links lead somewhere, its facts are those of the units and programs."""

import os
import re
import subprocess
from pathlib import Path

import rota_harness
from rota_harness import BIN, SOURCE, RotaTest

PAGE = SOURCE / "docs/operations.md"
BLOCK = re.compile(r"<!-- run: (?P<how>[a-z]+)(?P<why>[^>]*?) -->\n```sh\n(?P<script>.*?)```", re.S)

# A root directory of its own over the real one (what is written goes into memory), own network, own processes.
SET_UP = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$BASE"
mkdir "$BASE/changes" "$BASE/work" "$ROOT"
mount -t overlay overlay -o "lowerdir=/,upperdir=$BASE/changes,workdir=$BASE/work" "$ROOT"
for kept in "$SOURCE" "$BUILD" "$HERE"; do mkdir -p "$ROOT$kept"; mount --bind "$kept" "$ROOT$kept"; done
for fresh in run var/lib var/backups; do mkdir -p "$ROOT/$fresh"; mount -t tmpfs tmpfs "$ROOT/$fresh"; done
mount --rbind /dev "$ROOT/dev"
mount -t proc proc "$ROOT/proc"
rm -rf "$ROOT/etc/rota"
echo "127.0.0.1 localhost queue work1 work2" > "$ROOT/etc/hosts"
ip link set lo up
echo up
exec sleep 900
"""


class Operations(RotaTest):
    seconds = 280

    def own_root(self):
        """What to put before a command so that it runs in a root directory, network and process tree of its own."""
        base = self.directory / "base"
        base.mkdir()
        root = base / "root"
        here = self.directory / "here"
        here.mkdir()
        environment = {**self.environment, "BASE": str(base), "ROOT": str(root), "SOURCE": str(SOURCE),
                       "BUILD": str(BIN.parent), "HERE": str(here)}
        holder = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", SET_UP],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)

        def end():
            holder.kill()
            holder.wait()
            holder.stdout.close()
            holder.stderr.close()
        self.addCleanup(end)
        if holder.stdout.readline() != b"up\n":
            holder.wait(20)
            self.skipTest(f"no root directory of one's own here: {holder.stderr.read().decode().strip()}")
        child = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0]
        return here, ["nsenter", f"--target={child}", "--mount", "--net", "--pid", "chroot", str(root)]

    def test_commands_work_when_pasted(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, for a root directory of its own")
        here, prefix = self.own_root()
        # A clone as the reader has it, with the programs built, and the three tools that want a real system.
        (here / "build").mkdir()
        (here / "build/release").symlink_to(BIN.parent)
        (here / "tools").mkdir()
        for tool in ("sudo", "systemctl", "journalctl"):
            (here / "tools" / tool).symlink_to(SOURCE / "tests/integration/stand_in.py")
        environment = {**self.environment, "PATH": f"{here}/tools:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                       "ROTA_CONFIG": "/etc/rota/rota.toml", "HOME": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = 0
        for block in BLOCK.finditer(PAGE.read_text()):
            if block["how"] == "never":
                self.assertGreater(len(block["why"]), 10, block["script"])
                continue
            self.assertEqual("shell", block["how"])
            done = subprocess.run([*prefix, "sh", "-c", f'cd "{here}" && exec bash -euo pipefail -c "$0"', block["script"]],
                                  env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=120)
            self.assertEqual(0, done.returncode, f"{block['script']}\n{done.stdout.decode(errors='replace')}")
            ran += 1
        self.assertGreaterEqual(ran, 15)

    def test_every_shell_block_says_how_it_is_run(self):
        text = PAGE.read_text()
        self.assertEqual(text.count("```sh\n"), len(BLOCK.findall(text)))

    def test_links_lead_somewhere(self):
        text = PAGE.read_text()
        anchors = set(re.findall(r'<a id="([^"]+)"', text))
        anchors |= {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)}
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if target.startswith("#"):
                self.assertIn(target[1:], anchors)
            else:
                self.assertTrue((PAGE.parent / target).exists(), target)

    def test_every_alert_has_its_section_and_every_section_its_alert(self):
        rules = (SOURCE / "packaging/prometheus/rota-alerts.yml").read_text()
        alerts = re.findall(r"- alert: (\w+)", rules)
        sections = re.findall(r'^### (\w+) <a id="(alert-[a-z-]+)"></a>$', PAGE.read_text(), re.M)
        self.assertEqual(sorted(alerts), sorted(name for name, _ in sections))
        links = re.findall(r"runbook_url: \S*docs/operations.md#(\S+)", rules)
        self.assertEqual(sorted(links), sorted(anchor for _, anchor in sections))

    def test_libraries_named_are_those_that_the_programs_need(self):
        if not Path("/usr/bin/dpkg-query").exists():
            self.skipTest("no dpkg here")
        named = set(re.search(r"apt-get install --no-install-recommends ((?:[^`]|\\\n)*?)```", PAGE.read_text())[1]
                    .replace("\\\n", " ").split())
        paths = set()
        for program in ("rota", "rota-broker", "rota-worker", "rota-spawner"):
            headers = subprocess.run(["objdump", "-p", BIN / program], stdout=subprocess.PIPE, check=True).stdout.decode()
            wanted = set(re.findall(r"NEEDED\s+(\S+)", headers))
            loaded = subprocess.run(["ldd", BIN / program], stdout=subprocess.PIPE, check=True).stdout.decode()
            for library, path in re.findall(r"^\s*(\S+) => (/\S+)", loaded, re.M):
                if library in wanted:
                    # dpkg knows a file below /lib or below /usr/lib, whichever its package says.
                    real = os.path.realpath(path)
                    paths |= {real, real.removeprefix("/usr")}
        owners = subprocess.run(["dpkg-query", "-S", *paths], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        needed = set(re.findall(r"^([^:]+):", owners, re.M))
        everywhere = {"libc6", "libgcc-s1"}
        instruments = {name for name in needed if name.startswith(("libasan", "libubsan", "libtsan"))}
        self.assertEqual(needed - everywhere - instruments, named)

    def test_numbers_of_the_units_are_told_right(self):
        page = re.sub(r"\s+", " ", PAGE.read_text())
        units = SOURCE / "packaging/systemd"

        def setting(unit, name):
            return re.search(rf"^{name}=(.*)$", (units / f"{unit}.service.in").read_text(), re.M)[1]
        self.assertIn("every 10 s, ten times in 15 minutes", page)
        self.assertEqual(("10s", "10", "15min"), (setting("rota-broker", "RestartSec"), setting("rota-broker", "StartLimitBurst"),
                                                  setting("rota-broker", "StartLimitIntervalSec")))
        self.assertIn("failure every 5 s, for ever", page)
        self.assertEqual(("5s", "0"), (setting("rota-worker", "RestartSec"), setting("rota-worker", "StartLimitIntervalSec")))


if __name__ == "__main__":
    rota_harness.main()
