#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/check.h"

namespace rota::queue {

// No index.
inline constexpr std::uint32_t kNone = UINT32_MAX;

// Values at stable addresses named by 32-bit indexes. Grows a chunk at a time, so no growth touches the values that are
// there; freed places are reused last in, first out. T is default-constructible and lends a free value's
// `std::uint32_t& free_link()` to the free list.
template <typename T, std::uint32_t kPerChunk = 4096>
class ChunkedSlab {
 public:
  static constexpr std::uint32_t kChunk = kPerChunk;

  // A value as default-constructed.
  [[nodiscard]] std::uint32_t allocate() {
    ++size_;
    if (free_ != kNone) {
      const std::uint32_t index = free_;
      free_ = (*this)[index].free_link();
      (*this)[index] = T{};
      return index;
    }
    if (used_ == chunks_.size() * kPerChunk) chunks_.push_back(std::make_unique<T[]>(kPerChunk));
    ROTA_CHECK(used_ != kNone);
    return used_++;
  }
  void release(std::uint32_t index) {
    (*this)[index] = T{};
    (*this)[index].free_link() = free_;
    free_ = index;
    --size_;
  }
  [[nodiscard]] T& operator[](std::uint32_t index) { return chunks_[index / kPerChunk][index % kPerChunk]; }
  [[nodiscard]] const T& operator[](std::uint32_t index) const { return chunks_[index / kPerChunk][index % kPerChunk]; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  // Indexes below this were handed out at some time.
  [[nodiscard]] std::uint32_t used() const { return used_; }
  [[nodiscard]] std::size_t bytes() const { return chunks_.size() * kPerChunk * sizeof(T); }

 private:
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::uint32_t used_ = 0;  // ever handed out
  std::uint32_t size_ = 0;  // in use now
  std::uint32_t free_ = kNone;
};

}  // namespace rota::queue
