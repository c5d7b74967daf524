#include "broker/server/pipeline.h"

#include <utility>

#include "broker/server/dispatch_frames.h"
#include "common/base/check.h"
#include "common/base/limits.h"

namespace rota::server {
namespace {

// Emptied frames kept for their capacity: enough for one turn's worth, each small.
constexpr std::size_t kKeptBuffers = 256;
constexpr std::size_t kKeptBufferBytes = 64 * limits::KiB;

}  // namespace

Pipeline::Pipeline(store::Store& store, Outbox& outbox, StorePort& port, DispatchGate& gate)
    : store_(store), outbox_(outbox), port_(port), gate_(gate) {
  gathering_.number = 1;
  gathering_.batch = store_.new_batch();
}

Pipeline::~Pipeline() = default;

bool Pipeline::may_leave(const Departure& departure) {
  return departure.session == queue::kNoSession || gate_.leaves(departure);
}

void Pipeline::send(Route route, Peer& peer, std::string_view frame, bool at_once, const Departure& departure) {
  if (at_once && peer.held.last() <= released_) {
    if (may_leave(departure)) outbox_.send(peer.side, route, frame);
    return;
  }
  peer.held.add(gathering_.number, frame.size());
  Outgoing outgoing;
  outgoing.side = peer.side;
  outgoing.route = route;
  outgoing.frame = take_buffer();
  outgoing.frame.assign(frame);
  outgoing.departure = departure;
  held_bytes_ += frame.size();
  gathering_.outgoing.push_back(std::move(outgoing));
}

void Pipeline::send(PendingDispatch dispatch, Peer& peer) {
  peer.held.add(gathering_.number, 0);
  Outgoing outgoing;
  outgoing.side = peer.side;
  outgoing.route = dispatch.route;
  outgoing.departure = dispatch.departure;
  outgoing.dispatch = gathering_.dispatches.size();
  gathering_.dispatches.push_back(std::move(dispatch));
  gathering_.read = false;
  gathering_.outgoing.push_back(std::move(outgoing));
}

void Pipeline::end_turn(Wall id_clock) {
  if (under_way_) return;
  if (gathering_.batch->empty() && gathering_.read) {
    if (!gathering_.outgoing.empty()) {
      release(gathering_);
      released_ = gathering_.number++;
    }
    return;
  }
  hand_over(id_clock);
}

void Pipeline::hand_over(Wall id_clock) {
  under_way_ = std::move(gathering_);
  gathering_ = Group{};
  gathering_.number = under_way_->number + 1;
  gathering_.batch = store_.new_batch();
  gathering_.outgoing = std::move(spare_);
  spare_ = {};

  Group& group = *under_way_;
  if (group.batch->empty()) {
    group.committed = true;
  } else {
    group.batch->note_id_clock(id_clock);
    group.bytes = group.batch->bytes();
    auto task = std::make_unique<CommitTask>();
    task->number = group.number;
    task->batch = std::move(group.batch);
    port_.commit(std::move(task));
  }
  // Bodies of earlier batches are on disk: they are read while this one is synced.
  if (!group.read && (group.committed || !group.revival)) ask_for_bodies(group);
}

void Pipeline::ask_for_bodies(Group& group) {
  auto task = std::make_unique<ReadTask>();
  task->asker = ReadTask::Asker::pipeline;
  for (const PendingDispatch& dispatch : group.dispatches) {
    for (const std::uint32_t index : dispatch.wanted) task->sequences.push_back(dispatch.items[index].sequence);
  }
  port_.read(std::move(task));
}

void Pipeline::on_committed(const CommitTask& task) {
  ROTA_CHECK(under_way_ && under_way_->number == task.number);
  ROTA_CHECK(task.status.ok());
  Group& group = *under_way_;
  group.committed = true;
  group.bytes = 0;
  if (!group.read && group.revival) {
    group.revival = false;
    ask_for_bodies(group);
    return;
  }
  release_if_done();
}

void Pipeline::on_read(ReadTask& task) {
  ROTA_CHECK(under_way_.has_value());
  Group& group = *under_way_;
  std::size_t next = 0;
  for (PendingDispatch& dispatch : group.dispatches) {
    for (const std::uint32_t index : dispatch.wanted) {
      // What is not there ended while the read was under way; its worker never hears of it.
      if (task.bodies.has(next)) dispatch.bodies.put(index, task.bodies.get(next));
      ++next;
    }
  }
  group.read = true;
  release_if_done();
}

void Pipeline::release_if_done() {
  if (!under_way_->committed || !under_way_->read) return;
  release(*under_way_);
  released_ = under_way_->number;
  if (spare_.capacity() < under_way_->outgoing.capacity()) spare_ = std::move(under_way_->outgoing);
  spare_.clear();
  under_way_.reset();
}

void Pipeline::release(Group& group) {
  for (Outgoing& outgoing : group.outgoing) {
    if (outgoing.dispatch) {
      if (!may_leave(outgoing.departure)) continue;
      const PendingDispatch& dispatch = group.dispatches[*outgoing.dispatch];
      encode_dispatch(dispatch.items, dispatch.bodies,
                      [&](std::string_view frame) { outbox_.send(outgoing.side, outgoing.route, frame); });
      continue;
    }
    if (may_leave(outgoing.departure)) outbox_.send(outgoing.side, outgoing.route, outgoing.frame);
    held_bytes_ -= outgoing.frame.size();
    keep_buffer(std::move(outgoing.frame));
  }
  group.outgoing.clear();
  group.dispatches.clear();
}

std::size_t Pipeline::uncommitted_bytes() const { return gathering_.batch->bytes() + (under_way_ ? under_way_->bytes : 0); }

std::string Pipeline::take_buffer() {
  if (buffers_.empty()) return {};
  std::string buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void Pipeline::keep_buffer(std::string&& buffer) {
  if (buffers_.size() < kKeptBuffers && buffer.capacity() <= kKeptBufferBytes) buffers_.push_back(std::move(buffer));
}

}  // namespace rota::server
