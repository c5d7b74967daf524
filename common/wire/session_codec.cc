// Messages of both sides: HELLO, WELCOME, ERROR, PING, PONG, GOODBYE.
#include <string>

#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

constexpr std::uint32_t kThisMin = limits::kProtocolVersion;
constexpr std::uint32_t kThisMax = limits::kProtocolVersion;

std::string range(std::uint32_t min, std::uint32_t max) {
  return min == max ? std::to_string(min) : std::to_string(min) + " to " + std::to_string(max);
}

// The versions come first, whatever else the map holds: another version may mean anything by the other keys.
void read_versions(Reader& reader, std::uint32_t pairs, Hello& body) {
  const std::size_t start = reader.position();
  bool has_min = false;
  bool has_max = false;
  for (std::uint32_t i = 0; i < pairs && reader.ok(); ++i) {
    reader.set_field("key");
    const std::string_view key = reader.text(limits::kMaxHelloText);
    if (key == "min") {
      reader.set_field("min");
      body.version_min = reader.number32();
      has_min = true;
    } else if (key == "max") {
      reader.set_field("max");
      body.version_max = reader.number32();
      has_max = true;
    } else {
      reader.skip();
    }
  }
  if (!reader.ok()) return;
  reader.set_field(nullptr);
  if (!has_min || !has_max) {
    reader.fail(Code::bad_message, "min or max is missing: the protocol versions that the peer speaks");
  } else if (body.version_min > body.version_max) {
    reader.fail(Code::bad_message, "min is over max");
  } else if (body.version_min > kThisMax || body.version_max < kThisMin) {
    reader.fail(Code::version, "no common protocol version: the peer speaks " + range(body.version_min, body.version_max) +
                                   ", this side " + range(kThisMin, kThisMax));
  }
  reader.rewind(start);
}

void read_queue(Reader& reader, QueueWeight& queue) {
  Fields fields(reader, "queue");
  queue.name = fields.at("queue name").queue_name();
  if (!fields.has("weight")) return;
  queue.weight = reader.number32(limits::kMaxQueueWeight);
  if (reader.ok() && queue.weight == 0) reader.fail(Code::bad_message, "must be at least 1");
}

void read_tokens(Reader& reader, const char* name, std::vector<TokenOf>& tokens) {
  read_list(reader, name, limits::kMaxTokensInHello, tokens, [&](TokenOf& token) { read_token(reader, token); });
}

void read_hello_key(Reader& reader, std::string_view key, Hello& body) {
  const auto field = [&](const char* name) -> Reader& {
    reader.set_field(name);
    return reader;
  };
  if (key == "software") {
    body.software = field("software").clean_text(limits::kMaxHelloText);
  } else if (key == "host") {
    body.host = field("host").clean_text(limits::kMaxHelloText);
  } else if (key == "pid") {
    body.pid = field("pid").number();
  } else if (key == "session") {
    body.session = field("session").uuid();
  } else if (key == "connection") {
    body.connection = field("connection").number();
  } else if (key == "name") {
    body.name = field("name").worker_name();
  } else if (key == "boot") {
    body.boot_id = field("boot").clean_text(limits::kMaxHelloText);
  } else if (key == "start") {
    body.start_time = field("start").number();
  } else if (key == "slots") {
    body.slots = field("slots").number32(limits::kMaxSlots);
  } else if (key == "credit") {
    body.credit = field("credit").number32(limits::kMaxCredit);
  } else if (key == "draining") {
    body.draining = field("draining").boolean();
  } else if (key == "queues") {
    read_list(field("queues"), "queue", limits::kMaxQueuesPerWorker, body.queues,
              [&](QueueWeight& queue) { read_queue(reader, queue); });
  } else if (key == "types") {
    read_list(field("types"), "type", limits::kMaxTypesPerWorker, body.types,
              [&](std::string_view& type) { type = field("type name").type_name(); });
  } else if (key == "labels") {
    read_strings(field("labels"), limits::kMaxLabels, limits::kMaxHeaderBytes, body.labels);
  } else if (key == "started") {
    read_tokens(field("started"), "started token", body.started);
  } else if (key == "held") {
    read_tokens(field("held"), "held token", body.held);
  } else if (key == "finished") {
    read_tokens(field("finished"), "finished token", body.finished);
  } else {
    reader.skip();
  }
}

// What a worker must say. A client is one who names no session.
void check_worker(Reader& reader, const Hello& body) {
  if (!reader.ok() || body.session.is_nil()) return;
  const auto require = [&](bool given, const char* field, const char* why) {
    reader.set_field(field);
    if (!given) reader.fail(Code::bad_message, why);
  };
  require(!body.name.empty(), "name", "is missing: a worker has one");
  require(body.connection > 0, "connection", "is missing: a worker counts its sockets from 1");
  require(body.slots > 0, "slots", "is missing: a worker has at least one");
  const std::size_t tokens = body.started.size() + body.held.size() + body.finished.size();
  reader.set_field("started, held and finished");
  if (tokens > limits::kMaxTokensInHello) reader.fail_over(tokens, limits::kMaxTokensInHello);
}

void write_tokens(Writer& writer, std::string_view key, const std::vector<TokenOf>& tokens) {
  writer.str(key);
  writer.array(tokens.size());
  for (const TokenOf& token : tokens) write_token(writer, token);
}

void write_worker(Writer& writer, const Hello& body) {
  writer.str("session");
  writer.uuid(body.session);
  writer.str("connection");
  writer.number(body.connection);
  writer.str("name");
  writer.str(body.name);
  writer.str("boot");
  writer.text(body.boot_id);
  writer.str("start");
  writer.number(body.start_time);
  writer.str("slots");
  writer.number(body.slots);
  writer.str("credit");
  writer.number(body.credit);
  writer.str("draining");
  writer.boolean(body.draining);
  writer.str("queues");
  writer.array(body.queues.size());
  for (const QueueWeight& queue : body.queues) {
    writer.array(2);
    writer.str(queue.name);
    writer.number(queue.weight);
  }
  writer.str("types");
  writer.array(body.types.size());
  for (const std::string_view type : body.types) writer.str(type);
  writer.str("labels");
  write_strings(writer, body.labels);
  write_tokens(writer, "started", body.started);
  write_tokens(writer, "held", body.held);
  write_tokens(writer, "finished", body.finished);
}

void read_slots(Reader& reader, SlotRange& slots) {
  Fields fields(reader, "slots");
  slots.first = static_cast<Slot>(fields.at("first slot").number(4095));
  slots.last = static_cast<Slot>(fields.at("last slot").number(4095));
  slots.epoch = fields.at("epoch").number();
  if (reader.ok() && slots.first > slots.last) reader.fail(Code::bad_message, "range runs backwards");
}

void read_welcome_key(Reader& reader, std::string_view key, Welcome& body) {
  const auto field = [&](const char* name) -> Reader& {
    reader.set_field(name);
    return reader;
  };
  if (key == "version") {
    body.version = field("version").number32();
  } else if (key == "broker") {
    body.broker_id = field("broker").uuid();
  } else if (key == "software") {
    body.software = field("software").clean_text(limits::kMaxHelloText);
  } else if (key == "wall") {
    body.wall = field("wall").wall();
  } else if (key == "slots") {
    read_list(field("slots"), "slot range", 4096, body.slots, [&](SlotRange& slots) { read_slots(reader, slots); });
  } else if (key == "max_payload") {
    body.max_payload = field("max_payload").number();
  } else if (key == "max_batch") {
    body.max_batch = field("max_batch").number();
  } else if (key == "max_message") {
    body.max_message = field("max_message").number();
  } else if (key == "dedup_window") {
    body.dedup_window = field("dedup_window").duration();
  } else if (key == "clients") {
    body.clients_endpoint = field("clients").clean_text(limits::kMaxHelloText);
  } else if (key == "workers") {
    body.workers_endpoint = field("workers").clean_text(limits::kMaxHelloText);
  } else if (key == "lease") {
    body.lease = field("lease").duration();
  } else if (key == "started") {
    read_codes(field("started"), limits::kMaxTokensInHello, body.started);
  } else if (key == "held") {
    read_codes(field("held"), limits::kMaxTokensInHello, body.held);
  } else if (key == "finished") {
    read_codes(field("finished"), limits::kMaxTokensInHello, body.finished);
  } else {
    reader.skip();
  }
}

}  // namespace

void read_body(Reader& reader, Fields& fields, const DecodeLimits& /*limits*/, Hello& body) {
  const std::uint32_t pairs = fields.at("body").map(limits::kMaxMapKeys);
  read_versions(reader, pairs, body);
  for (std::uint32_t i = 0; i < pairs && reader.ok(); ++i) {
    const std::string_view key = reader.text(limits::kMaxHelloText);
    read_hello_key(reader, key, body);
  }
  check_worker(reader, body);
}

void write_message(Writer& writer, Request request, const Hello& body) {
  constexpr std::size_t kClientKeys = 5;
  constexpr std::size_t kWorkerKeys = 14;
  const bool worker = !body.session.is_nil();
  writer.envelope(MessageType::hello, request, 1);
  writer.map(worker ? kClientKeys + kWorkerKeys : kClientKeys);
  writer.str("min");
  writer.number(body.version_min);
  writer.str("max");
  writer.number(body.version_max);
  writer.str("software");
  writer.text(body.software);
  writer.str("host");
  writer.text(body.host);
  writer.str("pid");
  writer.number(body.pid);
  if (worker) write_worker(writer, body);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& /*limits*/, Welcome& body) {
  const std::uint32_t pairs = fields.at("body").map(limits::kMaxMapKeys);
  body.version = 0;
  for (std::uint32_t i = 0; i < pairs && reader.ok(); ++i) {
    reader.set_field("key");
    const std::string_view key = reader.text(limits::kMaxHelloText);
    read_welcome_key(reader, key, body);
  }
  if (!reader.ok()) return;
  reader.set_field(nullptr);
  if (body.version < kThisMin || body.version > kThisMax) {
    reader.fail(Code::version, "the broker chose protocol version " + std::to_string(body.version) + ", this side speaks " +
                                   range(kThisMin, kThisMax));
  }
  if (body.broker_id.is_nil()) reader.fail(Code::bad_message, "broker is missing: the broker's id");
}

void write_message(Writer& writer, Request request, const Welcome& body) {
  const bool to_worker = body.lease.count() != 0;
  writer.envelope(MessageType::welcome, request, 1);
  writer.map(to_worker ? 15 : 11);
  writer.str("version");
  writer.number(body.version);
  writer.str("broker");
  writer.uuid(body.broker_id);
  writer.str("software");
  writer.text(body.software);
  writer.str("wall");
  writer.wall(body.wall);
  writer.str("slots");
  writer.array(body.slots.size());
  for (const SlotRange& slots : body.slots) {
    writer.array(3);
    writer.number(slots.first);
    writer.number(slots.last);
    writer.number(slots.epoch);
  }
  writer.str("max_payload");
  writer.number(body.max_payload);
  writer.str("max_batch");
  writer.number(body.max_batch);
  writer.str("max_message");
  writer.number(body.max_message);
  writer.str("dedup_window");
  writer.duration(body.dedup_window);
  writer.str("clients");
  writer.text(body.clients_endpoint);
  writer.str("workers");
  writer.text(body.workers_endpoint);
  if (!to_worker) return;
  writer.str("lease");
  writer.duration(body.lease);
  writer.str("started");
  write_codes(writer, body.started);
  writer.str("held");
  write_codes(writer, body.held);
  writer.str("finished");
  write_codes(writer, body.finished);
}

void read_body(Reader& reader, Fields& fields, const DecodeLimits& /*limits*/, ErrorReply& body) {
  body.code = fields.at("code").code();
  body.message = fields.at("message").text(limits::kMaxMessageText);
  if (fields.has("retry_after")) body.retry_after = reader.duration();
}

void write_message(Writer& writer, Request request, const ErrorReply& body) {
  const bool hint = body.retry_after.count() != 0;
  writer.envelope(MessageType::error, request, hint ? 3 : 2);
  writer.number(static_cast<std::uint64_t>(body.code));
  writer.text(body.message);
  if (hint) writer.duration(body.retry_after);
}

void read_body(Reader& /*reader*/, Fields& /*fields*/, const DecodeLimits& /*limits*/, Ping& /*body*/) {}

void write_message(Writer& writer, Request request, const Ping& /*body*/) {
  writer.envelope(MessageType::ping, request, 0);
}

void read_body(Reader& /*reader*/, Fields& /*fields*/, const DecodeLimits& /*limits*/, Pong& /*body*/) {}

void write_message(Writer& writer, Request request, const Pong& /*body*/) {
  writer.envelope(MessageType::pong, request, 0);
}

void read_body(Reader& /*reader*/, Fields& fields, const DecodeLimits& /*limits*/, Goodbye& body) {
  body.code = fields.at("code").code();
  body.reason = fields.at("reason").text(limits::kMaxMessageText);
}

void write_message(Writer& writer, Request request, const Goodbye& body) {
  writer.envelope(MessageType::goodbye, request, 2);
  writer.number(static_cast<std::uint64_t>(body.code));
  writer.text(body.reason);
}

}  // namespace rota::wire
