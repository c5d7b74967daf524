#include "common/wire/peek.h"

#include <array>
#include <cstdint>
#include <msgpack.hpp>
#include <utility>

namespace rota::wire {
namespace {

// Stops behind the second value.
class EnvelopeVisitor : public msgpack::null_visitor {
 public:
  bool start_array(std::uint32_t /*count*/) { return !std::exchange(inside_, true); }
  bool visit_positive_integer(std::uint64_t value) {
    if (!inside_) return false;
    values_.at(count_++) = value;
    return count_ < values_.size();
  }
  bool visit_nil() { return false; }
  bool visit_boolean(bool /*value*/) { return false; }
  bool visit_negative_integer(std::int64_t /*value*/) { return false; }
  bool visit_float32(float /*value*/) { return false; }
  bool visit_float64(double /*value*/) { return false; }
  bool visit_str(const char* /*data*/, std::uint32_t /*size*/) { return false; }
  bool visit_bin(const char* /*data*/, std::uint32_t /*size*/) { return false; }
  bool visit_ext(const char* /*data*/, std::uint32_t /*size*/) { return false; }
  bool start_map(std::uint32_t /*pairs*/) { return false; }

  [[nodiscard]] std::optional<Envelope> envelope() const {
    if (count_ < values_.size() || values_[0] > UINT8_MAX) return std::nullopt;
    return Envelope{static_cast<MessageType>(values_[0]), values_[1]};
  }

 private:
  std::array<std::uint64_t, 2> values_{};
  std::size_t count_ = 0;
  bool inside_ = false;
};

}  // namespace

std::optional<Envelope> peek(std::string_view frame) {
  EnvelopeVisitor visitor;
  std::size_t offset = 0;
  (void)msgpack::parse(frame.data(), frame.size(), offset, visitor);
  return visitor.envelope();
}

}  // namespace rota::wire
