#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/server/outbox.h"
#include "broker/server/store_port.h"
#include "common/base/check.h"

namespace rota::server {

// Keeps what the engine sends, frame by frame.
class RecordingOutbox final : public Outbox {
 public:
  void send(Side /*side*/, Route route, std::string_view frame) override { frames_[route].emplace_back(frame); }
  void forget(Side /*side*/, Route route) override { forgotten_.push_back(route); }

  [[nodiscard]] std::size_t count(Route route) const {
    const auto it = frames_.find(route);
    return it == frames_.end() ? 0 : it->second.size();
  }
  // The oldest unread frame; stops the process if there is none.
  [[nodiscard]] std::string take(Route route) {
    ROTA_CHECK(count(route) > 0);
    std::string frame = std::move(frames_[route].front());
    frames_[route].pop_front();
    return frame;
  }
  [[nodiscard]] const std::vector<Route>& forgotten() const { return forgotten_; }

 private:
  std::map<Route, std::deque<std::string>> frames_;
  std::vector<Route> forgotten_;
};

// Store work waits until the test lets it happen.
class HeldStorePort final : public StorePort {
 public:
  void commit(std::unique_ptr<CommitTask> task) override {
    ROTA_CHECK(commit_ == nullptr);
    commit_ = std::move(task);
  }
  void read(std::unique_ptr<ReadTask> task) override { reads_.push_back(std::move(task)); }

  [[nodiscard]] bool has_commit() const { return commit_ != nullptr; }
  [[nodiscard]] std::size_t reads() const { return reads_.size(); }
  [[nodiscard]] std::unique_ptr<CommitTask> take_commit() { return std::move(commit_); }
  [[nodiscard]] std::unique_ptr<ReadTask> take_read() {
    std::unique_ptr<ReadTask> task = std::move(reads_.front());
    reads_.pop_front();
    return task;
  }

 private:
  std::unique_ptr<CommitTask> commit_;
  std::deque<std::unique_ptr<ReadTask>> reads_;
};

}  // namespace rota::server
