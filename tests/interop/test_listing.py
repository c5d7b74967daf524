"""LIST, and the administrative verbs that work through a queue in slices."""

from interop_test import InteropTest, Task, eventually, m, main, shell, typed
from rota_interop.client import RequestRefused
from rota_interop.ids import make_id


class Lists(InteropTest):
    def test_list_pages_newest_first_by_cursor_and_ending(self):
        with self.client(self.broker()) as client:
            ids = [answer.id for answer in client.submit([Task(typed("a" if n % 2 else "b")) for n in range(25)])]
            newest_first = sorted(ids, reverse=True)
            self.assertEqual(newest_first, [job.id for job in client.list()])
            first = client.list_page(10)
            self.assertEqual(newest_first[:10], [job.id for job in first.jobs])
            self.assertTrue(first.cursor)
            rest = client.list_page(100, first.cursor)
            self.assertEqual((newest_first[10:], b""), ([job.id for job in rest.jobs], rest.cursor))
            self.assertEqual({ids[n] for n in range(0, 25, 2)}, {job.id for job in client.list(type="b", states=(m.State.READY,))})
            self.assertEqual([], client.list(queue="default", states=(m.State.FAILED,)))
            self.assertEqual([ids[7]], [job.id for job in client.list(ending=ids[7].hex[-12:])])

    def test_a_cursor_goes_with_its_filters_and_an_ending_stands_alone(self):
        with self.client(self.broker()) as client:
            client.submit([Task(typed("t")) for _ in range(5)])
            cursor = client.list_page(2, type="t").cursor
            for filters in (dict(cursor=cursor), dict(cursor=cursor, type="u"), dict(cursor=b"none"), dict(ending="0123456"),
                            dict(ending="0123456X"), dict(ending="01234567", type="t"), dict(ending="01234567", cursor=cursor),
                            dict(limit=0), dict(states=(99,))):
                with self.subTest(filters), self.assertRaises(RequestRefused) as refused:
                    client.list_page(**filters)
                self.assertEqual(m.Code.BAD_MESSAGE, refused.exception.code)
            with self.assertRaises(RequestRefused) as refused:
                client.list_page(queue="nothing")
            self.assertEqual(m.Code.NOT_FOUND, refused.exception.code)
            self.assertEqual((), client.list_page(ending="f" * 32).jobs)

    def test_a_page_in_the_middle_outlives_a_restart_and_new_jobs(self):
        broker = self.broker()
        client = self.client(broker)
        ids = sorted((answer.id for answer in client.submit([Task(typed("t")) for _ in range(6)])), reverse=True)
        first = client.list_page(3)
        client.submit([Task(typed("t"))])
        broker.kill()
        client = self.client(self.restart(broker))
        self.assertEqual(ids[3:], [job.id for job in client.list_page(10, first.cursor).jobs])

    def test_since_counts_back_from_now(self):
        with self.client(self.broker()) as client:
            old, new = client.submit([Task(typed("t"), id=make_id("default", client.id_time() - 120_000)), Task(typed("t"))])
            self.assertEqual([new.id], [job.id for job in client.list(since_ms=60_000)])
            self.assertEqual([new.id, old.id], [job.id for job in client.list(since_ms=3_600_000)])


class Bulk(InteropTest):
    def test_purge_forgets_queued_jobs_slice_by_slice(self):
        with self.client(self.broker()) as client:
            ids = [answer.id for answer in client.submit([Task(typed("t")) for _ in range(30)])]
            forgotten, more = 0, {}
            while True:
                [row] = client.admin("purge", queue="default", **more)
                forgotten += row["forgotten"]
                if not row["more"]:
                    break
                more = {"through": str(row["through"]), "cursor": row["cursor"]}
            self.assertEqual(30, forgotten)
            self.assertEqual({m.Code.NOT_FOUND}, {job.code for job in client.get(ids)})

    def test_finished_jobs_are_purged_by_state_and_running_ones_never(self):
        broker = self.broker()
        client = self.client(broker)
        good = [answer.id for answer in client.submit([Task(shell("true")) for _ in range(2)])]
        bad = [answer.id for answer in client.submit([Task(shell("false")) for _ in range(2)])]
        self.python_worker(broker, commands=True, slots=2)
        client.wait(good + bad)
        [running] = client.submit([Task(shell("exec sleep 60"))])
        eventually(lambda: client.get([running.id])[0].state == m.State.RUNNING, 10, "a job runs")
        self.assertEqual(2, client.admin("purge", queue="default", state="failed,expired")[0]["forgotten"])
        self.assertEqual([None, None, m.Code.NOT_FOUND, m.Code.NOT_FOUND], [job.code for job in client.get(good + bad)])
        self.assertEqual(2, client.admin("purge", queue="default")[0]["forgotten"])
        self.assertEqual(m.State.RUNNING, client.get([running.id])[0].state)
        client.cancel([running.id])
        client.wait([running.id])

    def test_retry_of_a_queue_brings_failed_jobs_back(self):
        broker = self.broker()
        client = self.client(broker)
        ids = [answer.id for answer in client.submit([Task(shell("exit 1")) for _ in range(3)])]
        worker = self.python_worker(broker, commands=True, slots=2)
        client.wait(ids)
        worker.drain()
        [row] = client.admin("retry", queue="default")
        self.assertEqual((3, 0, False), (row["retried"], row["refused"], row["more"]))
        eventually(lambda: all(job.attempts == 1 and job.state == m.State.READY for job in client.get(ids)), 10, "jobs are ready again")


if __name__ == "__main__":
    main()
