// What a client asks about jobs: WAIT, NOTIFY, GET, JOBS, CANCEL, RETRY; and administration.
#include <string>

#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

// [id, code, state, attempts, losses, report, result_size, message], trailing nils cut.
void read_notify_item(Reader& reader, NotifyItem& item) {
  Fields fields(reader, "item");
  item.id = fields.at("id").job_id();
  item.code = fields.at("code").code();
  item.state = fields.at("state").job_state();
  item.attempts = fields.at("attempts").number32();
  item.losses = fields.at("losses").number32();
  if (fields.has("report")) read_report(reader, item.report);
  if (fields.has("result_size")) item.result_size = reader.number();
  if (fields.has("message")) item.message = reader.text(limits::kMaxMessageText);
}

void write_notify_item(Writer& writer, const NotifyItem& item) {
  const bool empty = is_empty_report(item.report, true);
  const std::size_t fields = !item.message.empty() ? 8 : item.result_size != 0 ? 7 : !empty ? 6 : 5;
  writer.array(fields);
  writer.uuid(item.id);
  writer.number(static_cast<std::uint64_t>(item.code));
  writer.number(static_cast<std::uint64_t>(item.state));
  writer.number(item.attempts);
  writer.number(item.losses);
  if (fields >= 6) empty ? writer.nil() : write_report(writer, item.report, true);
  if (fields >= 7) writer.number(item.result_size);
  if (fields >= 8) writer.text(item.message);
}

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

void read_job(Reader& reader, JobInfo& job) {
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

void write_job(Writer& writer, const JobInfo& job) {
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

// A row of ADMIN_REPLY: {name: integer, real, boolean or string}.
void read_row(Reader& reader, std::vector<AdminValue>& row) {
  reader.set_field("row");
  const std::uint32_t pairs = reader.map(limits::kMaxMapKeys);
  row.reserve(pairs);
  for (std::uint32_t i = 0; i < pairs && reader.ok(); ++i) {
    AdminValue& value = row.emplace_back();
    value.name = reader.text(limits::kMaxHelloText);
    switch (reader.next_kind()) {
      case ValueKind::number:
      case ValueKind::negative:
        value.value = reader.integer();
        break;
      case ValueKind::real:
        value.value = reader.real();
        break;
      case ValueKind::boolean:
        value.value = reader.boolean();
        break;
      default:
        value.value = reader.text(limits::kMaxMessageText);
        break;
    }
  }
}

void write_row(Writer& writer, const std::vector<AdminValue>& row) {
  writer.map(row.size());
  for (const AdminValue& value : row) {
    writer.text(value.name);
    if (const auto* integer = std::get_if<std::int64_t>(&value.value)) writer.integer(*integer);
    if (const auto* real = std::get_if<double>(&value.value)) writer.real(*real);
    if (const auto* boolean = std::get_if<bool>(&value.value)) writer.boolean(*boolean);
    if (const auto* text = std::get_if<std::string_view>(&value.value)) writer.text(*text);
  }
}

}  // namespace

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& limits, Wait& body) {
  body.with_result = fields.at("with_result").boolean();
  read_ids(fields.at("ids"), limits.max_batch, body.ids);
}

void write_message(Writer& writer, Request request, const Wait& body) {
  writer.envelope(MessageType::wait, request, 2);
  writer.boolean(body.with_result);
  write_ids(writer, body.ids);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Notify& body) {
  read_list(fields.at("items"), "item", limits.max_batch, body.items,
            [&](NotifyItem& item) { read_notify_item(reader, item); });
}

void write_message(Writer& writer, Request request, const Notify& body) {
  writer.envelope(MessageType::notify, request, 1);
  writer.array(body.items.size());
  for (const NotifyItem& item : body.items) write_notify_item(writer, item);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& limits, Get& body) {
  body.with_result = fields.at("with_result").boolean();
  read_ids(fields.at("ids"), limits.max_batch, body.ids);
}

void write_message(Writer& writer, Request request, const Get& body) {
  writer.envelope(MessageType::get, request, 2);
  writer.boolean(body.with_result);
  write_ids(writer, body.ids);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Jobs& body) {
  read_list(fields.at("jobs"), "job", limits.max_batch, body.jobs, [&](JobInfo& job) { read_job(reader, job); });
}

void write_message(Writer& writer, Request request, const Jobs& body) {
  writer.envelope(MessageType::jobs, request, 1);
  writer.array(body.jobs.size());
  for (const JobInfo& job : body.jobs) write_job(writer, job);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& limits, Cancel& body) {
  read_ids(fields.at("ids"), limits.max_batch, body.ids);
}

void write_message(Writer& writer, Request request, const Cancel& body) {
  writer.envelope(MessageType::cancel, request, 1);
  write_ids(writer, body.ids);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Retry& body) {
  read_list(fields.at("items"), "item", limits.max_batch, body.items, [&](Retry::Item& item) {
    Fields item_fields(reader, "item");
    item.id = item_fields.at("id").job_id();
    if (item_fields.has("attempt_seen")) item.attempt_seen = reader.number32();
  });
}

void write_message(Writer& writer, Request request, const Retry& body) {
  writer.envelope(MessageType::retry, request, 1);
  writer.array(body.items.size());
  for (const Retry::Item& item : body.items) {
    writer.array(item.attempt_seen ? 2 : 1);
    writer.uuid(item.id);
    if (item.attempt_seen) writer.number(*item.attempt_seen);
  }
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& /*limits*/, Admin& body) {
  body.verb = fields.at("verb").clean_text(limits::kMaxVerb);
  if (fields.has("arguments")) read_strings(reader, limits::kMaxMapKeys, limits::kMaxHeaderBytes, body.arguments);
}

void write_message(Writer& writer, Request request, const Admin& body) {
  writer.envelope(MessageType::admin, request, 2);
  writer.str(body.verb);
  write_strings(writer, body.arguments);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& /*limits*/, AdminReply& body) {
  body.code = fields.at("code").code();
  body.message = fields.at("message").text(limits::kMaxMessageText);
  read_list(fields.at("rows"), "row", limits::kMaxQueues, body.rows,
            [&](std::vector<AdminValue>& row) { read_row(reader, row); });
}

void write_message(Writer& writer, Request request, const AdminReply& body) {
  writer.envelope(MessageType::admin_reply, request, 3);
  writer.number(static_cast<std::uint64_t>(body.code));
  writer.text(body.message);
  writer.array(body.rows.size());
  for (const auto& row : body.rows) write_row(writer, row);
}

}  // namespace rota::wire
