#include "broker/server/dispatch_frames.h"

#include <string>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/wire/codec.h"

namespace rota::server {
namespace {

// Gathers one frame.
class Frame {
 public:
  explicit Frame(const std::function<void(std::string_view)>& sink) : sink_(sink) {}

  void add(const queue::DispatchItem& item, const store::Batch::Body& body, std::uint32_t shared_number) {
    std::size_t shared = find_shared(shared_number);
    const std::size_t size =
        body.body.size() + (shared < numbers_.size() ? 0 : body.spec.size() + kSharedOverhead) + kItemOverhead;
    if (!dispatch_.items.empty() &&
        (bytes_ + size > limits::kDispatchBytes || dispatch_.items.size() >= limits::kMaxBatch ||
         dispatch_.epoch != item.token.epoch || shared >= limits::kMaxShared)) {
      flush();
      shared = 0;
    }
    dispatch_.epoch = item.token.epoch;
    if (shared == numbers_.size()) {
      numbers_.push_back(shared_number);
      dispatch_.shared.push_back(
          wire::DispatchShared{body.queue, body.type, body.policy.time_limit, body.policy.stop_on_disconnect, body.spec});
    }
    Result<wire::ItemBody> parts = wire::decode_item_body(body.body);
    ROTA_CHECK(parts.ok());  // checksummed bytes that this program wrote
    wire::DispatchItem out;
    out.shared = static_cast<std::uint32_t>(shared);
    out.dispatch = item.token.dispatch;
    out.id = item.id;
    out.attempt = item.attempt;
    out.selector = parts->selector;
    out.payload = parts->payload;
    out.expires_in = item.expires_in;
    dispatch_.items.push_back(out);
    bytes_ += size;
  }

  void flush() {
    if (dispatch_.items.empty()) return;
    wire::Message message;
    message.body = std::move(dispatch_);
    encoded_.clear();
    wire::encode(message, encoded_);
    sink_(encoded_);
    dispatch_ = std::move(std::get<wire::Dispatch>(message.body));
    dispatch_.shared.clear();
    dispatch_.items.clear();
    numbers_.clear();
    bytes_ = 0;
  }

 private:
  // Its place in the frame; where it would go if it is not there.
  [[nodiscard]] std::size_t find_shared(std::uint32_t number) const {
    for (std::size_t back = numbers_.size(); back > 0; --back) {
      if (numbers_[back - 1] == number) return back - 1;
    }
    return numbers_.size();
  }

  static constexpr std::size_t kSharedOverhead = 32;
  static constexpr std::size_t kItemOverhead = 48;  // ids, numbers and their headers

  const std::function<void(std::string_view)>& sink_;
  wire::Dispatch dispatch_;
  std::vector<std::uint32_t> numbers_;  // of dispatch_.shared
  std::string encoded_;
  std::size_t bytes_ = 0;
};

}  // namespace

void encode_dispatch(std::span<const queue::DispatchItem> items, const BodySlots& bodies,
                     const std::function<void(std::string_view)>& sink) {
  Frame frame(sink);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (bodies.has(i)) frame.add(items[i], bodies.get(i), bodies.shared_number(i));
  }
  frame.flush();
}

}  // namespace rota::server
