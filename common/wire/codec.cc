#include "common/wire/codec.h"

#include <array>
#include <string>
#include <utility>

#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

struct KnownType {
  MessageType type;
  std::string_view name;
};

// In the order of Body, so that a body's index finds its type.
constexpr std::array<KnownType, std::variant_size_v<Body>> kTypes = {{
    {MessageType::hello, "HELLO"},
    {MessageType::welcome, "WELCOME"},
    {MessageType::error, "ERROR"},
    {MessageType::ping, "PING"},
    {MessageType::pong, "PONG"},
    {MessageType::goodbye, "GOODBYE"},
    {MessageType::submit, "SUBMIT"},
    {MessageType::submitted, "SUBMITTED"},
    {MessageType::wait, "WAIT"},
    {MessageType::notify, "NOTIFY"},
    {MessageType::get, "GET"},
    {MessageType::jobs, "JOBS"},
    {MessageType::cancel, "CANCEL"},
    {MessageType::retry, "RETRY"},
    {MessageType::results, "RESULTS"},
    {MessageType::list, "LIST"},
    {MessageType::listed, "LISTED"},
    {MessageType::admin, "ADMIN"},
    {MessageType::admin_reply, "ADMIN_REPLY"},
    {MessageType::dispatch, "DISPATCH"},
    {MessageType::complete, "COMPLETE"},
    {MessageType::completed, "COMPLETED"},
    {MessageType::renew, "RENEW"},
    {MessageType::renewed, "RENEWED"},
    {MessageType::reclaim, "RECLAIM"},
    {MessageType::released, "RELEASED"},
    {MessageType::cancel_jobs, "CANCEL_JOBS"},
    {MessageType::drain, "DRAIN"},
}};

// Position in kTypes and Body of a type number; kTypes.size() if there is none.
std::size_t index_of(std::uint64_t type) {
  std::size_t index = 0;
  while (index < kTypes.size() && static_cast<std::uint64_t>(kTypes[index].type) != type) ++index;
  return index;
}

template <std::size_t I>
void read_alternative(Reader& reader, Fields& fields, const DecodeLimits& limits, Body& body) {
  read_body(reader, fields, limits, body.emplace<I>());
}

using ReadBody = void (*)(Reader&, Fields&, const DecodeLimits&, Body&);

template <std::size_t... I>
constexpr std::array<ReadBody, sizeof...(I)> readers(std::index_sequence<I...> /*all*/) {
  return {&read_alternative<I>...};
}

constexpr auto kReaders = readers(std::make_index_sequence<std::variant_size_v<Body>>{});

}  // namespace

struct Decoder::Scratch {
  DecodeLimits limits;
  Tape tape;
  Request last_request = 0;
};

Decoder::Decoder(DecodeLimits limits) : scratch_(std::make_unique<Scratch>()) { scratch_->limits = limits; }
Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Request Decoder::last_request() const { return scratch_->last_request; }

Result<Message> Decoder::decode(std::string_view frame) {
  scratch_->last_request = 0;
  const Status parsed = scratch_->tape.parse(frame);
  const std::span<const TapeEntry> entries = scratch_->tape.entries();

  // What could be read of [type, request, …] helps the answer, even if the rest is bad.
  std::string_view subject = "message";
  if (entries.size() >= 3 && entries[0].kind == ValueKind::array && entries[1].kind == ValueKind::number &&
      entries[2].kind == ValueKind::number) {
    scratch_->last_request = entries[2].number;
    const std::size_t index = index_of(entries[1].number);
    if (index < kTypes.size()) subject = kTypes[index].name;
  }
  if (!parsed) return Error{parsed.error().code, std::string(subject) + ": " + parsed.error().message};

  Reader reader(entries, subject);
  Message message;
  {
    Fields fields(reader, "envelope");
    const std::uint64_t type = fields.at("type").number();
    message.request = fields.at("request").number();
    const std::size_t index = index_of(type);
    if (reader.ok() && index == kTypes.size()) {
      reader.set_field("type");
      reader.fail(Code::bad_message, std::to_string(type) + " is not known");
    }
    reader.set_field(nullptr);
    if (reader.ok()) kReaders[index](reader, fields, scratch_->limits, message.body);
  }
  if (!reader.ok()) return reader.take_error();
  return message;
}

void encode(const Message& message, std::string& out) {
  Writer writer(out);
  std::visit([&](const auto& body) { write_message(writer, message.request, body); }, message.body);
}

MessageType type_of(const Body& body) { return kTypes[body.index()].type; }

std::string_view message_name(MessageType type) {
  const std::size_t index = index_of(static_cast<std::uint64_t>(type));
  return index < kTypes.size() ? kTypes[index].name : "RESERVED";
}

}  // namespace rota::wire
