#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/message.h"
#include "broker/server/body_slots.h"
#include "broker/server/outbox.h"
#include "broker/server/sessions.h"
#include "broker/server/store_port.h"
#include "broker/store/store.h"

namespace rota::server {

// What a DISPATCH hands over, and to whom: looked at again when it leaves.
struct Departure {
  queue::SessionRef session = queue::kNoSession;  // none: the frame is no DISPATCH
  std::uint64_t binding = 0;                      // of the session to its connection, when it was decided
  std::uint64_t through = 0;                      // its highest dispatch number
  bool in_memory = false;
};

// Decides at the moment of sending whether a DISPATCH still may leave, and notes that it does.
class DispatchGate {
 public:
  virtual ~DispatchGate() = default;
  // False: its worker's session ended, or said HELLO anew, while it waited. Its jobs were requeued then.
  [[nodiscard]] virtual bool leaves(const Departure& departure) = 0;
};

// A dispatch whose bodies have to be read first.
struct PendingDispatch {
  Route route = 0;
  Departure departure;
  std::vector<queue::DispatchItem> items;
  BodySlots bodies;                   // one slot an item
  std::vector<std::uint32_t> wanted;  // the unfilled ones
};

// Ordered release: every frame belongs to the batch of changes that gathers when it is sent, and leaves when that batch
// and all before it are committed (and the bodies that its dispatches carry are read). One batch gathers while at most one
// is being committed. Frames of one route never overtake each other, PONG and the like apart.
class Pipeline {
 public:
  Pipeline(store::Store& store, Outbox& outbox, StorePort& port, DispatchGate& gate);
  ~Pipeline();

  // The batch that gathers.
  [[nodiscard]] store::Batch& batch() { return *gathering_.batch; }
  // A final job went live again: its body can be read only after this batch's commit.
  void note_revival() { gathering_.revival = true; }

  // Sends `frame` with the gathering batch, or now if `at_once` and nothing older for this peer is held.
  // A DISPATCH says by `departure` whose it is.
  void send(Route route, Peer& peer, std::string_view frame, bool at_once, const Departure& departure = {});
  void send(PendingDispatch dispatch, Peer& peer);

  // The end of a turn: releases what waits for nothing, and hands the gathering batch over if none is under way.
  void end_turn(Wall id_clock);
  // True: that was the batch under way, and its frames were released or wait for bodies only.
  void on_committed(const CommitTask& task);
  // What it had asked for.
  void on_read(ReadTask& task);

  // Number of the gathering batch, and of the last one that was released whole.
  [[nodiscard]] std::uint64_t number() const { return gathering_.number; }
  [[nodiscard]] std::uint64_t released() const { return released_; }
  [[nodiscard]] bool idle() const { return !under_way_ && gathering_.outgoing.empty() && gathering_.batch->empty(); }
  [[nodiscard]] bool committing() const { return under_way_.has_value(); }
  [[nodiscard]] std::size_t uncommitted_bytes() const;
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

 private:
  struct Outgoing {
    Side side = Side::client;
    Route route = 0;
    std::string frame;
    Departure departure;
    std::optional<std::size_t> dispatch;  // index into Group::dispatches
  };
  struct Group {
    std::uint64_t number = 0;
    std::unique_ptr<store::Batch> batch;
    std::size_t bytes = 0;  // of the batch, once it was handed over
    bool revival = false;
    bool committed = false;
    bool read = true;  // nothing to read, or all read
    std::vector<Outgoing> outgoing;
    std::vector<PendingDispatch> dispatches;
  };

  void hand_over(Wall id_clock);
  void ask_for_bodies(Group& group);
  void release_if_done();
  void release(Group& group);
  [[nodiscard]] bool may_leave(const Departure& departure);
  [[nodiscard]] std::string take_buffer();
  void keep_buffer(std::string&& buffer);

  store::Store& store_;
  Outbox& outbox_;
  StorePort& port_;
  DispatchGate& gate_;
  Group gathering_;
  std::optional<Group> under_way_;
  std::uint64_t released_ = 0;
  std::size_t held_bytes_ = 0;
  std::vector<std::string> buffers_;  // emptied frames, for their capacity
  std::vector<Outgoing> spare_;       // an emptied list, for its capacity
};

}  // namespace rota::server
