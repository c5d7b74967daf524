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
  read_list(fields.at("jobs"), "job", limits.max_batch, body.jobs, [&](JobInfo& job) { read_job_info(reader, job); });
}

void write_message(Writer& writer, Request request, const Jobs& body) {
  writer.envelope(MessageType::jobs, request, 1);
  writer.array(body.jobs.size());
  for (const JobInfo& job : body.jobs) write_job_info(writer, job);
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
  if (fields.has("cursor")) body.cursor = reader.clean_text(limits::kMaxCursor);
}

void write_message(Writer& writer, Request request, const AdminReply& body) {
  writer.envelope(MessageType::admin_reply, request, body.cursor.empty() ? 3 : 4);
  writer.number(static_cast<std::uint64_t>(body.code));
  writer.text(body.message);
  writer.array(body.rows.size());
  for (const auto& row : body.rows) write_row(writer, row);
  if (!body.cursor.empty()) writer.text(body.cursor);
}

}  // namespace rota::wire
