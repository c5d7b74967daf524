#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/wire/message.h"

// Frames to messages and back. The only place that knows msgpack.
namespace rota::wire {

struct DecodeLimits {
  std::size_t max_payload = limits::kDefaultMaxPayload;
  std::size_t max_batch = limits::kMaxBatch;
};

// Reads frames. Allocates nothing per item in the steady state: keeps its scratch space. One thread.
class Decoder {
 public:
  explicit Decoder(DecodeLimits limits = {});
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  // The views of the result point into `frame`. Checks everything that does not depend on state: types, counts, sizes,
  // names, ids, nesting, trailing bytes. Errors: BAD_MESSAGE (not msgpack, a wrong type, a rule broken), TOO_LARGE (over a
  // limit), VERSION (no common version in a HELLO). last_request() then tells the correlation number if it could be read.
  [[nodiscard]] Result<Message> decode(std::string_view frame);
  [[nodiscard]] Request last_request() const;

 private:
  struct Scratch;
  std::unique_ptr<Scratch> scratch_;
};

// Appends the frame of `message` to `out`. The message must keep the rules that decode() checks.
void encode(const Message& message, std::string& out);

[[nodiscard]] MessageType type_of(const Body& body);
// "SUBMIT", as docs/protocol.md spells it; "RESERVED" for a number without a message.
[[nodiscard]] std::string_view message_name(MessageType type);

// The stored forms. encode_* appends to `out`; decode_* gives views into `bytes`.
void encode_spec(const Spec& spec, std::string& out);
[[nodiscard]] Result<Spec> decode_spec(std::string_view bytes);
void encode_report(const Report& report, std::string& out);
[[nodiscard]] Result<Report> decode_report(std::string_view bytes);
// A job's own part: selector and payload.
void encode_item_body(const Selector& selector, std::string_view payload, std::string& out);
struct ItemBody {
  Selector selector;
  std::string_view payload;
};
[[nodiscard]] Result<ItemBody> decode_item_body(std::string_view bytes);

// Content hash of docs/protocol.md, "Submitting again", in two steps so that a batch pays for its shared part once.
[[nodiscard]] std::uint64_t shared_content_hash(const SubmitShared& shared);
[[nodiscard]] std::uint64_t content_hash(std::uint64_t shared_hash, const SubmitItem& item);

}  // namespace rota::wire
