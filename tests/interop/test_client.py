"""The Python client against the broker: HELLO, submit, resend, wait, notify, get, cancel, retry, administration."""

import dataclasses
import signal
import threading

from interop_test import Client, InteropTest, Task, m, main, typed


class Greetings(InteropTest):
    def test_welcome_tells_what_a_client_needs(self):
        broker = self.broker("--max-payload", "64KiB", "--dedup-window", "7m")
        welcome = self.raw_client(broker).welcome
        self.assertEqual(m.PROTOCOL_VERSION, welcome.version)
        self.assertEqual((0, 4095), (welcome.slots[0].first, welcome.slots[0].last))
        self.assertEqual((65536, 420_000), (welcome.max_payload, welcome.dedup_window))
        self.assertEqual((broker.clients, broker.workers), (welcome.clients, welcome.workers))
        self.assertIsNone(welcome.lease)
        self.assertIsNone(welcome.started)

    def test_a_client_may_say_hello_again(self):
        client = self.raw_client(self.broker())
        self.assertIsInstance(client.call(m.Hello, m.Greeting(min=1, max=9)), m.Welcome)

    def test_ping_is_answered(self):
        self.assertIsInstance(self.raw_client(self.broker()).call(m.Ping), m.Pong)

    def test_a_goodbye_ends_the_session_and_a_hello_begins_another(self):
        client = self.raw_client(self.broker())
        client.tell(m.Goodbye, m.Code.OK, "enough")
        self.assert_code(m.Code.NO_SESSION, client.call(m.Ping))
        self.assertIsInstance(client.call(m.Hello, m.Greeting(min=1, max=1)), m.Welcome)


class Submits(InteropTest):
    def test_shared_parts_arrays_lines_and_keys_come_back_as_they_were_sent(self):
        broker = self.broker()
        with self.client(broker) as client:
            spec = m.Spec(m.Command((b"convert", b"{}"), {b"LANG": b"C"}, b"/tmp"), {"trace": "00-ab"}, "thumbnails")
            command = m.Shared("default", "exec", m.Options(priority=-7), spec)
            mail = typed("send", queue="mail", retries=3, durability=m.Durability.MEMORY)
            tasks = [Task(command, selector=b"photo \xff 1.jpg"), Task(command, selector=-3), Task(mail, b"body", key="k"), Task(mail)]
            answers = client.submit(tasks)
            self.assertEqual([m.Code.OK] * 4, [answer.code for answer in answers])
            worker = self.raw_worker(broker, types=("exec",), credit=2)
            taken = {item.selector: (item, shared) for _, item, shared in worker.take(2)}
            self.assertEqual({b"photo \xff 1.jpg", -3}, set(taken))
            for item, shared in taken.values():
                self.assertEqual(("default", "exec", spec), (shared.queue, shared.type, shared.spec))
                self.assertEqual((1, b""), (item.attempt, item.payload))
            jobs = client.get([answer.id for answer in answers])
            self.assertEqual([m.State.RUNNING, m.State.RUNNING, m.State.READY, m.State.READY], [job.state for job in jobs])
            self.assertEqual(("thumbnails", -7), (jobs[0].name, jobs[0].priority))
            self.assertEqual(("mail", "send", "k", 3, m.Durability.MEMORY),
                             (jobs[2].queue, jobs[2].type, jobs[2].key, jobs[2].retries, jobs[2].durability))
            self.assertIn("send", jobs[3].waiting_for)

    def test_every_option_is_accepted_and_a_delay_is_told(self):
        with self.client(self.broker()) as client:
            options = m.Options(priority=127, delay=3_600_000, time_limit=1000, retries=10_000, backoff=1, backoff_factor=100_000,
                                backoff_max=5, losses=250, expires=7_200_000, keep=0, key_for=1, durability=m.Durability.FSYNC,
                                stop_on_disconnect=True)
            [answer] = client.submit([Task(m.Shared("default", "t", options))])
            self.assertEqual((m.Code.OK, m.State.SCHEDULED), (answer.code, answer.state))
            self.assertEqual(3_600_000, answer.run_at - answer.created_at)
            [answer] = client.submit([Task(m.Shared("default", "t", m.Options(run_at=answer.run_at)))])
            self.assertEqual(m.State.SCHEDULED, answer.state)

    def test_a_submit_of_nothing_is_answered(self):
        client = self.raw_client(self.broker())
        self.assertEqual((), client.call(m.Submit, 0, (), ()).items)

    def test_more_jobs_than_one_message_holds_are_split(self):
        with self.client(self.broker()) as client:
            many = client.broker.max_batch + 10
            answers = client.submit([Task(typed("t", durability=m.Durability.MEMORY), b"%d" % n) for n in range(many)])
            self.assertEqual({m.Code.OK}, {answer.code for answer in answers})
            self.assertEqual(many, len({answer.id for answer in answers}))
            [row] = client.admin("queues")
            self.assertEqual(many, row["ready"])

    def test_a_resend_repeats_the_first_acceptance(self):
        client = self.raw_client(self.broker())
        item = m.Item(0, client.new_id(), b"payload")
        [first] = client.submit(item).items
        self.assertEqual(m.Answer(m.Code.OK), first)
        [again] = client.submit(item).items
        self.assertEqual((m.Code.DUPLICATE, m.State.READY, m.Durability.FSYNC, item.id),
                         (again.code, again.state, again.durability, again.id))
        self.assertLess(0, again.created_at)
        self.assertEqual(1, len(client.call(m.Admin, "queues").rows))

    def test_a_resend_may_have_other_options_but_no_other_content(self):
        client = self.raw_client(self.broker())
        item = m.Item(0, client.new_id(), b"payload")
        client.submit(item)
        self.assert_code(m.Code.DUPLICATE, client.submit(item, shared=typed("t", priority=5)).items[0])
        for other in (dataclasses.replace(item, payload=b"other"), dataclasses.replace(item, selector=1),
                      dataclasses.replace(item, key="k")):
            [answer] = client.submit(other).items
            self.assertEqual((m.Code.CONFLICT, m.State.READY), (answer.code, answer.state))

    def test_a_held_key_is_answered_with_its_holder(self):
        client = self.raw_client(self.broker())
        holder = client.submit_one(key="nightly")
        [answer] = client.submit(m.Item(0, client.new_id(), key="nightly")).items
        self.assertEqual((m.Code.DUPLICATE, holder), (answer.code, answer.id))

    def test_a_notify_of_a_held_key_names_the_holder(self):
        broker = self.broker()
        client = self.raw_client(broker)
        holder = client.submit_one(key="nightly")
        asked = client.new_id()
        request = client.say(m.Submit, m.NOTIFY_FLAG, (typed("t"),), (m.Item(0, asked, key="nightly"),))
        client.expect(m.Submitted)
        worker = self.raw_worker(broker)
        worker.complete(worker.take_one())
        notify = client.expect(m.Notify)
        self.assertEqual((request, [holder]), (notify.request, [notice.id for notice in notify.items]))


class Reads(InteropTest):
    def test_wait_and_notify_bring_outcome_and_result(self):
        broker = self.broker()
        client = self.raw_client(broker)
        notified = client.new_id()
        submit = client.say(m.Submit, m.NOTIFY_FLAG, (typed("t"),), (m.Item(0, notified),))
        client.expect(m.Submitted)
        with_result = client.say(m.Wait, True, (notified,))
        without = client.say(m.Wait, False, (notified,))
        worker = self.raw_worker(broker, name="node1")
        self.assertEqual(m.Code.OK, worker.complete(worker.take_one(), report=m.Report(b"fruit", 0, b"a warning")))
        notices = {}
        while len(notices) < 3:
            notify = client.expect(m.Notify)
            [notices[notify.request]] = notify.items
        self.assertEqual({submit, with_result, without}, set(notices))
        for request, notice in notices.items():
            result = b"" if request == without else b"fruit"
            self.assertEqual(m.Notice(notified, m.Code.OK, m.State.SUCCEEDED, 1, 0, m.Report(result, 0, b"a warning", worker="node1"), 5),
                             notice)

    def test_a_wait_for_a_finished_job_is_answered_at_once(self):
        broker = self.broker()
        self.python_worker(broker, handlers={"t": lambda run: run.payload.upper()})
        with self.client(broker) as client:
            [answer] = client.submit([Task(typed("t"), b"abc")], notify=True)
            for _ in range(2):  # by the NOTIFY of the submit, then by WAIT
                [notice] = client.wait([answer.id])
                self.assertEqual((m.State.SUCCEEDED, b"ABC"), (notice.state, notice.report.result))

    def test_a_large_result_comes_by_get_alone(self):
        broker = self.broker()
        size = m.LIMITS["result in NOTIFY"] + 1
        self.python_worker(broker, handlers={"t": lambda run: b"x" * size})
        with self.client(broker) as client:
            [answer] = client.submit([Task(typed("t"))], notify=True)
            [notice] = client.wait([answer.id])
            self.assertEqual((b"", size), (notice.report.result, notice.result_size))
            [job] = client.get([answer.id], with_result=True)
            self.assertEqual(size, len(job.report.result))

    def test_get_tells_the_facts_of_a_failed_job_and_what_is_not_there(self):
        broker = self.broker()
        client = self.raw_client(broker)
        job = client.submit_one(typed("t", retries=1, backoff=3_600_000))
        worker = self.raw_worker(broker)
        worker.complete(worker.take_one(), m.End.FAILED, m.Report(exit_code=143, error_code="EXIT", error_message="why", signal=15))
        unknown = client.new_id()
        there, missing = client.call(m.Get, True, (job, unknown)).jobs
        self.assertEqual((m.State.SCHEDULED, 1, 1), (there.state, there.attempts, there.retries))
        self.assertEqual((143, "EXIT", "why", 15), (there.report.exit_code, there.report.error_code, there.report.error_message,
                                                    there.report.signal))
        self.assertEqual((unknown, m.Code.NOT_FOUND), (missing.id, missing.code))
        self.assertEqual({"id", "code", "message"}, {one.name for one in dataclasses.fields(missing) if getattr(missing, one.name) is not None})

class Changes(InteropTest):
    def test_cancel_ends_a_queued_job_at_once_and_asks_the_worker_of_a_running_one(self):
        broker = self.broker()
        client = self.raw_client(broker)
        running, queued = client.submit_one(), client.submit_one()
        worker = self.raw_worker(broker)
        token = worker.take_one()
        worker.start(token)
        by_cancel = client.call(m.Cancel, (running, queued, client.new_id())).items
        self.assertEqual([m.Code.OK, m.Code.OK, m.Code.NOT_FOUND], [answer.code for answer in by_cancel])
        self.assertEqual((token,), worker.expect(m.CancelJobs).jobs)
        jobs = client.call(m.Get, False, (running, queued)).jobs
        self.assertEqual([m.State.RUNNING, m.State.CANCELLED], [job.state for job in jobs])
        self.assertTrue(jobs[0].cancel_requested)
        self.assertEqual(m.Code.OK, worker.complete(token, m.End.CANCELLED))
        self.assertEqual(m.State.CANCELLED, client.state(running))

    def test_cancelling_twice_is_fine_and_what_succeeded_stays_so(self):
        broker = self.broker()
        client = self.raw_client(broker)
        job = client.submit_one()
        for _ in range(2):
            self.assert_code(m.Code.OK, client.call(m.Cancel, (job,)).items[0])
        other = client.submit_one()
        worker = self.raw_worker(broker)
        worker.complete(worker.take_one())
        [answer] = client.call(m.Cancel, (other,)).items
        self.assertEqual((m.Code.CONFLICT, m.State.SUCCEEDED), (answer.code, answer.state))

    def test_retry_brings_a_final_job_back_once(self):
        broker = self.broker()
        client = self.raw_client(broker)
        job = client.submit_one()
        worker = self.raw_worker(broker)
        worker.complete(worker.take_one(), m.End.FAILED)
        retry = m.RetryItem(job, 1)
        self.assert_code(m.Code.OK, client.call(m.Retry, (retry,)).items[0])
        self.assert_code(m.Code.DUPLICATE, client.call(m.Retry, (retry,)).items[0])  # its answer was lost, say
        [(token, item, _)] = worker.take()
        self.assertEqual((job, 2), (token.id, item.attempt))
        worker.complete(token, m.End.FAILED)
        self.assert_code(m.Code.CONFLICT, client.call(m.Retry, (retry,)).items[0])  # there was an attempt since
        self.assert_code(m.Code.OK, client.call(m.Retry, (m.RetryItem(job),)).items[0])

    def test_administration(self):
        broker = self.broker()
        with self.client(broker) as client:
            [answer] = client.submit([Task(typed("t"))])
            self.assertEqual((), client.admin("pause", queue="default"))
            worker = self.raw_worker(broker, name="node1", labels={"zone": "a"})
            [row] = client.admin("workers")
            self.assertEqual(("node1", 1, 0, True), (row["name"], row["slots"], row["running"], row["connected"]))
            self.assertLessEqual(set(row), set(m.ADMIN_VERBS["workers"][1]))
            [row] = client.admin("queues")
            self.assertEqual((True, 1, 0), (row["paused"], row["ready"], row["running"]))
            self.assertLessEqual(set(row), set(m.ADMIN_VERBS["queues"][1]) | {state.name.lower() for state in m.State})
            self.assertEqual((), client.admin("resume", queue="default"))
            self.assertEqual(answer.id, worker.take_one().id)
            self.assertEqual(1, client.admin("stats")[0]["accepted"])
            self.assertEqual((), client.admin("drain", worker="node1"))
            worker.expect(m.Drain)

class Contact(InteropTest):
    def test_what_is_open_is_repeated_after_the_broker_was_killed(self):
        broker = self.broker()
        client = Client(broker.clients, ping_every=0.2, silence=1.0)
        self.addCleanup(client.close)
        [answer] = client.submit([Task(typed("t"), b"x")], notify=True)
        broker.kill()
        broker = self.restart(broker)
        self.python_worker(broker, handlers={"t": lambda run: run.payload * 2})
        [notice] = client.wait([answer.id])
        self.assertEqual((m.State.SUCCEEDED, b"xx"), (notice.state, notice.report.result))
        self.assertEqual(2, client.connections)

    def test_silence_opens_a_new_socket(self):
        broker = self.broker("--lease", "60s")
        client = Client(broker.clients, ping_every=0.1, silence=0.4)
        self.addCleanup(client.close)
        [answer] = client.submit([Task(typed("t"))])
        broker.kill(signal.SIGSTOP)
        broker_goes_on = threading.Timer(1.0, broker.kill, (signal.SIGCONT,))
        broker_goes_on.start()
        self.addCleanup(broker_goes_on.join)
        self.assertEqual(m.State.READY, client.get([answer.id])[0].state)
        self.assertLess(1, client.connections)


if __name__ == "__main__":
    main()
