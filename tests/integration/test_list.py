"""Jobs by the list: list, shortened ids, retry and purge of whole queues."""

import json
import os
import pty
import signal
import subprocess
import time

import rota_harness
from rota_harness import BIN, RotaTest, eventually


def more(outcome):
    """The cursor that a list ended with, from its JSON line on stderr; None: that was all."""
    for line in outcome.err.splitlines():
        found = json.loads(line).get("more")
        if found:
            return found["from"]
    return None


class Listing(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def submit_lines(self, count, *options):
        """Jobs of a type that nobody serves, oldest first."""
        return self.rota(self.b, "submit", *options, "--array", f"1-{count}", "--", "true").lines

    def list(self, *options, **keywords):
        return self.rota(self.b, "--output", "json", "list", *options, **keywords)

    def ids(self, *options):
        return [job["id"] for job in self.list(*options).json_lines()]

    def test_newest_come_first_and_a_hundred_unless_told(self):
        jobs = sorted(self.submit_lines(130), reverse=True)
        outcome = self.list()
        self.assertEqual(jobs[:100], [job["id"] for job in outcome.json_lines()])
        self.assertIsNotNone(more(outcome))
        self.assertEqual(jobs, self.ids("--limit", "130"))
        self.assertEqual("", self.list("--limit", "130").err, "130 of 130: nobody is sent on")
        self.assertEqual(jobs, self.ids("--limit", "1000000"))

    def test_cursor_leads_through_all_jobs_once(self):
        jobs = sorted(self.submit_lines(25), reverse=True)
        seen, cursor, rounds = [], None, 0
        while True:
            outcome = self.list("--limit", "10", *(["--from", cursor] if cursor else []))
            seen += [job["id"] for job in outcome.json_lines()]
            rounds += 1
            if rounds == 1:
                self.submit_lines(5)  # come before the first page, so no later one has them
            cursor = more(outcome)
            if cursor is None:
                break
        self.assertEqual((jobs, 3), (seen, rounds))

    def test_text_says_what_to_add_and_quiet_says_it_too(self):
        jobs = sorted(self.submit_lines(3), reverse=True)
        text = self.rota(self.b, "list", "--limit", "2")
        self.assertEqual(["ID"] + jobs[:2], [line.split()[0] for line in text.lines])
        self.assert_sentence(text, "there are more; add --from ")
        cursor = text.err.split()[-1]
        rest = self.rota(self.b, "list", "--from", cursor)
        self.assertIn(jobs[2], rest.out)
        self.assertEqual("", rest.err)
        quiet = self.rota(self.b, "--output", "quiet", "list", "--limit", "2")
        self.assertEqual(jobs[:2], quiet.lines)
        self.assert_sentence(quiet, f"there are more; add --from {cursor}")

    def test_filters_choose_by_queue_state_type_and_age(self):
        default = self.submit(self.b, "--", "true")
        mail = self.submit(self.b, "--queue", "mail", "--type", "send", "--payload", "x")
        later = self.submit(self.b, "--queue", "mail", "--delay", "1h", "--", "true")
        self.rota(self.b, "cancel", default)
        self.assertEqual({mail, later}, set(self.ids("--queue", "mail")))
        self.assertEqual([mail], self.ids("--type", "send"))
        self.assertEqual([later], self.ids("--queue", "mail", "--type", "exec"))
        self.assertEqual([mail], self.ids("--state", "ready"))
        self.assertEqual({default, later}, set(self.ids("--state", "cancelled,scheduled")))
        self.assertEqual(3, len(self.ids("--since", "1h")))
        eventually(lambda: not self.ids("--since", "100ms"), 20, "the jobs are older than that")

    def test_live_and_finished_jobs_stand_in_one_order(self):
        worker = self.worker(self.b)
        self.submit_lines(5, "--wait", "--keep", "1h")
        finished = self.ids("--state", "succeeded")
        self.assertEqual(5, len(finished))
        worker.stop()
        live = self.submit_lines(5)
        self.assertEqual(sorted(live + finished, reverse=True), self.ids())
        job = self.list("--state", "succeeded", "--limit", "1").json_lines()[0]
        self.assertEqual(("succeeded", 0, 1, "w1"), (job["state"], job["exit_code"], job["attempt"], job["worker"]))
        self.restart_broker()
        self.assertEqual(sorted(live + finished, reverse=True), self.ids(), "the same after a restart")

    def restart_broker(self):
        self.b.kill()
        self.b = self.restart(self.b)

    def test_nothing_that_matches_is_no_failure(self):
        self.submit_lines(1)
        outcome = self.rota(self.b, "list", "--state", "failed")
        self.assertEqual("", outcome.out)
        self.assert_sentence(outcome, "no jobs match")
        self.assertEqual(("", ""), (self.list("--state", "failed").out, self.list("--state", "failed").err))

    def test_unknown_queue_is_named(self):
        outcome = self.rota(self.b, "list", "--queue", "nowhere", code=2)
        self.assert_sentence(outcome, "nowhere", "rota queues")
        self.assertEqual("NOT_FOUND", json.loads(self.list("--queue", "nowhere", code=2).err)["error"]["code"])

    def test_cursor_of_another_list_is_a_usage_error(self):
        self.submit_lines(3)
        self.submit_lines(3, "--queue", "mail")
        cursor = more(self.list("--queue", "mail", "--limit", "1"))
        for filters in ([], ["--queue", "default"], ["--queue", "mail", "--state", "ready"],
                        ["--queue", "mail", "--type", "exec"], ["--queue", "mail", "--since", "1h"]):
            outcome = self.rota(self.b, "list", *filters, "--from", cursor, code=64)
            self.assert_sentence(outcome, "cursor", "another list")
        self.assertEqual(2, len(self.ids("--queue", "mail", "--from", cursor)), "the limit may differ")
        for cursor in ("", "zz", "0", "00" * 65):
            self.assert_sentence(self.rota(self.b, "list", "--from", cursor, code=64), "--from", "rota list")
        self.assert_sentence(self.rota(self.b, "list", "--from", "00" * 10, code=64), "cursor")

    def test_values_that_are_not_allowed_are_named(self):
        for option, value, words in (("--state", "done", ["ready", "running", "failed"]), ("--state", "failed,", ["failed"]),
                                     ("--limit", "0", ["1"]), ("--limit", "x", ["1"]), ("--since", "0", ["1ms"]),
                                     ("--since", "soon", ["10s"]), ("--queue", "a b", ["A-Z"]), ("--type", "", ["A-Z"])):
            with self.subTest(option=option, value=value):
                self.assert_sentence(self.rota(self.b, "list", option, value, code=64), option, *words)

    def test_filters_are_taken_from_the_line_only(self):
        self.submit_lines(1)
        outcome = self.rota(self.b, "list", env={"ROTA_QUEUE": "elsewhere", "ROTA_STATE": "failed", "ROTA_LIMIT": "0"})
        self.assertEqual(2, len(outcome.lines))


class ShortIds(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def test_every_command_that_takes_an_id_takes_its_ending(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "echo", "hello")
        self.submit(self.b, "--wait", "--", "true")
        for ending in (job[-8:], job[-12:], job[-17:], job[-13:].lstrip("-"), job.replace("-", "")[-20:], job[1:].upper()):
            self.rota(self.b, "wait", ending)
            self.assertEqual("hello\n", self.rota(self.b, "result", ending).out, ending)
            self.assertEqual(job, self.status(self.b, ending)["id"])
        outcome = self.rota(self.b, "wait", "-", stdin=f"{job[-8:]}\r\n\n  {job}\n")
        self.assertEqual([f"{job} succeeded"], outcome.lines)
        self.assertEqual([f"{job} ready"], self.rota(self.b, "retry", job[-8:]).lines)
        self.rota(self.b, "wait", job)
        later = self.submit(self.b, "--delay", "1h", "--", "true")
        self.assertEqual([f"{later} cancelled"], self.rota(self.b, "cancel", later[-8:]).lines)

    def test_ending_of_several_ids_names_them_and_does_nothing(self):
        made = self.rota(self.b, "id", "--count", "3").lines
        jobs = [id[:-8] + "0badcafe" for id in made]
        for job in jobs:
            self.submit(self.b, "--id", job, "--delay", "1h", "--", "true")
        other = self.submit(self.b, "--delay", "1h", "--", "true")
        outcome = self.rota(self.b, "cancel", other, "0badcafe", code=64)
        self.assert_sentence(outcome, "0badcafe", "several", *jobs)
        self.assertEqual({"scheduled"}, {job["state"] for job in self.statuses(self.b, [other, *jobs])})
        error = json.loads(self.rota(self.b, "--output", "json", "cancel", "0badcafe", code=64).err)["error"]
        self.assertEqual(("CONFLICT", False), (error["code"], error["retryable"]))
        self.assertEqual([f"{jobs[0]} cancelled"], self.rota(self.b, "cancel", jobs[0][-17:]).lines)

    def test_ending_of_no_id_is_not_found(self):
        job = self.submit(self.b, "--delay", "1h", "--", "true")
        for command in ("status", "wait", "result", "cancel", "retry"):
            ids = [job, "00000000"] if command != "result" else ["00000000"]
            self.assert_sentence(self.rota(self.b, command, *ids, code=2), "00000000", "whole id")
        self.assertEqual("scheduled", self.status(self.b, job)["state"], "nothing was done to the other one")

    def test_words_that_are_no_endings_are_usage_errors(self):
        for word in ("1234567", "1234567g", "1234-5678", "0badcafe-", "00000000-0000-0000-0000-000000000000"):
            self.assert_sentence(self.rota(self.b, "status", word, code=64), word, "id")
            self.assert_sentence(self.rota(self.b, "status", "-", stdin=word, code=64), word, "id")

    def test_only_the_newest_ten_thousand_are_looked_at(self):
        first = self.submit(self.b, "--delay", "1h", "--", "true")
        self.rota(self.b, "--output", "quiet", "submit", "--array", "1-9999", "--delay", "1h", "--", "true")
        self.assertEqual(first, self.status(self.b, first[-12:])["id"])
        self.submit(self.b, "--delay", "1h", "--", "true")
        self.assert_sentence(self.rota(self.b, "status", first[-12:], code=2), "newest 10000")
        self.assertEqual(first, self.status(self.b, first)["id"])


class Bulk(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker()

    def fail_jobs(self, count, queue="default", command="false"):
        """Jobs of the queue that have failed."""
        worker = self.worker(self.b, "--queue", queue)
        jobs = self.rota(self.b, "submit", "--queue", queue, "--array", f"1-{count}", "--", command).lines
        self.rota(self.b, "wait", "-", stdin="\n".join(jobs), code=None)
        worker.stop()
        return jobs

    def states(self, jobs):
        return [job["state"] for job in self.statuses(self.b, jobs)]

    def test_retry_of_a_queue_puts_its_failed_jobs_back(self):
        failed = self.fail_jobs(20)
        other = self.fail_jobs(1, queue="mail")
        cancelled = self.submit(self.b, "--", "true")
        self.rota(self.b, "cancel", cancelled)
        outcome = self.rota(self.b, "retry", "--queue", "default")
        self.assertEqual("20 jobs put back to ready\n", outcome.out)
        self.assertEqual(["ready"] * 20, self.states(failed))
        self.assertEqual(["failed", "cancelled"], self.states([*other, cancelled]))
        outcome = self.rota(self.b, "--output", "json", "retry", "--queue", "default", "--state", "cancelled,expired")
        self.assertEqual({"queue": "default", "retried": 1, "refused": 0}, outcome.json())
        self.assertEqual("0\n", self.rota(self.b, "--output", "quiet", "retry", "--queue", "default").out)
        self.assertEqual(1, self.status(self.b, failed[0])["attempt"], "the attempts are counted on")

    def test_retry_that_a_key_forbids_is_told(self):
        worker = self.worker(self.b)
        failed = self.submit(self.b, "--key", "k", "--", "false")
        self.rota(self.b, "wait", failed, code=1)
        worker.stop()
        self.submit(self.b, "--key", "k", "--", "true")
        outcome = self.rota(self.b, "retry", "--queue", "default", code=1)
        self.assertEqual("0 jobs put back to ready\n", outcome.out)
        self.assert_sentence(outcome, "1 job could not go back", "key")
        self.assertEqual(["failed"], self.states([failed]))

    def test_retry_of_a_running_job_is_refused_with_a_sentence(self):
        self.worker(self.b)
        job = self.submit(self.b, "--", "sleep", "60")
        self.wait_state(self.b, job, "running")
        outcome = self.rota(self.b, "retry", job[-12:], code=1)
        self.assert_sentence(outcome, job, "not finished")
        outcome = self.rota(self.b, "--output", "json", "retry", job, code=1)
        self.assertEqual("CONFLICT", json.loads(outcome.err)["error"]["code"])
        self.assertEqual(1, self.status(self.b, job)["attempt"])

    def test_purge_without_yes_says_what_it_would_do_and_does_nothing(self):
        job = self.submit(self.b, "--", "true")
        outcome = self.rota(self.b, "purge", "--queue", "default", code=64)
        self.assert_sentence(outcome, "default", "ready", "succeeded", "--yes", "nothing was done")
        self.assertEqual(["ready"], self.states([job]))
        self.assert_sentence(self.rota(self.b, "purge", "--yes", code=64), "--queue")

    def test_purge_forgets_all_but_running_jobs(self):
        worker = self.worker(self.b, slots=1)
        running = self.submit(self.b, "--priority", "1", "--", "sleep", "60")
        self.wait_state(self.b, running, "running")
        queued = self.rota(self.b, "submit", "--array", "1-5", "--delay", "1h", "--", "true").lines
        elsewhere = self.submit(self.b, "--queue", "mail", "--", "true")
        outcome = self.rota(self.b, "purge", "--queue", "default", "--yes")
        self.assertEqual("5 jobs forgotten\n", outcome.out)
        self.rota(self.b, "status", queued[0], code=2)
        self.assertEqual(["running", "ready"], self.states([running, elsewhere]))
        self.assertTrue(worker.alive)

    def test_purge_of_finished_jobs_by_state(self):
        failed = self.fail_jobs(3)
        kept = self.submit(self.b, "--delay", "1h", "--", "true")
        done = self.submit(self.b, "--", "true")
        self.rota(self.b, "cancel", done)
        outcome = self.rota(self.b, "--output", "json", "purge", "--queue", "default", "--state", "failed,expired", "--yes")
        self.assertEqual({"queue": "default", "forgotten": 3}, outcome.json())
        self.assertEqual(["scheduled", "cancelled"], self.states([kept, done]))
        self.rota(self.b, "status", failed[0], code=2)
        self.b.kill()
        self.b = self.restart(self.b)
        self.rota(self.b, "status", failed[0], code=2)
        self.assertEqual(["scheduled", "cancelled"], self.states([kept, done]), "durable")
        self.assertEqual("2\n", self.rota(self.b, "--output", "quiet", "purge", "--queue", "default", "--yes").out)

    def test_states_that_are_not_allowed_are_named(self):
        self.submit(self.b, "--", "true")
        self.assert_sentence(self.rota(self.b, "purge", "--queue", "default", "--state", "running", "--yes", code=64),
                             "--state", "running", "ready")
        self.assert_sentence(self.rota(self.b, "retry", "--queue", "default", "--state", "ready", code=64),
                             "--state", "ready", "failed")

    def test_unknown_queue_is_named(self):
        self.assert_sentence(self.rota(self.b, "purge", "--queue", "nowhere", "--yes", code=2), "nowhere")
        self.assert_sentence(self.rota(self.b, "retry", "--queue", "nowhere", code=2), "nowhere")

    def test_retry_takes_ids_or_a_queue(self):
        self.assert_sentence(self.rota(self.b, "retry", code=64), "ids", "--queue")
        self.assert_sentence(self.rota(self.b, "retry", "--queue", "q", "00000000", code=64), "not both")
        self.assert_sentence(self.rota(self.b, "retry", "--state", "failed", "00000000", code=64), "--queue")

    def test_interrupt_ends_a_purge_between_slices_and_says_how_far_it_came(self):
        count = rota_harness.scale(200_000, 20_000)
        self.rota(self.b, "--output", "quiet", "submit", "--array", f"1-{count}", "--delay", "1h", "--", "true")
        purge = self.start_rota(self.b, "purge", "--queue", "default", "--yes")
        eventually(lambda: not purge.alive or self.queue(self.b)["scheduled"] < count, 60, "the purge is under way", every=0)
        purge.kill(signal.SIGINT)
        code = purge.wait(60)
        done = int(eventually(lambda: purge.lines, 10, "the count is read")[0].split()[0])
        self.assertEqual(count, done + self.queue(self.b)["scheduled"], purge.log_text())
        if done < count:  # not so quick that it was over before the signal
            self.assertEqual(130, code)
            self.assertIn("interrupted", purge.log_text())
        self.assertEqual(f"{count - done}\n",
                         self.rota(self.b, "--output", "quiet", "purge", "--queue", "default", "--yes").out)


    def test_bulk_work_shows_its_progress_on_a_terminal_only(self):
        count = rota_harness.scale(50_000, 20_000)
        self.rota(self.b, "--output", "quiet", "submit", "--array", f"1-{count}", "--delay", "1h", "--", "true")
        command = [str(BIN / "rota"), "--broker", self.b.clients, "purge", "--queue", "default", "--state", "scheduled", "--yes"]
        terminal, theirs = pty.openpty()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env={**self.environment, "TERM": "xterm"})
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(terminal, 4096)  # EIO: the other side is closed
            except OSError:
                break
        os.close(terminal)
        out = process.communicate(timeout=60)[0]
        self.assertEqual((0, f"{count} jobs forgotten\n".encode()), (process.returncode, out), shown)
        self.assertRegex(shown, rf"\d+/{count}, \d+/s".encode())
        self.assertTrue(shown.endswith(b"\r\x1b[K"), "the bar is gone when the count is printed")


class Speed(RotaTest):
    def test_list_of_a_large_store_is_quick(self):
        """Time of one page while many jobs are live. The figure is printed; the bound is far above it."""
        broker = self.broker()
        count = rota_harness.scale(200_000, 20_000)
        self.rota(broker, "--output", "quiet", "submit", "--array", f"1-{count}", "--delay", "1h", "--", "true")
        self.submit(broker, "--queue", "mail", "--", "true")
        began = time.monotonic()
        self.assertEqual(100, len(self.rota(broker, "--output", "quiet", "list").lines))
        page = time.monotonic() - began
        began = time.monotonic()
        self.assertEqual(1, len(self.rota(broker, "--output", "quiet", "list", "--queue", "mail").lines))
        print(f"list of {count} live jobs: {page * 1000:.0f} ms; by a rare queue: {(time.monotonic() - began) * 1000:.0f} ms ",
              end="", flush=True)
        self.assertLess(page, 5)


if __name__ == "__main__":
    rota_harness.main()
