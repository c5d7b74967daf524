#!/usr/bin/python3
"""What /metrics shows: real values after all kinds of work, Prometheus' own verdict on it, and that its page, the dashboard
and the alert rules name the same metrics. promtool is Debian's; `./scripts/rota deps` fetches it."""

import json
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

import rota_harness
import rota_peer as peer
from rota_harness import QUICK_LEASE, SOURCE, RotaTest, eventually
from rota_peer import Peer

ALERTS = SOURCE / "packaging/prometheus/rota-alerts.yml"
ALERT_TESTS = SOURCE / "tests/integration/alerts_test.yml"
DASHBOARD = SOURCE / "packaging/grafana/rota.json"
PAGE = SOURCE / "docs/metrics.md"
OPERATIONS = SOURCE / "docs/operations.md"

# Of a name that queries use: what the text format adds to a histogram's.
HISTOGRAM_SUFFIX = re.compile(r"_(bucket|sum|count)$")
# `up` is made by Prometheus itself for each target.
METRIC = re.compile(r"\b(?:(?:rota|process)_[a-z0-9_]+|up(?=\{))")
OF_PROMETHEUS = {"up"}


def promtool():
    found = shutil.which("promtool") or shutil.which(str(SOURCE / "build/tools/usr/bin/promtool"))
    if found is None:
        raise FileNotFoundError("promtool is missing: ./scripts/rota deps fetches it from Debian's prometheus package")
    return found


def run_promtool(*arguments, stdin=""):
    return subprocess.run([promtool(), *map(str, arguments)], input=stdin, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)


def families(text):
    """{name: (type, labels)} of a text in Prometheus' format."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            found[name] = (kind, set())
        elif line and not line.startswith("#"):
            name, _, labels = re.match(r"([a-z0-9_]+)(\{(.*)\})? ", line).groups()
            family = name if name in found else HISTOGRAM_SUFFIX.sub("", name)
            found[family][1].update(set(re.findall(r'(\w+)="', labels or "")) - {"le"})
    return found


def documented():
    """The same as families(), from the table of docs/metrics.md."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows}


def used_in(text):
    return {HISTOGRAM_SUFFIX.sub("", name) for name in METRIC.findall(text)}


def dashboard_queries():
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    queries += [one["expr"] for one in dashboard["annotations"]["list"]]
    queries += [one["definition"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    return queries


def alerts():
    """{name: its text}."""
    parts = re.split(r"^ +- alert: (\w+)$", ALERTS.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def kebab(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class MetricsTest(RotaTest):
    def setUp(self):
        super().setUp()
        self.b = self.broker(*QUICK_LEASE)

    def family_total(self, name, **labels):
        total = 0
        for sample, value in self.b.metrics().items():
            head = re.match(r"[a-z0-9_]+", sample).group()
            if head == name and all(f'{key}="{label}"' in sample for key, label in labels.items()):
                total += value
        return total

    def wait_total(self, at_least, name, **labels):
        eventually(lambda: self.family_total(name, **labels) >= at_least, 30,
                   lambda: f"{name}{labels} of at least {at_least}: {self.family_total(name, **labels)}", every=0.1)

    def do_all_kinds_of_work(self):
        b = self.b
        self.worker(b, "--queue", "default", name="steady")
        self.rota(b, "submit", "--array", "1-5", "--wait", "--", "true")
        self.rota(b, "submit", "--durability", "memory", "--wait", "--", "true")
        self.rota(b, "submit", "--wait", "--", "sleep", "0.3")
        self.rota(b, "submit", "--retries", "1", "--backoff", "50ms", "--wait", "--", "false", code=1)
        delayed = self.submit(b, "--delay", "1h", "--", "true")
        self.rota(b, "cancel", delayed)
        self.submit(b, "--delay", "1h", "--", "true")
        same = self.rota(b, "id").out.strip()
        for _ in range(2):
            self.submit(b, "--id", same, "--", "true")
        self.submit(b, "--id", same, "--", "false", code=None)  # CONFLICT
        self.rota(b, "cancel", self.rota(b, "id").out.strip(), code=2)  # NOT_FOUND
        self.submit(b, "--queue", "idle", "--expires", "100ms", "--", "true")
        self.submit(b, "--queue", "idle", "--", "true")
        self.rota(b, "pause", "idle")
        lost = self.worker(b, "--queue", "lossy", name="lost")
        self.submit(b, "--queue", "lossy", "--losses", "0", "--", "sleep", "60")
        eventually(lambda: self.queue(b, "lossy")["running"] == 1, 20, "the job runs")
        lost.kill()
        self.make_stale_and_gone()
        with Peer(b.clients) as stranger:
            stranger.send(b"\xc1 no message")
            stranger.receive()
        self.wait_total(8, "rota_jobs_finished_total", queue="default", state="succeeded")
        self.wait_total(1, "rota_losses_total")
        self.wait_total(1, "rota_jobs_finished_total", queue="idle", state="expired")
        self.waiting = self.start_rota(b, "wait", self.submit(b, "--queue", "idle", "--", "true"))
        self.wait_total(1, "rota_waits")

    def make_stale_and_gone(self):
        job = peer.make_id("raw")
        with Peer(self.b.clients) as client, Peer(self.b.workers) as worker:
            client.hello()
            client.submit([job], queue="raw")
            worker.worker_hello("raw", os.urandom(16), queues=("raw",))
            _, _, epoch, _, items = worker.receive_type(peer.DISPATCH)
            number = items[0][1]
            for request, (which, dispatch) in enumerate([(job, number + 7), (peer.make_id("raw"), number), (job, number)]):
                answer = worker.ask(peer.pack(peer.COMPLETE, 10 + request, number, 1, [[which, epoch, dispatch, 0, 40, []]]))
                self.assertEqual(peer.COMPLETED, answer[0])
            worker.send(peer.pack(peer.GOODBYE, 0, peer.OK, ""))

    def test_every_kind_of_work_shows_in_a_text_that_promtool_takes(self):
        self.do_all_kinds_of_work()
        text = self.b.get("/metrics")[1]
        checked = run_promtool("check", "metrics", stdin=text)
        self.assertEqual((0, ""), (checked.returncode, checked.stdout))
        total = self.family_total
        self.assertEqual(8, total("rota_jobs_finished_total", queue="default", state="succeeded"), text)
        for state in ("failed", "cancelled"):
            self.assertEqual(1, total("rota_jobs_finished_total", queue="default", state=state))
        self.assertEqual(1, total("rota_jobs_finished_total", queue="lossy", state="failed"))
        self.assertEqual(1, total("rota_jobs", queue="default", state="scheduled"))
        self.assertEqual(2, total("rota_jobs", queue="idle", state="ready"))
        self.assertEqual(8 + 1 + 2, total("rota_jobs_accepted_total", queue="default"))
        self.assertEqual(8 + 2, total("rota_dispatches_total", queue="default"))
        self.assertEqual([1, 1, 1], [total(f"rota_{name}_total") for name in ("retries", "losses", "jobs_duplicate")])
        self.assertEqual([1, 1], [total(f"rota_{name}_tokens_total") for name in ("stale", "gone")])
        for code in ("STALE", "GONE", "NOT_FOUND", "CONFLICT"):
            self.assertEqual(1, total("rota_refusals_total", code=code), code)
        self.assertEqual(1, total("rota_bad_messages_total"))
        self.assertEqual((1, 0), (total("rota_queue_paused", queue="idle"), total("rota_queue_workers", queue="idle")))
        self.assertEqual((0, 1), (total("rota_queue_paused", queue="default"), total("rota_queue_workers", queue="default")))
        self.assertEqual(1, total("rota_sessions", side="workers"))
        self.assertGreater(total("rota_oldest_ready_seconds", queue="idle"), 0)
        # A wait for each job that was given out, a run time for each run that ended with a report; the retry is no second wait,
        # and the run that was lost brought no report.
        self.assertEqual(9 + 1 + 1, total("rota_queue_wait_seconds_count"))
        self.assertEqual(8 + 2 + 1, total("rota_run_seconds_count"))
        self.assertGreater(total("rota_run_seconds_sum"), 0.3)
        self.assertEqual(total("rota_run_seconds_count"), total("rota_run_seconds_bucket", le="+Inf"))
        self.assertLess(total("rota_run_seconds_bucket", le="0.2"), total("rota_run_seconds_bucket", le="10"))
        self.assertGreater(total("rota_commit_seconds_count"), 10)
        self.assertGreaterEqual(total("rota_jobs_per_commit_sum"), 14)
        for name in ("messages_received_total", "messages_sent_total", "sent_bytes_total", "store_written_bytes_total",
                     "store_file_bytes", "store_used_bytes", "store_limit_bytes", "store_reserve_bytes", "store_free_bytes",
                     "store_disk_free_bytes", "accepts_submits", "finished_jobs", "index_bytes", "memory_jobs_limit_bytes",
                     "memory_jobs_bytes", "epoch", "build_info", "live_jobs", "queues", "waits"):
            self.assertGreater(total(f"rota_{name}"), 0, name)
        for name in ("cpu_seconds_total", "start_time_seconds", "resident_memory_bytes", "virtual_memory_bytes", "open_fds",
                     "max_fds"):
            self.assertGreater(total(f"process_{name}"), 0, name)
        self.assertEqual(documented(), families(text))

    def test_queues_beyond_the_thousandth_share_one_series(self):
        with Peer(self.b.clients) as client:
            client.hello()
            for number in range(1003):
                name = f"q{number}"
                self.assertEqual([0], client.submit([peer.make_id(name)], queue=name, request=number + 2))
        samples = self.b.metrics()
        self.assertEqual((1003, 3), (samples["rota_queues"], samples["rota_queues_left_out"]))
        self.assertEqual(1, samples['rota_jobs{queue="q999",state="ready"}'])
        self.assertEqual(3, samples['rota_jobs{queue="(others)",state="ready"}'])
        self.assertNotIn('rota_jobs{queue="q1000",state="ready"}', samples)
        self.assertEqual(1003, self.family_total("rota_jobs_accepted_total"))

    def test_commands_that_ended_are_no_sessions_any_more(self):
        self.worker(self.b)
        sessions = lambda: self.family_total("rota_sessions", side="clients")
        job = self.submit(self.b, "--queue", "idle", "--", "true")
        waits = self.start_rota(self.b, "wait", job)
        eventually(lambda: self.family_total("rota_waits") == 1, 20, "the command waits", every=0.05)
        for _ in range(20):
            self.rota(self.b, "submit", "--wait", "--", "true")
            self.rota(self.b, "ping")
        eventually(lambda: sessions() == 1, 10, lambda: f"one session: {sessions()}", every=0.05)
        self.rota(self.b, "cancel", job)
        self.assertEqual(1, waits.wait())
        # Far sooner than the minute after which a silent client is forgotten.
        eventually(lambda: sessions() == 0, 10, lambda: f"no sessions: {sessions()}", every=0.05)

    def test_a_queue_shows_its_rates(self):
        self.worker(self.b)
        self.rota(self.b, "submit", "--array", "1-50", "--wait", "--", "true")
        row = self.queue(self.b)
        self.assertGreater(row["submits_per_s"], 3)
        self.assertGreater(row["finishes_per_s"], 3)


class PagesTest(unittest.TestCase):
    def test_dashboard_and_alerts_name_only_metrics_that_exist(self):
        known = set(documented()) | OF_PROMETHEUS
        for query in dashboard_queries():
            self.assertTrue(used_in(query), query)
            self.assertEqual(set(), used_in(query) - known, query)
        expressions = " ".join(alerts().values())
        self.assertTrue(alerts())
        self.assertEqual(set(), used_in(expressions) - known)

    def test_dashboard_takes_its_data_source_from_a_variable(self):
        dashboard = json.loads(DASHBOARD.read_text())
        names = [one["name"] for one in dashboard["templating"]["list"]]
        self.assertEqual("datasource", names[0])
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        self.assertGreater(len(panels), 20)
        self.assertEqual(len(dashboard["panels"]), len({panel["id"] for panel in dashboard["panels"]}))
        for panel in panels:
            self.assertEqual("${datasource}", panel["datasource"]["uid"], panel["title"])
            self.assertTrue(panel["description"], panel["title"])
            for target in panel["targets"]:
                self.assertEqual("${datasource}", target["datasource"]["uid"], panel["title"])
        for variable in re.findall(r"\$(?:\{)?(\w+)", DASHBOARD.read_text()):
            self.assertIn(variable, [*names, "__rate_interval", "__all"])

    def test_dashboard_queries_are_promql(self):
        rules = ["groups:", "- name: dashboard", "  rules:"]
        for number, query in enumerate(dashboard_queries()):
            if query.startswith("label_values("):
                continue
            query = query.replace("$__rate_interval", "1m")
            rules += [f"  - record: q{number}", f"    expr: {json.dumps(query)}"]
        checked = run_promtool("check", "rules", "/dev/stdin", stdin="\n".join(rules) + "\n")
        self.assertEqual(0, checked.returncode, checked.stdout)

    def test_alert_rules_pass_promtool(self):
        checked = run_promtool("check", "rules", ALERTS)
        self.assertEqual(0, checked.returncode, checked.stdout)

    def test_each_alert_fires_when_it_should_and_only_then(self):
        tested = run_promtool("test", "rules", ALERT_TESTS)
        self.assertEqual(0, tested.returncode, tested.stdout)
        names = re.findall(r"name: '(\w+) (fires|is quiet)", ALERT_TESTS.read_text())
        for end in ("fires", "is quiet"):
            self.assertEqual(set(alerts()), {name for name, what in names if what == end}, f"tests in which an alert {end}")

    def test_each_alert_says_what_it_is_and_where_its_section_stands(self):
        operations = OPERATIONS.read_text()
        for name, text in alerts().items():
            for part in ("summary: ", "description: ", "severity: ", "expr: "):
                self.assertIn(part, text, name)
            anchor = "alert-" + kebab(name)
            self.assertIn(f"runbook_url: docs/operations.md#{anchor}\n", text, name)
            self.assertIn(f'<a id="{anchor}"></a>', operations, name)


if __name__ == "__main__":
    rota_harness.main()
