#pragma once

#include <cstddef>
#include <cstdint>

namespace rota::server {

// Bytes of frames that wait for the commit of their batches, counted by batch: one gathers while at most one is being
// committed, so two counts tell all.
class HeldBytes {
 public:
  // `batch`: a number never below an earlier one.
  void add(std::uint64_t batch, std::size_t bytes) {
    if (batch != last_) {
      before_ = last_;
      before_bytes_ = last_bytes_;
      last_ = batch;
      last_bytes_ = 0;
    }
    last_bytes_ += bytes;
  }
  // The last batch that holds anything; 0: none ever did.
  [[nodiscard]] std::uint64_t last() const { return last_; }
  // Held by batches behind `released`, the last one that was released.
  [[nodiscard]] std::size_t behind(std::uint64_t released) const {
    return (last_ > released ? last_bytes_ : 0) + (before_ > released ? before_bytes_ : 0);
  }

 private:
  std::uint64_t last_ = 0, before_ = 0;
  std::size_t last_bytes_ = 0, before_bytes_ = 0;
};

}  // namespace rota::server
