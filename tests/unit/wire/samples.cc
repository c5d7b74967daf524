#include "tests/unit/wire/samples.h"

#include "common/base/check.h"
#include "common/base/uuid.h"

namespace rota::wire::test {
namespace {

constexpr std::string_view kLine = "photo 1.jpg";
constexpr std::string_view kCursor = "\x07\x01\xa2\x03\xa2\x4e\x40";  // opaque: no reader looks into it
constexpr std::string_view kAdminCursor = "00c0ffee01";

Uuid uuid(std::string_view text) {
  const auto parsed = parse_uuid(text);
  ROTA_CHECK(parsed.has_value());
  return *parsed;
}

TokenOf token(std::uint8_t last, std::uint64_t dispatch) { return {sample_id(last), {3, dispatch}}; }

Hello client_hello() {
  Hello hello;
  hello.software = "rota 0.1.0";
  hello.host = "desk";
  hello.pid = 4711;
  return hello;
}

Hello worker_hello() {
  Hello hello;
  hello.software = "rota-worker 0.1.0";
  hello.host = "node1";
  hello.pid = 815;
  hello.session = uuid("6c1f0f5e-3b0a-4c2d-9e61-0a1b2c3d4e5f");
  hello.connection = 2;
  hello.name = "node1-x7";
  hello.boot_id = "b1946ac9-2f3e-4d5a-8c7b-1029384756af";
  hello.start_time = 123456;
  hello.slots = 4;
  hello.credit = 12;
  hello.queues = {{"default", 1}, {"mail", 3}};
  hello.types = {"exec"};
  hello.labels = {{"zone", "a"}};
  hello.started = {token(1, 41)};
  hello.held = {token(2, 42)};
  hello.finished = {token(3, 40)};
  return hello;
}

Welcome client_welcome() {
  Welcome welcome;
  welcome.broker_id = uuid("0f9d3c1a-7b52-4e08-a6f4-112233445566");
  welcome.software = "rota-broker 0.1.0";
  welcome.wall = Wall{1795343400000};
  welcome.slots = {{0, 4095, 3}};
  welcome.max_payload = 1048576;
  welcome.max_batch = 4096;
  welcome.max_message = 8388608;
  welcome.dedup_window = Millis{600000};
  welcome.clients_endpoint = "tcp://*:5555";
  welcome.workers_endpoint = "tcp://*:5556";
  return welcome;
}

Welcome worker_welcome() {
  Welcome welcome = client_welcome();
  welcome.lease = Millis{15000};
  welcome.started = {Code::ok};
  welcome.held = {Code::gone};
  welcome.finished = {Code::stale};
  return welcome;
}

Submit typed_submit() {
  Submit submit;
  submit.notify = true;
  SubmitShared& shared = submit.shared.emplace_back();
  shared.queue = "default";
  shared.type = "thumbnail";
  shared.options.priority = 5;
  shared.options.retries = 3;
  SubmitItem& plain = submit.items.emplace_back();
  plain.id = sample_id(1);
  plain.payload = "a.png";
  SubmitItem& keyed = submit.items.emplace_back();
  keyed.id = sample_id(2);
  keyed.payload = "b.png";
  keyed.key = "b";
  return submit;
}

Submit command_submit() {
  Submit submit;
  SubmitShared& shared = submit.shared.emplace_back();
  shared.queue = "default";
  shared.type = "exec";
  shared.spec = sample_spec();
  SubmitItem& line = submit.items.emplace_back();
  line.id = sample_id(1);
  line.selector.kind = Selector::Kind::line;
  line.selector.line = kLine;
  SubmitItem& index = submit.items.emplace_back();
  index.id = sample_id(2);
  index.selector.kind = Selector::Kind::index;
  index.selector.index = 7;
  return submit;
}

Submit every_option_submit() {
  Submit submit;
  SubmitShared& shared = submit.shared.emplace_back();
  shared.queue = "default";
  shared.type = "thumbnail";
  JobOptions& options = shared.options;
  options.priority = -7;
  options.delay = Millis{1000};
  options.run_at = Wall{1795347000000};
  options.time_limit = Millis{60000};
  options.retries = 3;
  options.backoff = Millis{2000};
  options.backoff_factor_milli = 1500;
  options.backoff_max = Millis{30000};
  options.losses = 2;
  options.expires = Millis{3600000};
  options.keep = Millis{0};
  options.key_for = Millis{5000};
  options.durability = Durability::memory;
  options.stop_on_disconnect = true;
  submit.items.emplace_back().id = sample_id(1);
  return submit;
}

ItemResult plain() {
  ItemResult result;
  result.plain = true;
  return result;
}

Submitted submitted() {
  Submitted body;
  body.items.push_back(plain());
  ItemResult& again = body.items.emplace_back();
  again.code = Code::duplicate;
  again.state = JobState::running;
  again.id = sample_id(9);
  again.created_at = Wall{1795343400000};
  again.run_at = Wall{1795343400000};
  ItemResult& refused = body.items.emplace_back();
  refused.code = Code::store_full;
  refused.message = "the store has reached --store-limit";
  body.retry_after = Millis{100};
  return body;
}

Notify notify() {
  Notify body;
  NotifyItem& done = body.items.emplace_back();
  done.id = sample_id(1);
  done.attempts = 1;
  done.report.worker = "node1-x7";
  done.report.exit_code = 0;
  done.report.result = "ok\n";
  done.result_size = 3;
  NotifyItem& failed = body.items.emplace_back();
  failed.id = sample_id(2);
  failed.state = JobState::failed;
  failed.attempts = 2;
  failed.losses = 1;
  failed.report = sample_report();
  NotifyItem& unknown = body.items.emplace_back();
  unknown.id = sample_id(3);
  unknown.code = Code::not_found;
  unknown.message = "no such job";
  return body;
}

Jobs jobs() {
  Jobs body;
  JobInfo& job = body.jobs.emplace_back();
  job.id = sample_id(1);
  job.name = "thumbnails";
  job.queue = "default";
  job.type = "exec";
  job.key = "k";
  job.state = JobState::running;
  job.cancel_requested = true;
  job.priority = -1;
  job.attempts = 2;
  job.losses = 1;
  job.retries = 3;
  job.durability = Durability::memory;
  job.created_at = Wall{1795343400000};
  job.run_at = Wall{1795343401000};
  job.started_at = Wall{1795343402000};
  job.finished_at = Wall{1795343403000};
  job.report = sample_report();
  job.result_size = 5;
  job.waiting_for = "nothing";
  JobInfo& unknown = body.jobs.emplace_back();
  unknown.id = sample_id(2);
  unknown.code = Code::not_found;
  unknown.message = "no such job";
  return body;
}

Results results() {
  Results body;
  ItemResult& cancelled = body.items.emplace_back();
  cancelled.state = JobState::cancelled;
  cancelled.id = sample_id(1);
  ItemResult& unknown = body.items.emplace_back();
  unknown.code = Code::not_found;
  unknown.message = "no such job";
  body.items.push_back(plain());
  return body;
}

List list() {
  List body;
  body.queue = "mail";
  body.type = "send";
  body.states = 1U << static_cast<unsigned>(JobState::ready) | 1U << static_cast<unsigned>(JobState::failed);
  body.since = Millis{3600000};
  body.limit = 20;
  body.cursor = kCursor;
  return body;
}

List list_ending() {
  List body;
  body.ending = "2345678901";
  return body;
}

Listed listed() {
  Listed body;
  JobInfo& ready = body.jobs.emplace_back();
  ready.id = sample_id(2);
  ready.queue = "default";
  ready.type = "exec";
  ready.created_at = Wall{1795343400000};
  JobInfo& done = body.jobs.emplace_back();
  done.id = sample_id(1);
  done.queue = "default";
  done.type = "exec";
  done.state = JobState::succeeded;
  done.attempts = 1;
  done.created_at = Wall{1795343400000};
  done.finished_at = Wall{1795343403000};
  done.report.exit_code = 0;
  done.report.worker = "node1-x7";
  done.result_size = 5;
  body.cursor = kCursor;
  return body;
}

AdminReply admin_reply() {
  AdminReply body;
  body.rows.push_back(
      {{"queue", std::string_view("default")}, {"paused", false}, {"ready", std::int64_t{12}}, {"oldest_ready_s", 1.5}});
  return body;
}

AdminReply purge_reply() {
  AdminReply body;
  body.rows.push_back(
      {{"forgotten", std::int64_t{1000}}, {"more", true}, {"through", std::int64_t{52310}}, {"cursor", kAdminCursor}});
  return body;
}

// encode_spec() of sample_spec(), as tests/golden/spec.hex has it.
constexpr std::string_view kSpecBytes =
    "\x93\x93\x93\xc4\x07\x63\x6f\x6e\x76\x65\x72\x74\xc4\x02\x7b\x7d\xc4\x07\x6f\x75\x74\x2e\x6a\x70\x67\x92\xc4\x04\x4c"
    "\x41"
    "\x4e\x47\xc4\x01\x43\xc4\x04\x2f\x74\x6d\x70\x81\xa5\x74\x72\x61\x63\x65\xa5\x30\x30\x2d\x61\x62\xaa\x74\x68\x75\x6d"
    "\x62"
    "\x6e\x61\x69\x6c\x73";

Dispatch dispatch() {
  Dispatch body;
  body.epoch = 3;
  DispatchShared& command = body.shared.emplace_back();
  command.queue = "default";
  command.type = "exec";
  command.time_limit = Millis{60000};
  command.stop_on_disconnect = true;
  command.spec = kSpecBytes;
  DispatchShared& typed = body.shared.emplace_back();
  typed.queue = "mail";
  typed.type = "send";
  typed.spec = "\x90";
  DispatchItem& first = body.items.emplace_back();
  first.dispatch = 41;
  first.id = sample_id(1);
  first.selector.kind = Selector::Kind::line;
  first.selector.line = kLine;
  first.expires_in = Millis{5000};
  DispatchItem& second = body.items.emplace_back();
  second.shared = 1;
  second.dispatch = 42;
  second.id = sample_id(2);
  second.attempt = 2;
  second.payload = "hello";
  return body;
}

Complete complete() {
  Complete body;
  body.started_through = 42;
  body.credit = 12;
  CompleteItem& small = body.items.emplace_back();
  small.job = token(1, 41);
  small.started_ago = Millis{12};
  small.report.result = "ok";
  CompleteItem& command = body.items.emplace_back();
  command.job = token(2, 42);
  command.end = AttemptEnd::failed;
  command.started_ago = Millis{250};
  command.report = sample_report();
  command.report.worker = {};
  CompleteItem& empty = body.items.emplace_back();
  empty.job = token(3, 40);
  return body;
}

Renew renew() {
  Renew body;
  body.started_through = 42;
  body.credit = 12;
  body.progress = {{token(1, 41), 0.5, "half"}, {token(2, 42), 0.25, ""}};
  return body;
}

void add_session_samples(std::vector<Sample>& out) {
  out.push_back({"hello_client", "HELLO of a client", {1, client_hello()}});
  out.push_back({"hello_worker", "HELLO of a worker that reconnects with jobs in hand", {1, worker_hello()}});
  out.push_back({"welcome_client", "WELCOME to a client", {1, client_welcome()}});
  out.push_back({"welcome_worker", "WELCOME to a worker, with an answer to each token", {1, worker_welcome()}});
  out.push_back({"error",
                 "ERROR: a request that failed as a whole",
                 {7, ErrorReply{Code::retry_later, "too many bytes wait for the disk", Millis{100}}}});
  out.push_back({"ping", "PING", {7, Ping{}}});
  out.push_back({"pong", "PONG", {7, Pong{}}});
  out.push_back({"goodbye", "GOODBYE", {0, Goodbye{Code::shutting_down, "the broker stops"}}});
}

void add_client_samples(std::vector<Sample>& out) {
  out.push_back({"submit", "SUBMIT of two typed jobs that share queue, type and options", {2, typed_submit()}});
  out.push_back({"submit_command", "SUBMIT of a command, once for a line and once for an index", {3, command_submit()}});
  out.push_back({"submit_options", "SUBMIT of a job with every option", {4, every_option_submit()}});
  out.push_back({"submitted", "SUBMITTED: accepted, accepted before, refused for now", {2, submitted()}});
  out.push_back({"wait", "WAIT for two jobs and their results", {5, Wait{true, {sample_id(1), sample_id(2)}}}});
  out.push_back({"notify", "NOTIFY: succeeded, failed, unknown", {5, notify()}});
  out.push_back({"get", "GET of one job without its result", {6, Get{false, {sample_id(1)}}}});
  out.push_back({"jobs", "JOBS: a job with every key, and one that is not known", {6, jobs()}});
  out.push_back({"cancel", "CANCEL of one job", {8, Cancel{{sample_id(1)}}}});
  out.push_back({"retry",
                 "RETRY of two jobs, one only if it is still at attempt 2",
                 {9, Retry{{{sample_id(1), 2}, {sample_id(2), {}}}}}});
  out.push_back({"results", "RESULTS: cancelled, not known, done as asked", {8, results()}});
  out.push_back({"list", "LIST: the next page of a filtered list", {14, list()}});
  out.push_back({"list_ending", "LIST: whose id ends like this?", {15, list_ending()}});
  out.push_back({"listed", "LISTED: two jobs, and more to come", {14, listed()}});
  out.push_back({"admin", "ADMIN: pause a queue", {10, Admin{"pause", {{"queue", "default"}}}}});
  out.push_back({"admin_reply", "ADMIN_REPLY with one row", {11, admin_reply()}});
  out.push_back({"admin_purge",
                 "ADMIN: purge the queued jobs of a queue",
                 {16, Admin{"purge", {{"queue", "default"}, {"state", "ready,scheduled"}}}}});
  out.push_back({"admin_purge_reply", "ADMIN_REPLY: a slice is purged, there are more", {16, purge_reply()}});
  out.push_back(
      {"admin_retry",
       "ADMIN: the next slice of a retry",
       {17, Admin{"retry", {{"queue", "default"}, {"state", "failed"}, {"through", "52310"}, {"cursor", kAdminCursor}}}}});
}

void add_worker_samples(std::vector<Sample>& out) {
  out.push_back({"dispatch", "DISPATCH of a command and of a typed job", {0, dispatch()}});
  out.push_back({"complete", "COMPLETE: a small result, a failed command, nothing to report", {12, complete()}});
  out.push_back(
      {"completed", "COMPLETED: consumed, superseded, unknown", {12, Completed{{Code::ok, Code::stale, Code::gone}}}});
  out.push_back({"renew", "RENEW with the progress of two jobs", {13, renew()}});
  out.push_back({"renewed", "RENEWED for 15 s", {13, Renewed{Millis{15000}}}});
  out.push_back({"reclaim", "RECLAIM of one job", {0, Reclaim{{token(2, 42)}}}});
  out.push_back({"released", "RELEASED: one job given back unstarted", {0, Released{{token(2, 42)}, 12}}});
  out.push_back({"cancel_jobs", "CANCEL_JOBS: stop one job", {0, CancelJobs{{token(1, 41)}}}});
  out.push_back({"drain", "DRAIN", {0, Drain{}}});
}

}  // namespace

JobId sample_id(std::uint8_t last) {
  JobId id = uuid("01a203a2-4e40-7656-8a2b-0123456789ab");
  id.bytes[15] = last;
  return id;
}

Spec sample_spec() {
  Spec spec;
  spec.name = "thumbnails";
  spec.headers = {{"trace", "00-ab"}};
  Command& command = spec.command.emplace();
  command.argv = {"convert", "{}", "out.jpg"};
  command.env = {{"LANG", "C"}};
  command.cwd = "/tmp";
  return spec;
}

Report sample_report() {
  Report report;
  report.worker = "node1-x7";
  report.exit_code = 143;
  report.signal = 15;
  report.error_code = "EXIT";
  report.error_message = "killed by signal 15";
  report.result = "half";
  report.stderr_tail = "Terminated\n";
  return report;
}

std::vector<Sample> samples() {
  std::vector<Sample> out;
  add_session_samples(out);
  add_client_samples(out);
  add_worker_samples(out);
  return out;
}

}  // namespace rota::wire::test
