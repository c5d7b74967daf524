"""Man pages: correct, complete, and telling nothing that is not so."""

import re
import shutil
import subprocess

import rota_harness
from program_help import EVERYWHERE, PROGRAMS, commands_of, every_scope, own_options
from rota_harness import SOURCE, RotaTest

FOLDER = SOURCE / "packaging/man"
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"]


def plain(text):
    """roff without the marks that stand inside words."""
    return re.sub(r"\\f.|\\\||\\&", "", text.replace("\\-", "-").replace("\\(dq", '"'))


def page(program):
    return plain((FOLDER / f"{program}.1").read_text())


def section(text, title):
    found = re.search(rf"^\.SH {title}\n(.*?)(?=^\.SH |\Z)", text, re.M | re.S)
    return found[1] if found else ""


def options_in(text):
    """The long options that have a paragraph of their own."""
    heads = re.findall(r"^\.T[PQ]\n(\..*)$", text, re.M)
    return {option for head in heads for option in re.findall(r"--[a-z][a-z-]*", head)[:1]}


def command_parts(text):
    """Of each command its part of COMMANDS, without the heading line."""
    return dict(re.findall(r"^\.SS ([a-z]+)[^\n]*\n(.*?)(?=^\.SS |\Z)", section(text, "COMMANDS"), re.M | re.S))


class ManPages(RotaTest):
    def test_groff_has_no_complaint(self):
        if not shutil.which("man"):
            self.skipTest("no man here")
        for program in PROGRAMS:
            # A narrow page would warn of lines that cannot be filled.
            done = subprocess.run(["man", "--warnings", "--encoding=UTF-8", "--local-file", "--troff-device=utf8", "--ditroff",
                                   str(FOLDER / f"{program}.1")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                  env={**self.environment, "MANWIDTH": "100"})
            self.assertEqual((0, b""), (done.returncode, done.stderr), program)
            self.assertGreater(len(done.stdout), 10000)

    def test_every_page_has_its_sections_in_order(self):
        for program in PROGRAMS:
            titles = re.findall(r"^\.SH (.+)$", page(program), re.M)
            expected = list(SECTIONS)
            if commands_of(program):
                expected.insert(expected.index("EXIT STATUS"), "COMMANDS")
            self.assertEqual(expected, titles, program)

    def test_options_are_those_of_help(self):
        for program, command in every_scope():
            text = page(program)
            described = command_parts(text).get(command, "") if command else section(text, "OPTIONS")
            self.assertEqual(own_options(program, command), options_in(described) - EVERYWHERE, (program, command))

    def test_commands_are_those_of_help(self):
        for program in PROGRAMS:
            self.assertEqual(set(commands_of(program)), set(command_parts(page(program))), program)

    def test_exit_codes_are_those_of_the_programs(self):
        source = (SOURCE / "common/program/exit_code.h").read_text()
        known = set(re.findall(r"kExit\w+ = (\d+)", source))
        self.assertEqual(known, set(re.findall(r"^\.TP\n\.B (\d+)$", section(page("rota"), "EXIT STATUS"), re.M)))
        for program in PROGRAMS:
            self.assertLessEqual(set(re.findall(r"^\.TP\n\.B (\d+)$", section(page(program), "EXIT STATUS"), re.M)), known)

    def test_version_is_that_of_the_programs(self):
        version = re.search(r"^project\(rota VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text(), re.M)[1]
        for program in PROGRAMS:
            self.assertRegex(page(program), rf'(?m)^\.TH {program.upper()} 1 "\d{{4}}-\d\d-\d\d" "Rota {re.escape(version)}" ')


if __name__ == "__main__":
    rota_harness.main()
