"""Programs that were built with a sanitizer: where their reports go, and what cannot be measured of them.

Every process that a test starts writes its reports into the test's own directory, children included. So a report fails the
test whatever the process did afterwards. Builds without a sanitizer do not look at these variables.
"""

from pathlib import Path

RUNTIMES = {"address": b"libasan.so", "thread": b"libtsan.so"}
OPTIONS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
PREFIX = "sanitizer-report"


def sanitizer_of(program):
    """"address" or "thread", whichever runtime the program is linked with; None for an ordinary build."""
    content = Path(program).read_bytes()
    for name, runtime in RUNTIMES.items():
        if runtime in content:
            return name
    return None


def send_reports_to(directory, environment):
    """Sets the variables in `environment` so that reports land in `directory`; what the caller set there stays."""
    for variable in OPTIONS:
        given = environment.get(variable, "")
        environment[variable] = f"{given}{' ' if given else ''}log_path={directory / PREFIX}"


def reports(directory):
    """The text of all reports in `directory`, "" if there is none."""
    return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')}" for path in sorted(directory.glob(PREFIX + ".*")))
