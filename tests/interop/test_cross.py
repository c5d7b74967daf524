"""The Python client and worker with the C++ programs, and with each other."""

import os
import signal
import subprocess

from interop_test import HERE, PYTHON, InteropTest, Task, eventually, m, main, shell, typed
from rota_harness import BIN, Program


def facts(notice):
    """What an attempt left behind, without who ran it."""
    report = notice.report
    return (notice.state.name, report.result, report.exit_code, report.stderr_tail, report.error_code, report.signal)


class PythonClientWithTheWorker(InteropTest):
    def test_commands_and_their_reports(self):
        broker = self.broker()
        self.worker(broker, name="cpp")
        with self.client(broker) as client:
            spec = m.Spec(m.Command((b"sh", b"-c", b'cat; echo "$0 $WHO $PWD $ROTA_JOB_INDEX"; echo oh >&2; exit 3'), {b"WHO": b"me"}, b"/usr"))
            [answer] = client.submit([Task(m.Shared("default", "exec", spec=spec), b"input ", selector=7)], notify=True)
            [notice] = client.wait([answer.id])
            self.assertEqual(("FAILED", b"input sh me /usr 7\n", 3, b"oh\n", "EXIT", None), facts(notice))
            self.assertEqual("cpp", notice.report.worker)

    def test_a_typed_job_of_the_example_worker(self):
        broker = self.broker()
        Program(self, [BIN / "prime-worker", broker.workers], "serving primes").wait_ready()
        with self.client(broker) as client:
            good, bad = client.submit([Task(typed("primes"), b"1000"), Task(typed("primes", retries=9), b"many")], notify=True)
            good, bad = client.wait([good.id, bad.id])
            self.assertEqual((m.State.SUCCEEDED, b"168"), (good.state, good.report.result))
            self.assertEqual((m.State.FAILED, 1, "BAD_PAYLOAD"), (bad.state, bad.attempts, bad.report.error_code))

    def test_cancel_time_limit_and_drain(self):
        broker = self.broker()
        worker = self.worker(broker, name="cpp")
        with self.client(broker) as client:
            long, late = client.submit([Task(shell("exec sleep 60")), Task(shell("exec sleep 60", time_limit=100))], notify=True)
            self.assertEqual(("FAILED", "TIMED_OUT"), facts(client.wait([late.id])[0])[0:5:4])
            eventually(lambda: client.get([long.id])[0].state == m.State.RUNNING, 10, "the job runs")
            client.cancel([long.id])
            self.assertEqual(m.State.CANCELLED, client.wait([long.id])[0].state)
            client.admin("drain", worker="cpp")
            self.assertEqual(0, worker.wait())


class RotaWithThePythonWorker(InteropTest):
    def test_submit_and_wait(self):
        broker = self.broker()
        self.worker_program(broker, slots=2)
        outcome = self.rota(broker, "submit", "--wait", "--stdin", "-", "--", "sh", "-c", "cat; echo oh >&2; exit 7", stdin="in", code=7)
        self.assertEqual("in", outcome.out)
        self.assertIn("oh", outcome.err)
        self.assertEqual("hello you", self.rota(broker, "submit", "--wait", "--type", "greet", "--payload", "you").out.strip())
        missing = self.rota(broker, "submit", "--wait", "--", "/no/such/program", code=None)
        self.assertIn("/no/such/program", missing.err)

    def test_lines_arrays_and_results(self):
        broker = self.broker()
        self.worker_program(broker, slots=2)
        ids = self.rota(broker, "submit", "--each-line", "-", "--", "echo", "<{}>", stdin="a b\nc\n").lines
        ids += self.rota(broker, "submit", "--array", "5-6", "--", "sh", "-c", "echo $ROTA_JOB_INDEX").lines
        self.rota(broker, "wait", *ids)
        self.assertEqual(["<a b>\n", "<c>\n", "5\n", "6\n"], [self.rota(broker, "result", job).out for job in ids])

    def test_status_cancel_workers_and_drain(self):
        broker = self.broker()
        worker = self.worker_program(broker, name="snake")
        job = self.submit(broker, "--", "sleep", "60")
        self.assertEqual("snake", self.wait_state(broker, job, "running")["worker"])
        [row] = self.rota(broker, "--output", "json", "workers").json_lines()
        self.assertEqual(("snake", 1, 1), (row["name"], row["slots"], row["running"]))
        self.rota(broker, "cancel", job)
        self.wait_state(broker, job, "cancelled")
        self.rota(broker, "drain", "snake")
        self.assertEqual(0, worker.wait())

    def test_a_second_worker_of_its_name_is_turned_away(self):
        broker = self.broker()
        self.worker_program(broker, name="w")
        outcome = self.run_to_end([BIN / "rota-worker", "--broker", broker.workers, "--name", "w", "--exec"])
        self.assertEqual(75, outcome.code, outcome)
        other = self.run_to_end([PYTHON, "-B", "-m", "rota_interop.worker", broker.workers, "w"], env={"PYTHONPATH": str(HERE)})
        self.assertEqual(75, other.code, other)
        self.assertIn("CONFLICT", other.err)

    def test_what_a_killed_python_worker_ran_runs_again(self):
        broker = self.broker("--lease", "1s")
        program = self.worker_program(broker)
        job = self.submit(broker, "--", "sh", "-c", "[ $ROTA_JOB_ATTEMPT = 2 ] || exec sleep 60")
        self.wait_state(broker, job, "running")
        program.kill(signal.SIGKILL)
        self.worker(broker, name="cpp")
        done = self.wait_state(broker, job, "succeeded")
        self.assertEqual((2, 1), (done["attempt"], done["losses"]))


class BothInPython(InteropTest):
    def test_the_example_programs(self):
        broker = self.broker()
        worker = self.worker_program(broker)
        done = subprocess.run([PYTHON, "-B", "-m", "rota_interop.client", broker.clients, "sh", "-c", "echo out; echo err >&2; exit 4"],
                              env={**os.environ, "PYTHONPATH": str(HERE)}, capture_output=True, timeout=30, check=False)
        self.assertEqual((4, b"out\n", b"err\n"), (done.returncode, done.stdout, done.stderr))
        self.assertEqual(0, worker.stop())

    def test_a_thousand_jobs(self):
        broker = self.broker()
        for name in ("a", "b"):
            self.python_worker(broker, name=name, handlers={"t": lambda run: run.payload[::-1]}, slots=2, prefetch=50)
        with self.client(broker) as client:
            payloads = [b"job %d" % number for number in range(1000)]
            answers = client.submit([Task(typed("t"), payload) for payload in payloads], notify=True)
            notices = client.wait([answer.id for answer in answers])
            self.assertEqual([payload[::-1] for payload in payloads], [notice.report.result for notice in notices])
            self.assertEqual({(m.State.SUCCEEDED, 1)}, {(notice.state, notice.attempts) for notice in notices})


class BothWorkers(InteropTest):
    """What the page says of commands is enough for the two workers to tell the same of them."""

    COMMANDS = (
        (m.Command((b"sh", b"-c", b"echo out; echo err >&2")), None),
        (m.Command((b"sh", b"-c", b"echo out; exit 9")), None),
        (m.Command((b"sh", b"-c", b"kill -KILL $$")), None),
        (m.Command((b"/no/such/program",)), None),
        (m.Command((b"sh", b"-c", b"pwd"), {}, b"/no/such/directory"), None),
        (m.Command((b"echo", b"{}", b"<{}{}>")), b"a line"),
        (m.Command((b"echo", b"first")), b"a line"),
        (m.Command((b"echo", b"{}")), 3),
        (m.Command((b"sh", b"-c", b"env | grep -E '^(ROTA_JOB_(ATTEMPT|QUEUE|LINE|INDEX)|ROTA_BROKER|A|ROTA_JOB_WORKER)=' | grep -v WORKER | sort"),
                   {b"A": b"1", b"ROTA_JOB_QUEUE": b"mine"}), b"l"),
        (m.Command((b"printenv", b"ROTA_JOB_ID", b"PATH")), None),
        (m.Command((b"sh", b"-c", b"head -c 70000 /dev/zero | tr '\\0' x >&2; exit 1")), None),
    )

    def test_reports_of_the_same_commands_are_the_same(self):
        broker = self.broker()
        for kind in ("cpp", "py"):
            client = self.client(broker)
            tasks = [Task(m.Shared("default", "exec", spec=m.Spec(command)), b"", selector) for command, selector in self.COMMANDS]
            tasks.append(Task(shell("exec sleep 60", time_limit=100)))
            ids = [answer.id for answer in client.submit(tasks, notify=True)]
            worker = self.worker(broker, name=kind) if kind == "cpp" else self.worker_program(broker, name=kind)
            told = [facts(notice) for notice in client.wait(ids)]
            told = [(state, result.replace(str(job).encode(), b"ID"), *rest) for job, (state, result, *rest) in zip(ids, told)]
            self.assertEqual(0, worker.stop())
            if kind == "cpp":
                expected = told
        for command, theirs, ours in zip([*self.COMMANDS, "time limit"], expected, told):
            with self.subTest(command):
                self.assertEqual(theirs, ours)


if __name__ == "__main__":
    main()
