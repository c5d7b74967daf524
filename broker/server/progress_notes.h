#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "broker/queue/change.h"
#include "common/base/token.h"

namespace rota::server {

// How far workers said that running jobs are. In memory only: a worker tells again with its renewals. One entry a dispatch
// at most, gone with its lease.
class ProgressNotes {
 public:
  struct Note {
    double fraction = 0;  // 0 … 1
    std::string message;
  };

  void set(const Token& token, double fraction, std::string_view message) {
    notes_[token.dispatch] = Note{fraction, std::string(message)};
  }
  [[nodiscard]] const Note* find(const Token& token) const {
    const auto found = notes_.find(token.dispatch);
    return found == notes_.end() ? nullptr : &found->second;
  }
  // Drops the note of a lease that the change ends.
  void note(const queue::ChangeBody& change) {
    if (notes_.empty()) return;
    if (const auto* finished = std::get_if<queue::JobFinished>(&change)) notes_.erase(finished->lease.dispatch);
    if (const auto* ended = std::get_if<queue::LeaseEnded>(&change)) notes_.erase(ended->token.dispatch);
    if (const auto* forgotten = std::get_if<queue::JobForgotten>(&change)) notes_.erase(forgotten->lease.dispatch);
  }

 private:
  std::unordered_map<std::uint64_t, Note> notes_;  // by dispatch number
};

}  // namespace rota::server
