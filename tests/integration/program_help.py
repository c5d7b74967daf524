"""What a program's --help says: its options and commands."""

import re
import subprocess

from rota_harness import BIN

PROGRAMS = ("rota", "rota-broker", "rota-worker")
# Every command takes it; documented once.
EVERYWHERE = {"--help"}


def help_of(program, *command):
    done = subprocess.run([BIN / program, *command, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def options_of(program, *command):
    """The long options, "--help" included."""
    return set(re.findall(r"^  (?:-\w,)?(--[a-z][a-z-]*)", help_of(program, *command), re.M))


def commands_of(program):
    _, _, listed = help_of(program).partition("Subcommands:\n")
    return re.findall(r"^  ([a-z]+) ", listed, re.M)


def every_scope():
    """(program, command or None) of everything that has a --help."""
    for program in PROGRAMS:
        yield program, None
        for command in commands_of(program):
            yield program, command


def own_options(program, command):
    """Those of a command (None: the program itself) without what every command takes."""
    return options_of(program, *([command] if command else [])) - EVERYWHERE
