#pragma once

#include <cstddef>
#include <vector>

#include "common/base/check.h"

namespace rota::queue {

// First in, first out in one array that doubles: no allocation once it is large enough. T is default-constructible.
template <typename T>
class Ring {
 public:
  void push(const T& value) {
    if (size_ == slots_.size()) grow();
    slots_[(first_ + size_) & (slots_.size() - 1)] = value;
    ++size_;
  }
  T pop() {
    ROTA_CHECK(size_ > 0);
    const T value = slots_[first_];
    first_ = (first_ + 1) & (slots_.size() - 1);
    --size_;
    return value;
  }
  // The i-th from the front.
  [[nodiscard]] const T& peek(std::size_t i) const { return slots_[(first_ + i) & (slots_.size() - 1)]; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  void clear() { first_ = size_ = 0; }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 8 : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = peek(i);
    slots_ = std::move(larger);
    first_ = 0;
  }
  std::vector<T> slots_;  // a power of two
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace rota::queue
