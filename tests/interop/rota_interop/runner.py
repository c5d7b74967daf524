"""Runs attempts: handlers in threads, commands in processes of their own. Knows nothing of sockets and leases."""

import os
import signal
import subprocess
import threading

from .messages import LIMITS, End, Report

KILL_AFTER_SECONDS = 2.0  # between SIGTERM and SIGKILL


class Rejected(Exception):
    """Raised by a handler: the job fails for good, whatever retries are left."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Stopped(Exception):
    """Raised by a handler that ended early because it was told to stop."""


class Run:
    """One attempt under way. What a handler sees of its job."""

    def __init__(self, job, shared, token):
        self.id, self.attempt, self.payload, self.selector = job.id, job.attempt, job.payload, job.selector
        self.queue, self.type, self.spec = shared.queue, shared.type, shared.spec
        self.token = token
        self.stopping = threading.Event()  # a handler that runs for long looks here, and raises Stopped
        self.why = None  # the End that whoever stopped it has in mind
        self.latest_progress = None
        self.process = None
        self.killer = None

    def progress(self, fraction, message=""):
        """Said with the next RENEW."""
        self.latest_progress = (fraction, cut_text(message, LIMITS["progress message"]))

    def stop(self, why):
        """Asks the attempt to end. The first reason stands."""
        if self.why is None:
            self.why = why
            self.stopping.set()
            if self.process is not None:
                self._terminate()

    def _terminate(self):
        if self.why != End.CANCELLED:  # its time is over, or the broker is out of reach: no time for manners
            _kill_group(self.process, signal.SIGKILL)
            return
        _kill_group(self.process, signal.SIGTERM)
        self.killer = threading.Timer(KILL_AFTER_SECONDS, _kill_group, (self.process, signal.SIGKILL))
        self.killer.daemon = True
        self.killer.start()


def run_handler(run, handler, max_result):
    """Calls a handler: its end and report."""
    try:
        result = handler(run) or b""
    except Rejected as rejected:
        return End.REJECTED, error_report(rejected.code, str(rejected))
    except Stopped:
        return _end_of_stopped(run), error_report(*_why_text(run))
    except Exception as failure:  # whatever a handler raises is the job's failure, not the worker's
        return End.FAILED, error_report(type(failure).__name__, str(failure))
    return End.SUCCEEDED, Report(result=result[:max_result])


def run_command(run, variables, max_result):
    """Runs a job's command in a process group of its own: its end and report."""
    command = run.spec.command
    argv = list(command.argv)
    if run.selector is not None:
        argv = fill_in(argv, run.selector)
    environment = {**os.environb, **command.env, **variables}
    try:
        process = subprocess.Popen(argv, env=environment, cwd=command.cwd or None, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    except OSError as failure:
        return End.FAILED, error_report("EXEC_FAILED", f"{argv[0].decode(errors='replace')}: {failure.strerror}")
    run.process = process
    if run.stopping.is_set():  # told to stop while it was started
        run._terminate()
    out, err = process.communicate(run.payload)
    if run.killer is not None:
        run.killer.cancel()
    _kill_group(process, signal.SIGKILL)  # what the command left behind
    return _judge_command(run, process.returncode, out[:max_result], err[-LIMITS["stderr tail"]:])


def _judge_command(run, status, out, err):
    number = -status if status < 0 else None
    code = 128 + number if number else status
    if code == 0 and run.why != End.TIMED_OUT:
        return End.SUCCEEDED, Report(out, 0, err)
    end, error, text = End.FAILED, "EXIT", f"killed by signal {number}" if number else f"exit code {code}"
    if run.why is not None:
        end = _end_of_stopped(run)
        error, text = _why_text(run)
    return end, Report(out, code, err, error, text, number)


def fill_in(argv, selector):
    """Every {} becomes the line or the index; where there is none, a line is one more argument."""
    is_line = isinstance(selector, bytes)
    if is_line and not any(b"{}" in argument for argument in argv):
        return [*argv, selector]
    return [argument.replace(b"{}", selector if is_line else str(selector).encode()) for argument in argv]


def error_report(code, message):
    return Report(error_code=cut_text(code, LIMITS["error code"]), error_message=cut_text(message, LIMITS["error message"]))


def cut_text(text, limit):
    """The text in at most that many bytes of UTF-8."""
    return text.encode()[:limit].decode(errors="ignore")


def _end_of_stopped(run):
    return End.FAILED if run.why is None else run.why


def _why_text(run):
    return {End.TIMED_OUT: ("TIMED_OUT", "ran past its time limit"), End.CANCELLED: ("CANCELLED", "cancelled while it ran"),
            End.LOST: ("DISCONNECTED", "the broker was out of reach")}.get(run.why, ("STOPPED", "the attempt stopped by itself"))


def _kill_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
