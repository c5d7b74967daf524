#pragma once

#include <bit>
#include <cstdint>

#include "broker/queue/chunked_slab.h"
#include "broker/queue/record.h"

namespace rota::queue {

using JobIndex = std::uint32_t;

// The order in which ready jobs are handed out, as one number: priority, then sequence. Lower is sooner. Sequences stay
// below 2^56: 20,000 years at 100,000 jobs a second.
using Rank = std::uint64_t;

// What the core keeps of every job: one cache line. The rest is in JobDetail, which most queued jobs do not have.
struct JobEntry {
  JobId id;
  Sequence sequence = 0;
  std::uint64_t content_hash = 0;
  Wall created_at;
  std::uint32_t shape = kNone;   // ShapeTable: queue, type, policy
  std::uint32_t detail = kNone;  // JobTable::detail
  // Neighbours in the list that the state says: ready list, session, recently finished. Scheduled: the due time.
  std::uint32_t prev = kNone;
  std::uint32_t next = kNone;
  std::uint32_t attempts = 0;  // runs that were started
  std::int8_t priority = 0;
  std::uint8_t losses = 0;
  std::uint8_t size_class : 6 = 0;  // of the body: bit width of its bytes
  bool wait_known : 1 = false;      // how long it waited is counted, or cannot be told: see Counters::queue_wait
  JobState state : 3 = JobState::ready;
  bool cancel_requested : 1 = false;
  bool in_tree : 1 = false;    // ready: in the tree of its ReadyQueue, not in a list
  bool wall_due : 1 = false;   // scheduled: due on the wall clock, not on the steady one
  bool forgotten : 1 = false;  // finished with keep 0: no record of it is left
  bool in_memory : 1 = false;  // durability memory

  std::uint32_t& free_link() { return next; }

  [[nodiscard]] Rank rank() const {
    return (static_cast<Rank>(static_cast<std::uint8_t>(127 - priority)) << 56U) | sequence;
  }
  [[nodiscard]] Durability durability() const { return in_memory ? Durability::memory : Durability::fsync; }
  // Bytes of the body, rounded up to a power of two.
  [[nodiscard]] std::uint64_t body_bytes() const { return std::uint64_t{1} << size_class; }
  void set_body_bytes(std::size_t bytes) { size_class = static_cast<std::uint8_t>(std::bit_width(bytes)) & 63U; }

  [[nodiscard]] std::int64_t due() const {
    return static_cast<std::int64_t>((static_cast<std::uint64_t>(prev) << 32U) | next);
  }
  void set_due(std::int64_t ms) {
    prev = static_cast<std::uint32_t>(static_cast<std::uint64_t>(ms) >> 32U);
    next = static_cast<std::uint32_t>(static_cast<std::uint64_t>(ms) & UINT32_MAX);
  }
};
static_assert(sizeof(JobEntry) == 64);

// What jobs need that run, ran, finished lately, expire or hold a key.
struct JobDetail {
  Token token;     // of the last dispatch; see token_open
  Token consumed;  // the last one that a completion consumed
  Steady expires_at = kNeverSteady;
  Wall leased_at;      // running
  Steady finished_at;  // final
  std::uint32_t failures = 0;
  std::uint32_t key = kNone;           // KeyTable
  std::uint32_t session = UINT32_MAX;  // running: whose it is; ready: who is reserved for it
  std::uint32_t hello = 0;             // the last HELLO that listed it
  bool token_open = false;             // may complete or re-attach
  bool charged = false;                // the loss of this dispatch is counted already, its attempt with it
  bool reclaim_asked = false;
  bool expiry_armed = false;  // in the expiry tree

  std::uint32_t& free_link() { return key; }
};

}  // namespace rota::queue
