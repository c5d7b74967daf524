"""LIST, and the administrative verbs that work through a queue in slices."""

from interop_test import InteropTest, Task, eventually, m, main, shell, typed


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
