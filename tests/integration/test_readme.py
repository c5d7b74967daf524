"""Every command of the README works as pasted.

Each shell block stands below a comment that says how it is run: `run: shell` to its end, `run: service WORDS` until it
prints these words, then on in the background; `run: never, REASON` not here.
"""

import os
import re
import socket
import subprocess

import rota_harness
from rota_harness import BIN, SOURCE, Program, RotaTest

BLOCK = re.compile(r"<!-- run: (?P<how>[a-z]+)(?P<words>[^>]*?) -->\n```sh\n(?P<script>.*?)```", re.S)
EXCERPT = re.compile(r"<!-- from: (?P<file>\S+) -->\n```cpp\n(?P<code>.*?)```", re.S)
DEFAULT_PORTS = (5555, 5556, 5580)


def ports_free():
    for port in DEFAULT_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


class Readme(RotaTest):
    seconds = 180

    def test_every_shell_block_says_how_it_is_run(self):
        text = (SOURCE / "README.md").read_text()
        self.assertEqual(text.count("```sh\n"), len(BLOCK.findall(text)))

    def test_code_is_taken_from_the_examples_which_are_compiled(self):
        text = (SOURCE / "README.md").read_text()
        self.assertEqual(text.count("```cpp\n"), len(EXCERPT.findall(text)))
        for excerpt in EXCERPT.finditer(text):
            source = (SOURCE / excerpt["file"]).read_text()
            for line in excerpt["code"].splitlines():
                code = line.split("  // ")[0].strip()
                if code and not code.startswith("// …"):
                    self.assertIn(code, source, excerpt["file"])

    def test_commands_work_when_pasted(self):
        # The README uses the default ports: in a network of its own nobody else has them.
        own_network = ["unshare", "--net", "sh", "-c", "ip link set lo up"]
        namespace = os.geteuid() == 0 and subprocess.run(own_network, capture_output=True).returncode == 0
        if not namespace and not ports_free():
            self.skipTest("the default ports are taken, and there is no network namespace to have them in")
        prefix = []
        if namespace:
            holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep 600"],
                                      stdout=subprocess.PIPE)
            self.addCleanup(lambda: (holder.kill(), holder.wait(), holder.stdout.close()))
            holder.stdout.readline()
            prefix = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        # A clone as the reader has it, with the programs built.
        (self.directory / "build/release").mkdir(parents=True)
        (self.directory / "build/release/bin").symlink_to(BIN)
        for name in ("examples", "scripts", "README.md"):
            (self.directory / name).symlink_to(SOURCE / name)
        self.environment["PATH"] = f"{self.directory}/build/release/bin:{self.environment['PATH']}"
        ran = 0
        for block in BLOCK.finditer((SOURCE / "README.md").read_text()):
            how, words, script = block["how"], block["words"].strip(), block["script"]
            if how == "service":
                Program(self, ["stdbuf", "-oL", "bash", "-c", f"exec {script.strip()}"], words, prefix=prefix, name="service").wait_ready()
            elif how == "shell":
                done = subprocess.run([*prefix, "bash", "-euo", "pipefail", "-c", script], cwd=self.directory,
                                      env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=60)
                self.assertEqual(0, done.returncode, f"{script}\n{done.stdout.decode(errors='replace')}")
                ran += 1
            else:
                self.assertEqual("never", how)
        self.assertGreaterEqual(ran, 5)


if __name__ == "__main__":
    rota_harness.main()
