"""What an operator does with a store: check it, copy it while it is used, start from the copy, and meet its damage."""

import re
import shutil

import rota_harness
from rota_harness import BIN, RotaTest, eventually, scale

LOAD = scale(400_000, 40_000)  # jobs that keep the broker busy while its store is copied


class StoreTest(RotaTest):
    def check(self, directory, code=0):
        outcome = self.run_to_end([BIN / "rota-broker", "check", "--data", self.directory / directory], seconds=60)
        self.assertEqual(code, outcome.code, outcome)
        return outcome

    def back_up(self, data, target, code=0):
        outcome = self.run_to_end(
            [BIN / "rota-broker", "backup", "--data", self.directory / data, self.directory / target], seconds=60)
        self.assertEqual(code, outcome.code, outcome)
        return outcome

    def contents(self, directory):
        return {path.name: path.read_bytes() for path in (self.directory / directory).iterdir() if path.name != "lock.mdb"}

    def assert_refused(self, outcome, *words):
        self.assert_sentence(outcome, *words, program="rota-broker")
        self.assertEqual("", outcome.out)


class StoreCare(StoreTest):
    def test_backup_under_load_holds_every_job_acknowledged_before_it_began(self):
        broker = self.broker()
        worker = self.worker(broker)
        finished = {self.submit(broker, "--", "echo", f"result {n}"): f"result {n}\n" for n in range(20)}
        self.rota(broker, "wait", *finished)
        self.assertEqual(0, worker.stop())
        queued = self.rota(broker, "submit", "--queue", "kept", "--array", "1-500", "--", "true").lines
        delayed = self.submit(broker, "--queue", "kept", "--delay", "1h", "--", "true")
        load = self.start_rota(broker, "bench", "lifecycle", "--queue", "load", "--jobs", str(LOAD), "--workers", "1",
                               "--workers-endpoint", broker.workers)
        eventually(lambda: self.queue(broker, "load")["succeeded"] > 1000, 30, "the load runs")
        self.back_up("data", "copy")
        self.assertTrue(load.alive, "the copy was made under load; raise LOAD")
        self.assertEqual(0, load.wait(60))
        outcome = self.check("copy")
        self.assertGreater(int(re.search(r"finished jobs +(\d+)", outcome.out).group(1)), 1000)
        broker.kill()

        restored = self.broker(data="copy")
        self.assertEqual([finished[job] for job in finished], [self.rota(restored, "result", job).out for job in finished])
        self.assertEqual({"ready"}, {job["state"] for job in self.statuses(restored, queued)})
        self.assertEqual("scheduled", self.status(restored, delayed)["state"])
        # And it goes on with them.
        self.worker(restored, "--queue", "kept")
        self.rota(restored, "wait", *queued[:50])

    def test_restored_broker_takes_the_place_of_the_one_that_was_lost(self):
        broker = self.broker()
        worker = self.worker(broker)
        done = self.submit(broker, "--", "echo", "before")
        self.rota(broker, "wait", done)
        self.back_up("data", "copy")
        broker.kill()
        shutil.rmtree(self.directory / "data")
        shutil.copytree(self.directory / "copy", self.directory / "data")

        restored = self.restart(broker)
        self.assertEqual("before\n", self.rota(restored, "result", done).out)
        # The worker, which never stopped, serves it.
        self.assertEqual("after\n", self.rota(restored, "submit", "--wait", "--", "echo", "after").out)
        self.assertTrue(worker.alive)

    def test_backup_onto_a_store_is_refused_and_changes_nothing(self):
        broker = self.broker()
        other = self.broker(data="other")
        self.submit(other, "--", "true")
        other.stop()
        before = self.contents("other")
        self.assert_refused(self.back_up("data", "other", code=64), "other", "holds a store already", "empty directory")
        self.assertEqual(before, self.contents("other"))
        self.back_up("data", "copy")
        before = self.contents("copy")
        self.assert_refused(self.back_up("data", "copy", code=64), "copy")
        self.assertEqual(before, self.contents("copy"))
        self.assertEqual(0, broker.stop())

    def test_backup_of_no_store_says_so_and_leaves_nothing(self):
        (self.directory / "empty").mkdir()
        for data in ("empty", "missing"):
            self.assert_refused(self.back_up(data, "copy", code=2), data)
            self.assertFalse((self.directory / "copy").exists())

    def test_check_of_a_running_store_names_who_has_it(self):
        broker = self.broker()
        job = self.submit(broker, "--", "true")
        self.assert_refused(self.check("data", code=75), self.directory / "data", broker.pid)
        self.assertEqual("ready", self.status(broker, job)["state"])
        self.assertEqual(0, broker.stop())
        outcome = self.check("data")
        self.assertIn("live jobs", outcome.out)
        self.assertIn("is sound", outcome.lines[-1])

    def test_check_of_no_store(self):
        (self.directory / "empty").mkdir()
        self.assert_refused(self.check("empty", code=2), "empty")
        self.assert_refused(self.check("missing", code=2), "missing")
        self.assertFalse((self.directory / "missing").exists())
        self.assertEqual([], list((self.directory / "empty").iterdir()))


class Damage(StoreTest):
    """A store with a flipped byte in a payload of a job, live or finished."""

    MARK = b"find-these-bytes"

    def damage(self, directory):
        """Flips a bit of the mark wherever it is in the file."""
        file = self.directory / directory / "data.mdb"
        data = bytearray(file.read_bytes())
        places = [match.start() for match in re.finditer(re.escape(self.MARK), data)]
        self.assertTrue(places, "the payload is in the file")
        for place in places:
            data[place] ^= 1
        file.write_bytes(data)

    def assert_named(self, outcome, record):
        self.assertRegex(outcome.out, rf"(?m)^.*{record}.*damaged")
        self.assert_sentence(outcome, "is damaged", "restore the store from a backup", program="rota-broker")

    def test_live_job_is_named_and_stops_the_start(self):
        broker = self.broker()
        self.submit(broker, "--type", "other", "--payload", self.MARK.decode())
        broker.stop()
        self.damage("data")
        before = self.contents("data")
        self.assert_named(self.check("data", code=1), "bodies record 1")
        self.assertEqual(before["data.mdb"], self.contents("data")["data.mdb"])
        refused = self.broker_fails(data=self.directory / "data")
        self.assertNotEqual(0, refused.code)
        self.assert_sentence(refused, "bodies record 1 is damaged", "backup", program="rota-broker")

    def test_finished_job_is_named_by_its_id(self):
        broker = self.broker()
        self.worker(broker)
        job = self.submit(broker, "--wait", "--", "echo", self.MARK.decode())
        job = self.rota(broker, "--output", "json", "list").json_lines()[0]["id"]
        # Filed: until then it lies in two records.
        eventually(lambda: self.filed(broker), 20, "the job is filed", every=0.2)
        broker.stop()
        sound = self.back_up("data", "sound")
        self.assertIn("copied", sound.out)
        self.damage("data")
        self.assert_named(self.check("data", code=1), f"finished record {job}")
        # The broker serves everything else, and the copy made before serves this one too.
        self.check("sound")
        restored = self.broker(data="sound")
        self.assertEqual(self.MARK.decode() + "\n", self.rota(restored, "result", job).out)

    def filed(self, broker):
        return broker.metric(r"^rota_store_swept_total") > 0


if __name__ == "__main__":
    rota_harness.main()
