// Facts of jobs as JOBS and LISTED carry them; LIST, LISTED.
#include <string>

#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

constexpr std::size_t kIdDigits = 2 * sizeof(JobId::bytes);

void read_job_key(Reader& reader, std::string_view key, JobInfo& job) {
  const auto field = [&](const char* name) -> Reader& {
    reader.set_field(name);
    return reader;
  };
  if (key == "id") {
    job.id = field("id").job_id();
  } else if (key == "code") {
    job.code = field("code").code();
  } else if (key == "message") {
    job.message = field("message").text(limits::kMaxMessageText);
  } else if (key == "name") {
    job.name = field("name").clean_text(limits::kMaxJobName);
  } else if (key == "queue") {
    job.queue = field("queue").queue_name();
  } else if (key == "type") {
    job.type = field("type").type_name();
  } else if (key == "key") {
    job.key = field("key").clean_text(limits::kMaxKey);
  } else if (key == "state") {
    job.state = field("state").job_state();
  } else if (key == "cancel_requested") {
    job.cancel_requested = field("cancel_requested").boolean();
  } else if (key == "priority") {
    job.priority = static_cast<std::int32_t>(field("priority").integer(-128, 127));
  } else if (key == "attempts") {
    job.attempts = field("attempts").number32();
  } else if (key == "losses") {
    job.losses = field("losses").number32();
  } else if (key == "retries") {
    job.retries = field("retries").number32();
  } else if (key == "durability") {
    job.durability = field("durability").durability();
  } else if (key == "created_at") {
    job.created_at = field("created_at").wall();
  } else if (key == "run_at") {
    job.run_at = field("run_at").wall();
  } else if (key == "started_at") {
    job.started_at = field("started_at").wall();
  } else if (key == "finished_at") {
    job.finished_at = field("finished_at").wall();
  } else if (key == "report") {
    read_report(field("report"), job.report);
  } else if (key == "result_size") {
    job.result_size = field("result_size").number();
  } else if (key == "progress") {
    job.progress = field("progress").real();
  } else if (key == "progress_message") {
    job.progress_message = field("progress_message").text(limits::kMaxProgressMessage);
  } else if (key == "waiting_for") {
    job.waiting_for = field("waiting_for").text(limits::kMaxMessageText);
  } else {
    reader.skip();
  }
}

}  // namespace

void read_job_info(Reader& reader, JobInfo& job) {
  reader.set_field("job");
  const std::uint32_t pairs = reader.map(limits::kMaxMapKeys);
  for (std::uint32_t i = 0; i < pairs && reader.ok(); ++i) {
    reader.set_field("key");
    const std::string_view key = reader.text(limits::kMaxHelloText);
    read_job_key(reader, key, job);
  }
  reader.set_field("id");
  if (reader.ok() && job.id.is_nil()) reader.fail(Code::bad_message, "is missing");
}

void write_job_info(Writer& writer, const JobInfo& job) {
  // Twice over the same list: first to count what says something, then to write it.
  const auto visit = [&](auto&& put) {
    const auto number = [&](std::string_view key, std::int64_t value) {
      if (value != 0) put(key, [&writer, value] { writer.integer(value); });
    };
    const auto text = [&](std::string_view key, std::string_view value) {
      if (!value.empty()) put(key, [&writer, value] { writer.text(value); });
    };
    put("id", [&] { writer.uuid(job.id); });
    number("code", static_cast<std::int64_t>(job.code));
    text("message", job.message);
    text("name", job.name);
    text("queue", job.queue);
    text("type", job.type);
    text("key", job.key);
    if (job.code == Code::ok) put("state", [&] { writer.number(static_cast<std::uint64_t>(job.state)); });
    if (job.cancel_requested) put("cancel_requested", [&] { writer.boolean(true); });
    number("priority", job.priority);
    number("attempts", job.attempts);
    number("losses", job.losses);
    number("retries", job.retries);
    number("durability", static_cast<std::int64_t>(job.durability));
    number("created_at", job.created_at.ms);
    number("run_at", job.run_at.ms);
    number("started_at", job.started_at.ms);
    number("finished_at", job.finished_at.ms);
    if (!is_empty_report(job.report, true)) put("report", [&] { write_report(writer, job.report, true); });
    if (job.result_size != 0) put("result_size", [&] { writer.number(job.result_size); });
    if (job.progress) put("progress", [&] { writer.real(*job.progress); });
    text("progress_message", job.progress_message);
    text("waiting_for", job.waiting_for);
  };
  std::size_t count = 0;
  visit([&](std::string_view, auto&&) { ++count; });
  writer.map(count);
  visit([&](std::string_view key, auto&& value) {
    writer.str(key);
    value();
  });
}

namespace {

void read_states(Reader& reader, std::uint32_t& states) {
  const std::uint32_t count = reader.array(kJobStateCount);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const JobState state = reader.job_state();
    states |= 1U << static_cast<unsigned>(state);
  }
}

void write_states(Writer& writer, std::uint32_t states) {
  std::size_t count = 0;
  for (std::uint32_t number = 0; number < kJobStateCount; ++number) count += (states >> number) & 1U;
  writer.array(count);
  for (std::uint32_t number = 0; number < kJobStateCount; ++number) {
    if (((states >> number) & 1U) != 0) writer.number(number);
  }
}

void read_list_key(Reader& reader, std::string_view key, List& body) {
  const auto field = [&](const char* name) -> Reader& {
    reader.set_field(name);
    return reader;
  };
  if (key == "queue") {
    body.queue = field("queue").queue_name();
  } else if (key == "type") {
    body.type = field("type").type_name();
  } else if (key == "states") {
    read_states(field("states"), body.states);
  } else if (key == "since_ms") {
    body.since = field("since_ms").duration();
  } else if (key == "limit") {
    body.limit = field("limit").number32(limits::kMaxListJobs);
    if (reader.ok() && body.limit == 0) reader.fail(Code::bad_message, "must be at least 1");
  } else if (key == "cursor") {
    body.cursor = field("cursor").bytes(limits::kMaxCursor);
  } else if (key == "ending") {
    body.ending = field("ending").text(kIdDigits);
    if (reader.ok() && !is_id_ending(body.ending)) reader.fail(Code::bad_message, "must be 8 to 32 of 0-9 a-f");
  } else {
    reader.skip();
  }
}

}  // namespace

void read_body(Reader& reader, Fields& fields, const DecodeLimits& /*limits*/, List& body) {
  const std::uint32_t pairs = fields.at("filters").map(limits::kMaxMapKeys);
  for (std::uint32_t i = 0; i < pairs && reader.ok(); ++i) {
    reader.set_field("key");
    const std::string_view key = reader.text(limits::kMaxHelloText);
    read_list_key(reader, key, body);
  }
  if (!reader.ok() || body.ending.empty()) return;
  List alone;
  alone.ending = body.ending;
  alone.limit = body.limit;
  reader.set_field("ending");
  if (!(body == alone)) reader.fail(Code::bad_message, "goes with neither filters nor a cursor");
}

void write_message(Writer& writer, Request request, const List& body) {
  writer.envelope(MessageType::list, request, 1);
  // Twice over the same list: first to count what says something, then to write it.
  const auto visit = [&](auto&& put) {
    if (!body.queue.empty()) put("queue", [&] { writer.str(body.queue); });
    if (!body.type.empty()) put("type", [&] { writer.str(body.type); });
    if (body.states != 0) put("states", [&] { write_states(writer, body.states); });
    if (body.since != Millis{0}) put("since_ms", [&] { writer.duration(body.since); });
    if (body.limit != limits::kDefaultListJobs) put("limit", [&] { writer.number(body.limit); });
    if (!body.cursor.empty()) put("cursor", [&] { writer.bytes(body.cursor); });
    if (!body.ending.empty()) put("ending", [&] { writer.str(body.ending); });
  };
  std::size_t count = 0;
  visit([&](std::string_view, auto&&) { ++count; });
  writer.map(count);
  visit([&](std::string_view key, auto&& value) {
    writer.str(key);
    value();
  });
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& /*limits*/, Listed& body) {
  read_list(fields.at("jobs"), "job", limits::kMaxListJobs, body.jobs, [&](JobInfo& job) { read_job_info(reader, job); });
  if (fields.has("cursor")) body.cursor = reader.bytes(limits::kMaxCursor);
}

void write_message(Writer& writer, Request request, const Listed& body) {
  writer.envelope(MessageType::listed, request, body.cursor.empty() ? 1 : 2);
  writer.array(body.jobs.size());
  for (const JobInfo& job : body.jobs) write_job_info(writer, job);
  if (!body.cursor.empty()) writer.bytes(body.cursor);
}

}  // namespace rota::wire
