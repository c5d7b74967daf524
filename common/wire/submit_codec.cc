// SUBMIT and its answer, and what answers CANCEL and RETRY likewise.
#include <string>

#include "common/base/names.h"
#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

constexpr std::uint64_t kNotifyFlag = 1;

// [queue, type, options, spec], trailing nils cut.
void read_shared(Reader& reader, SubmitShared& shared) {
  Fields fields(reader, "shared part");
  shared.queue = fields.at("queue name").queue_name();
  shared.type = fields.at("type name").type_name();
  if (fields.has("options")) read_options(reader, shared.options);
  if (fields.has("spec")) read_spec(reader, shared.spec);
  if (shared.type == kExecType && !shared.spec.command) {
    reader.set_field("command");
    reader.fail(Code::bad_message, "is missing: a job of type exec runs one");
  }
}

void write_shared(Writer& writer, const SubmitShared& shared) {
  const Spec& spec = shared.spec;
  const bool has_spec = spec.command || !spec.headers.empty() || !spec.name.empty();
  const bool has_options = shared.options != JobOptions{};
  writer.array(has_spec ? 4 : has_options ? 3 : 2);
  writer.str(shared.queue);
  writer.str(shared.type);
  if (has_options) {
    write_options(writer, shared.options);
  } else if (has_spec) {
    writer.nil();
  }
  if (has_spec) write_spec(writer, spec);
}

// [shared, id, payload, selector, key], trailing nils cut.
void read_item(Reader& reader, const DecodeLimits& limits, std::size_t shared_parts, SubmitItem& item) {
  Fields fields(reader, "item");
  item.shared = fields.at("shared").number32();
  if (reader.ok() && item.shared >= shared_parts) {
    reader.fail(Code::bad_message,
                "of " + std::to_string(item.shared) + " names no shared part: there are " + std::to_string(shared_parts));
  }
  item.id = fields.at("id").job_id();
  if (fields.has("payload")) item.payload = reader.bytes(limits.max_payload);
  if (fields.has("selector")) read_selector(reader, item.selector);
  if (fields.has("key")) item.key = reader.clean_text(limits::kMaxKey);
}

void write_item(Writer& writer, const SubmitItem& item) {
  const bool selected = item.selector.kind != Selector::Kind::none;
  const std::size_t fields = !item.key.empty() ? 5 : selected ? 4 : !item.payload.empty() ? 3 : 2;
  writer.array(fields);
  writer.number(item.shared);
  writer.uuid(item.id);
  if (fields >= 3) item.payload.empty() ? writer.nil() : writer.bytes(item.payload);
  if (fields >= 4) write_selector(writer, item.selector);
  if (fields >= 5) writer.str(item.key);
}

// 0, or [code, state, durability, id, created_at, run_at, message], trailing nils cut.
void read_result(Reader& reader, ItemResult& item) {
  reader.set_field("result");
  if (reader.next_kind() == ValueKind::number) {
    if (reader.number() != 0) reader.fail(Code::bad_message, "must be 0 or an array");
    item.plain = true;
    return;
  }
  Fields fields(reader, "result");
  item.code = fields.at("code").code();
  item.state = fields.at("state").job_state();
  item.durability = fields.at("durability").durability();
  if (fields.has("id")) item.id = reader.job_id();
  if (fields.has("created_at")) item.created_at = reader.wall();
  if (fields.has("run_at")) item.run_at = reader.wall();
  if (fields.has("message")) item.message = reader.text(limits::kMaxMessageText);
}

void write_result(Writer& writer, const ItemResult& item) {
  if (item.plain) {
    writer.number(0);
    return;
  }
  const bool times = item.created_at.ms != 0 || item.run_at.ms != 0;
  const std::size_t fields = !item.message.empty() ? 7 : times ? 6 : !item.id.is_nil() ? 4 : 3;
  writer.array(fields);
  writer.number(static_cast<std::uint64_t>(item.code));
  writer.number(static_cast<std::uint64_t>(item.state));
  writer.number(static_cast<std::uint64_t>(item.durability));
  if (fields >= 4) item.id.is_nil() ? writer.nil() : writer.uuid(item.id);
  if (fields >= 6) {
    writer.wall(item.created_at);
    writer.wall(item.run_at);
  }
  if (fields >= 7) writer.text(item.message);
}

void read_results(Reader& reader, const DecodeLimits& limits, std::vector<ItemResult>& items) {
  read_list(reader, "item", limits.max_batch, items, [&](ItemResult& item) { read_result(reader, item); });
}

void write_results(Writer& writer, const std::vector<ItemResult>& items) {
  writer.array(items.size());
  for (const ItemResult& item : items) write_result(writer, item);
}

}  // namespace

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Submit& body) {
  const std::uint64_t flags = fields.at("flags").number();
  if ((flags & ~kNotifyFlag) != 0) reader.fail(Code::bad_message, "hold a bit that is not known");
  body.notify = (flags & kNotifyFlag) != 0;
  read_list(fields.at("shared parts"), "shared part", limits::kMaxShared, body.shared,
            [&](SubmitShared& shared) { read_shared(reader, shared); });
  read_list(fields.at("items"), "item", limits.max_batch, body.items,
            [&](SubmitItem& item) { read_item(reader, limits, body.shared.size(), item); });
}

void write_message(Writer& writer, Request request, const Submit& body) {
  writer.envelope(MessageType::submit, request, 3);
  writer.number(body.notify ? kNotifyFlag : 0);
  writer.array(body.shared.size());
  for (const SubmitShared& shared : body.shared) write_shared(writer, shared);
  writer.array(body.items.size());
  for (const SubmitItem& item : body.items) write_item(writer, item);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Submitted& body) {
  read_results(fields.at("items"), limits, body.items);
  if (fields.has("retry_after")) body.retry_after = reader.duration();
}

void write_message(Writer& writer, Request request, const Submitted& body) {
  const bool hint = body.retry_after.count() != 0;
  writer.envelope(MessageType::submitted, request, hint ? 2 : 1);
  write_results(writer, body.items);
  if (hint) writer.duration(body.retry_after);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& limits, Results& body) {
  read_results(fields.at("items"), limits, body.items);
}

void write_message(Writer& writer, Request request, const Results& body) {
  writer.envelope(MessageType::results, request, 1);
  write_results(writer, body.items);
}

}  // namespace rota::wire
