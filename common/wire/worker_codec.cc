// The worker side: DISPATCH, COMPLETE, RENEW, their answers, and what asks for jobs back.
#include <string>

#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

// [queue, type, spec, time_limit, stop_on_disconnect], trailing fields cut where they hold 0 and false.
void read_shared(Reader& reader, DispatchShared& shared) {
  Fields fields(reader, "shared part");
  shared.queue = fields.at("queue name").queue_name();
  shared.type = fields.at("type name").type_name();
  shared.spec = fields.at("spec").bytes(limits::kMaxMessageBytes);
  if (fields.has("time_limit")) shared.time_limit = reader.duration();
  if (fields.has("stop_on_disconnect")) shared.stop_on_disconnect = reader.boolean();
}

void write_shared(Writer& writer, const DispatchShared& shared) {
  const std::size_t fields = shared.stop_on_disconnect ? 5 : shared.time_limit.count() != 0 ? 4 : 3;
  writer.array(fields);
  writer.str(shared.queue);
  writer.str(shared.type);
  writer.bytes(shared.spec);
  if (fields >= 4) writer.duration(shared.time_limit);
  if (fields >= 5) writer.boolean(true);
}

// [shared, dispatch, id, attempt, payload, selector, expires_in], trailing nils cut.
void read_item(Reader& reader, std::size_t shared_parts, DispatchItem& item) {
  Fields fields(reader, "item");
  item.shared = fields.at("shared").number32();
  if (reader.ok() && item.shared >= shared_parts) {
    reader.fail(Code::bad_message,
                "of " + std::to_string(item.shared) + " names no shared part: there are " + std::to_string(shared_parts));
  }
  item.dispatch = fields.at("dispatch").number();
  item.id = fields.at("id").job_id();
  item.attempt = fields.at("attempt").number32();
  if (fields.has("payload")) item.payload = reader.bytes(limits::kLargestMaxPayload);
  if (fields.has("selector")) read_selector(reader, item.selector);
  if (fields.has("expires_in")) item.expires_in = reader.duration();
}

void write_item(Writer& writer, const DispatchItem& item) {
  const bool selected = item.selector.kind != Selector::Kind::none;
  const std::size_t fields = item.expires_in.count() != 0 ? 7 : selected ? 6 : !item.payload.empty() ? 5 : 4;
  writer.array(fields);
  writer.number(item.shared);
  writer.number(item.dispatch);
  writer.uuid(item.id);
  writer.number(item.attempt);
  if (fields >= 5) item.payload.empty() ? writer.nil() : writer.bytes(item.payload);
  if (fields >= 6) write_selector(writer, item.selector);
  if (fields >= 7) writer.duration(item.expires_in);
}

// [id, epoch, dispatch, end, started_ago, report], a trailing nil cut.
void read_completion(Reader& reader, CompleteItem& item) {
  Fields fields(reader, "item");
  item.job.id = fields.at("id").job_id();
  item.job.token.epoch = fields.at("epoch").number();
  item.job.token.dispatch = fields.at("dispatch").number();
  const std::uint64_t end = fields.at("end").number();
  const auto known = attempt_end_from_number(end);
  if (!known) reader.fail(Code::bad_message, "of " + std::to_string(end) + " is not a way for an attempt to end");
  item.end = known.value_or(AttemptEnd::failed);
  item.started_ago = fields.at("started_ago").duration();
  if (fields.has("report")) read_report(reader, item.report);
}

void write_completion(Writer& writer, const CompleteItem& item) {
  const bool empty = is_empty_report(item.report, false);
  writer.array(empty ? 5 : 6);
  writer.uuid(item.job.id);
  writer.number(item.job.token.epoch);
  writer.number(item.job.token.dispatch);
  writer.number(static_cast<std::uint64_t>(item.end));
  writer.duration(item.started_ago);
  if (!empty) write_report(writer, item.report, false);
}

// [id, epoch, dispatch, fraction, message], a trailing nil cut.
void read_progress(Reader& reader, Renew::Progress& progress) {
  Fields fields(reader, "progress");
  progress.job.id = fields.at("id").job_id();
  progress.job.token.epoch = fields.at("epoch").number();
  progress.job.token.dispatch = fields.at("dispatch").number();
  progress.fraction = fields.at("fraction").real();
  if (reader.ok() && !(progress.fraction >= 0 && progress.fraction <= 1)) {
    reader.fail(Code::bad_message, "must be within 0 and 1");
  }
  if (fields.has("message")) progress.message = reader.text(limits::kMaxProgressMessage);
}

void write_progress(Writer& writer, const Renew::Progress& progress) {
  writer.array(progress.message.empty() ? 4 : 5);
  writer.uuid(progress.job.id);
  writer.number(progress.job.token.epoch);
  writer.number(progress.job.token.dispatch);
  writer.real(progress.fraction);
  if (!progress.message.empty()) writer.text(progress.message);
}

// As many as a worker can hold.
void read_tokens(Reader& reader, std::vector<TokenOf>& tokens) {
  read_list(reader, "job", limits::kMaxCredit, tokens, [&](TokenOf& token) { read_token(reader, token); });
}

void write_tokens(Writer& writer, const std::vector<TokenOf>& tokens) {
  writer.array(tokens.size());
  for (const TokenOf& token : tokens) write_token(writer, token);
}

}  // namespace

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Dispatch& body) {
  body.epoch = fields.at("epoch").number();
  read_list(fields.at("shared parts"), "shared part", limits::kMaxShared, body.shared,
            [&](DispatchShared& shared) { read_shared(reader, shared); });
  read_list(fields.at("items"), "item", limits.max_batch, body.items,
            [&](DispatchItem& item) { read_item(reader, body.shared.size(), item); });
}

void write_message(Writer& writer, Request request, const Dispatch& body) {
  writer.envelope(MessageType::dispatch, request, 3);
  writer.number(body.epoch);
  writer.array(body.shared.size());
  for (const DispatchShared& shared : body.shared) write_shared(writer, shared);
  writer.array(body.items.size());
  for (const DispatchItem& item : body.items) write_item(writer, item);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Complete& body) {
  body.started_through = fields.at("started_through").number();
  body.credit = fields.at("credit").number32(limits::kMaxCredit);
  read_list(fields.at("items"), "item", limits.max_batch, body.items,
            [&](CompleteItem& item) { read_completion(reader, item); });
}

void write_message(Writer& writer, Request request, const Complete& body) {
  writer.envelope(MessageType::complete, request, 3);
  writer.number(body.started_through);
  writer.number(body.credit);
  writer.array(body.items.size());
  for (const CompleteItem& item : body.items) write_completion(writer, item);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& limits, Completed& body) {
  read_codes(fields.at("codes"), limits.max_batch, body.codes);
}

void write_message(Writer& writer, Request request, const Completed& body) {
  writer.envelope(MessageType::completed, request, 1);
  write_codes(writer, body.codes);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Renew& body) {
  body.started_through = fields.at("started_through").number();
  body.credit = fields.at("credit").number32(limits::kMaxCredit);
  if (!fields.has("progress")) return;
  read_list(reader, "job", limits.max_batch, body.progress,
            [&](Renew::Progress& progress) { read_progress(reader, progress); });
}

void write_message(Writer& writer, Request request, const Renew& body) {
  writer.envelope(MessageType::renew, request, body.progress.empty() ? 2 : 3);
  writer.number(body.started_through);
  writer.number(body.credit);
  if (body.progress.empty()) return;
  writer.array(body.progress.size());
  for (const Renew::Progress& progress : body.progress) write_progress(writer, progress);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& /*limits*/, Renewed& body) {
  body.lease = fields.at("lease").duration();
}

void write_message(Writer& writer, Request request, const Renewed& body) {
  writer.envelope(MessageType::renewed, request, 1);
  writer.duration(body.lease);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& /*limits*/, Reclaim& body) {
  read_tokens(fields.at("jobs"), body.jobs);
}

void write_message(Writer& writer, Request request, const Reclaim& body) {
  writer.envelope(MessageType::reclaim, request, 1);
  write_tokens(writer, body.jobs);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& /*limits*/, Released& body) {
  body.credit = fields.at("credit").number32(limits::kMaxCredit);
  read_tokens(fields.at("jobs"), body.jobs);
}

void write_message(Writer& writer, Request request, const Released& body) {
  writer.envelope(MessageType::released, request, 2);
  writer.number(body.credit);
  write_tokens(writer, body.jobs);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& /*limits*/, CancelJobs& body) {
  read_tokens(fields.at("jobs"), body.jobs);
}

void write_message(Writer& writer, Request request, const CancelJobs& body) {
  writer.envelope(MessageType::cancel_jobs, request, 1);
  write_tokens(writer, body.jobs);
}

void read_body(Reader& /*reader*/, Fields& /*fields*/, const DecodeLimits& /*limits*/, Drain& /*body*/) {}

void write_message(Writer& writer, Request request, const Drain& /*body*/) {
  writer.envelope(MessageType::drain, request, 0);
}

}  // namespace rota::wire
