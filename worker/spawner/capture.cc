#include "worker/spawner/capture.h"

#include <algorithm>

namespace rota::spawner {
namespace {

// Room for the line between head and tail.
constexpr std::size_t kMarkerRoom = 64;

std::string marker(std::uint64_t missing) { return "\n[... " + std::to_string(missing) + " bytes missing ...]\n"; }

}  // namespace

Capture::Capture(std::size_t most, std::size_t head) : most_(most), head_(std::min(head, most)), next_(head_) {}

void Capture::append(std::string_view bytes) {
  total_ += bytes.size();
  const std::size_t plain = std::min(bytes.size(), most_ - kept_.size());
  kept_.append(bytes.substr(0, plain));
  bytes.remove_prefix(plain);
  const std::size_t ring = most_ - head_;
  if (ring == 0) return;
  if (bytes.size() > ring) {  // all but the last `ring` bytes would be overwritten at once
    const std::size_t skipped = bytes.size() - ring;
    bytes.remove_prefix(skipped);
    next_ = head_ + (next_ - head_ + skipped) % ring;
  }
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), most_ - next_);
    bytes.copy(kept_.data() + next_, part);
    next_ = next_ + part == most_ ? head_ : next_ + part;
    bytes.remove_prefix(part);
  }
}

std::string Capture::take() {
  if (total_ <= most_) return std::move(kept_);
  std::string tail = kept_.substr(next_) + kept_.substr(head_, next_ - head_);
  if (head_ == 0) return tail;
  kept_.resize(head_);
  if (tail.size() <= kMarkerRoom) return std::move(kept_);
  tail.erase(0, kMarkerRoom);
  return std::move(kept_) + marker(total_ - head_ - tail.size()) + tail;
}

void cut_middle(std::string& bytes, std::size_t most) {
  if (bytes.size() <= most) return;
  Capture capture{most, most / 2};
  capture.append(bytes);
  bytes = capture.take();
}

}  // namespace rota::spawner
