#include "worker/spawner/capture.h"

#include <algorithm>

namespace rota::spawner {
namespace {

std::string marker(std::uint64_t missing) { return "\n[... " + std::to_string(missing) + " bytes missing ...]\n"; }

}  // namespace

Capture::Capture(std::size_t most, Keep keep)
    : most_(most), head_(keep == Keep::tail ? 0 : most / 2), keep_(keep), next_(head_) {}

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
  if (keep_ == Keep::tail) return tail;
  // Room for the longest line there can be: how long it is depends on what it leaves to head and tail.
  const std::size_t line = marker(total_).size();
  const std::size_t shared = most_ - std::min(line, most_);
  const std::size_t head = shared / 2;
  kept_.resize(head);
  tail.erase(0, tail.size() - (shared - head));
  return std::move(kept_) + marker(total_ - shared) + tail;
}

void cut_middle(std::string& bytes, std::size_t most) {
  if (bytes.size() <= most) return;
  Capture capture{most, Capture::Keep::head_and_tail};
  capture.append(bytes);
  bytes = capture.take();
}

}  // namespace rota::spawner
