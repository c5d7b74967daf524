"""Completions of bash, zsh and fish: read without complaint, offer every option and value, and nothing that is not one."""

import os
import re
import shlex
import shutil
import subprocess
import time

import rota_harness
from program_help import PROGRAMS, commands_of, every_scope, options_of, own_options
from rota_harness import BIN, SOURCE, RotaTest

FOLDER = SOURCE / "packaging/completions"
VALUES = {
    ("rota", "--output"): {"text", "json", "quiet"},
    ("rota", "--log-level"): {"trace", "debug", "info", "warn", "error", "off"},
    ("rota", "--log-format"): {"text", "json"},
    ("rota", "submit --durability"): {"fsync", "memory"},
    ("rota", "bench --durability"): {"fsync", "memory"},
    ("rota", "list --state"): {"scheduled", "ready", "running", "succeeded", "failed", "cancelled", "expired"},
    ("rota", "retry --state"): {"succeeded", "failed", "cancelled", "expired"},
    ("rota", "purge --state"): {"scheduled", "ready", "succeeded", "failed", "cancelled", "expired"},
    ("rota", "bench"): {"submit", "lifecycle", "latency", "worker"},
    ("rota-broker", "--store"): {"lmdb", "memory"},
    ("rota-broker", "--http"): {"off"},
    ("rota-broker", ""): {"check", "backup"},
    ("rota-broker", "--log-level"): {"trace", "debug", "info", "warn", "error", "off"},
    ("rota-worker", "--log-format"): {"text", "json"},
}


class Shell:
    """The cases of every shell. What it offers is asked of the shell itself, with the programs in PATH."""

    def setUp(self):
        super().setUp()
        if not shutil.which(self.shell):
            self.skipTest(f"no {self.shell} here")
        self.environment["PATH"] = f"{BIN}:{self.environment['PATH']}"

    def script(self, text, **environment):
        done = subprocess.run([self.shell, *self.plain, "-c", text], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, env={**self.environment, **environment}, cwd=self.directory)
        self.assertEqual((0, ""), (done.returncode, done.stderr.decode()), text)
        return done.stdout.decode()

    def files(self):
        return [FOLDER / f"{program}.{self.shell}" for program in PROGRAMS]

    def test_the_shell_finds_no_fault_in_the_files(self):
        for file in self.files():
            done = subprocess.run([self.shell, "-n", str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
            self.assertEqual((0, ""), (done.returncode, done.stdout.decode()), file)

    def test_every_option_of_help_is_offered_and_nothing_else(self):
        for program, command in every_scope():
            offered = {word for word in self.offered(program, f"{command or ''} --") if word.startswith("--")}
            common = options_of(program) - {"--version"}
            if program == "rota-broker" and command:
                # Its commands take of the program's own options only those that do not speak of serving.
                common = {"--help", "--config", "--log-level", "--log-format", "--data"}
            self.assertEqual(own_options(program, command) | common, offered, (program, command))

    def test_commands_are_offered(self):
        self.assertEqual(set(commands_of("rota")), set(self.offered("rota", "")))
        self.assertEqual({"pause", "ping", "purge"}, set(self.offered("rota", "p")))

    def test_values_are_offered(self):
        for (program, line), values in VALUES.items():
            self.assertEqual(values, set(self.offered(program, f"{line} ".lstrip())), (program, line))

    def test_several_states_are_offered_one_after_the_other(self):
        # zsh names the last one only, the others offer the whole word.
        self.assertEqual(["failed"], [word.split(",")[-1] for word in self.offered("rota", "list --state ready,f")])

    def test_queues_and_workers_of_the_broker_are_offered(self):
        broker = self.broker()
        self.submit(broker, "--queue", "images", "--", "true")
        self.worker(broker, name="night-shift")
        self.worker(broker, name="$(touch${IFS}pwned)")
        self.environment["ROTA_BROKER"] = broker.clients
        for line in ("submit --queue i", "pause i", "purge --queue i", f"--broker {broker.clients} list --queue i"):
            self.assertEqual(["images"], self.offered("rota", line), line)
        self.assertEqual(["night-shift"], self.offered("rota", "drain "))
        self.assertFalse((self.directory / "pwned").exists())

    def test_a_broker_that_is_away_costs_little_and_says_nothing(self):
        self.environment["ROTA_BROKER"] = "tcp://127.0.0.1:1"
        began = time.monotonic()
        self.assertEqual([], self.offered("rota", "drain "))
        self.assertLess(time.monotonic() - began, 5 * float(os.environ.get("ROTA_TEST_PATIENCE", "1")))


class Bash(Shell, RotaTest):
    shell = "bash"
    plain = ["--norc", "--noprofile"]

    def offered(self, program, line):
        # As readline does it: words split at blanks and at COMP_WORDBREAKS, the last one under the cursor.
        words = [program]
        for word in line.split(" "):
            words += [part for part in re.split(r"([=:])", word) if part] or [""]
        function = "_" + program.replace("-", "_")
        text = (f"source {FOLDER}/{program}.bash; COMP_WORDS=({' '.join(map(shlex.quote, words))}); "
                f"COMP_CWORD={len(words) - 1}; COMP_LINE={shlex.quote(program + ' ' + line)}; compopt() {{ :; }}; {function}; "
                "((${#COMPREPLY[@]})) && printf '%s\\n' \"${COMPREPLY[@]}\" || true")
        return self.script(text).split()

    def test_a_value_behind_an_equals_sign_is_completed(self):
        self.assertEqual(["json"], self.offered("rota", "--output=j"))
        self.assertEqual(["fsync", "memory"], self.offered("rota", "submit --durability="))

    def test_a_jobs_command_is_completed_as_a_command(self):
        (self.directory / "some-input").touch()
        self.assertIn("true", self.offered("rota", "submit --wait -- tru"))
        self.assertEqual(["some-input"], self.offered("rota", "submit -- cat some"))

    def test_files_and_directories_are_completed(self):
        (self.directory / "jobs.txt").touch()
        (self.directory / "jobs.d").mkdir()
        self.assertEqual({"jobs.txt", "jobs.d"}, set(self.offered("rota", "submit --each-line jo")))
        self.assertEqual(["jobs.d"], self.offered("rota-broker", "backup jo"))


class Fish(Shell, RotaTest):
    shell = "fish"
    plain = ["--no-config"]

    def offered(self, program, line):
        text = f"source {FOLDER}/{program}.fish; complete -C {shlex.quote(program + ' ' + line)}"
        return [row.split("\t")[0] for row in self.script(text).splitlines()]


class Zsh(Shell, RotaTest):
    shell = "zsh"
    plain = ["-f"]

    def files(self):
        return [FOLDER / "rota.zsh"]

    def offered(self, program, line):
        """Everything that zsh's completion system would add, from a line typed into a terminal of its own."""
        text = f"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell {shlex.quote(self.capture())}
zpty -r -m shell line '*ready-to-go*' || exit 1
zpty -w -n shell {shlex.quote(program + ' ' + line)}$'\\t'
zpty -r -m shell line '*end-of-matches*' || exit 1
print -r -- "$line"
zpty -d shell
"""
        terminal = self.script(text, TERM="dumb")
        return sorted(set(re.findall(r"<match>(.*?)</match>", terminal)))

    def capture(self):
        functions = self.directory / "functions"
        functions.mkdir(exist_ok=True)
        shutil.copy(FOLDER / "rota.zsh", functions / "_rota")
        setup = self.directory / "setup.zsh"
        # compadd tells what it was asked to add instead of adding it; -O and -A only compute, -D prunes descriptions.
        setup.write_text(f"""
PS1= PS2= ; setopt no_prompt_cr no_beep
fpath=({functions} $fpath)
autoload -U compinit; compinit -u -D
zstyle ':completion:*' verbose no
bindkey '^I' complete-word
tell() {{ print; print end-of-matches; exit }}
comppostfuncs=(tell)
compadd() {{
  if [[ ${{@[1,(i)(-|--)]}} == *-(O|A|D)* ]]; then builtin compadd "$@"; return; fi
  local -a found; builtin compadd -O found "$@"
  for word in $found; do print -rn -- "<match>$word</match>"; done
}}
print ready-to-go
""")
        return f"source {setup}"


if __name__ == "__main__":
    rota_harness.main()
