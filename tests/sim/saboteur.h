#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/outbox.h"
#include "broker/server/store_port.h"
#include "common/wire/codec.h"
#include "tests/sim/canaries.h"
#include "tests/sim/dice.h"
#include "tests/sim/disk.h"

namespace rota::sim {

// Stands between the engine and everything around it and rewrites what passes, as a broken broker would. Without a canary
// it lets everything through.
class Saboteur {
 public:
  struct Frame {
    server::Side side;
    server::Route route;
    std::string bytes;
  };
  using Frames = std::vector<Frame>;

  Saboteur(Canary canary, std::uint64_t seed) : canary_(canary), dice_(seed) {}

  [[nodiscard]] bool is(Canary canary) const { return canary_ == canary; }
  void broker_started();
  // What the engine is handed instead of this frame.
  [[nodiscard]] std::vector<std::string> inbound(server::Side side, server::Route route, const std::string& frame,
                                                 const queue::Core& core, Now now);
  // Answers that the engine did not give, after inbound().
  [[nodiscard]] Frames forged() { return std::exchange(forged_, {}); }
  // What goes out instead of this frame.
  [[nodiscard]] Frames outbound(Frame frame);
  void before_commit(SimBatch& batch);
  void after_read(server::ReadTask& task);

 private:
  // False: swallowed.
  [[nodiscard]] bool rewrite(server::Side side, server::Route route, wire::Message& message, const queue::Core& core,
                             Now now);
  void rewrite(wire::Submit& submit);
  void forge_token(server::Route route, wire::Request request, wire::Complete& complete, const queue::Core& core, Now now);
  void count_twice(server::Route route, wire::Request request, wire::Complete& complete);
  // Which connections a broker without a bug sends to.
  void note_session(const wire::Hello& hello, server::Route route, wire::Request request);
  void note_welcome(server::Route route, wire::Request request);
  [[nodiscard]] bool forge_cancelled(server::Route route, const wire::Message& message, const queue::Core& core, Now now);
  [[nodiscard]] bool rewrite_answer(server::Route route, wire::Message& message, Frames& out);
  [[nodiscard]] bool rewrite_dispatch(server::Route route, wire::Message& message, wire::Dispatch& dispatch, Frames& out);
  [[nodiscard]] bool rewrite_completed(server::Route route, const wire::Message& message, wire::Completed& completed,
                                       Frames& out);
  void forge(wire::Admin& admin) const;
  // True: kept for later, or sent in another order.
  [[nodiscard]] bool hold_back(server::Route route, const wire::Dispatch& dispatch, const std::string& bytes, Frames& out);
  void send_held(const Uuid& session, const std::string& bytes, Frames& out) const;
  void release_old(Frames& out);
  void release_late_answers(const wire::Dispatch& dispatch, Frames& out);
  void send_again(server::Route route, const wire::Message& completed, Frames& out);

  Canary canary_;
  Dice dice_;
  Frames forged_;
  wire::Decoder decoder_;
  std::map<server::Route, Uuid> workers_;  // with a session
  std::map<std::pair<server::Route, wire::Request>, Uuid> hellos_;
  std::map<JobId, Millis> expiries_;         // as submitted
  std::map<JobId, std::string> dispatched_;  // the last DISPATCH that had the job
  struct HeldBack {
    Uuid session;  // a worker that came back has another connection
    std::string bytes;
    std::uint64_t since = 0;  // in frames that went out
  };
  std::map<JobId, HeldBack> held_back_;
  std::uint64_t frames_out_ = 0;
  // A COMPLETE that was given another token; and what would leave before it is answered.
  struct Taken {
    std::pair<server::Route, wire::Request> asked;
    std::uint64_t since = 0;
    Frames behind;
  };
  std::optional<Taken> taken_;
  std::set<std::pair<Token, JobId>> reported_;  // runs
  struct Doubled {
    std::pair<server::Route, wire::Request> asked;
    std::string answer;
    bool answered = false;
  };
  std::map<JobId, Doubled> doubled_;  // jobs that run again although their first run counts
  std::map<std::pair<server::Route, wire::Request>, std::vector<JobId>> succeeding_;
  std::set<queue::Sequence> lost_;  // jobs whose changes are not written any more
};

}  // namespace rota::sim
