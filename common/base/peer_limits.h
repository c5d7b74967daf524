#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"
#include "common/base/limits.h"

// Bounds that stand against single peers: what one leaves unread, asks to be read, or sends without an end. More of
// limits.h.
namespace rota::limits {

// --- what peers leave unread --------------------------------------------------------------------------------------------
inline constexpr std::size_t kMaxOutboxTotal = 256 * MiB;  // of all peers of a side; over it the one with the most ends
inline constexpr std::size_t kCountedFrame = 4 * KiB;      // frames from here on are counted until the kernel has them ...
inline constexpr std::size_t kMaxInLibrary = 4 * MiB;      // ... and no more of them is handed to the library for one peer
inline constexpr std::size_t kMaxUnread = 8 * MiB;  // a client that leaves more unread gets nothing large: RETRY_LATER

// --- what clients ask to be read ----------------------------------------------------------------------------------------
inline constexpr std::size_t kMaxLookReaders = 8;           // WAITs and GETs that one look reads results for ...
inline constexpr std::size_t kReaderBytes = 1 * MiB;        // ... and for each of them, unless one job alone is larger
inline constexpr std::size_t kMaxLooksUnderWay = 2;         // what they found stands in memory until it is answered
inline constexpr std::size_t kMaxStderrPerReply = 4 * MiB;  // stderr tails of one JOBS: a fraction of a frame
inline constexpr Millis kTurnTime = 2ms;                    // clients' messages are taken so long, then workers come again
inline constexpr Millis kWorkerTurnTime = 20ms;             // and workers': far below a lease
inline constexpr std::uint32_t kMaxWorkerRows = 250;        // in one ADMIN_REPLY: with their labels they fit a message

// --- what clients' jobs become at a worker -------------------------------------------------------------------------------
inline constexpr std::size_t kMaxCommandExpanded = 2 * MiB;  // with its line put in: what Linux takes by default

// --- what workers that serve many queues and types make the broker look at in a turn -------------------------------------
inline constexpr std::size_t kMaxServed = 2'000'000;        // queues and types in all their HELLOs: 256 bytes each
inline constexpr std::uint64_t kTurnLooks = 500'000;        // classes, when jobs are handed out: some milliseconds
inline constexpr std::uint64_t kLeastLaneLooks = 4096;      // of these for one lane at a time: hundreds of jobs
inline constexpr std::uint64_t kTurnReclaimLooks = 20'000;  // their jobs, for workers that idle: a millisecond

// --- what clients are told of the ends of jobs --------------------------------------------------------------------------
inline constexpr std::size_t kTurnNotices = 16'384;        // in one turn: some milliseconds, and more than jobs end in one
inline constexpr std::size_t kTurnNoticeBytes = 16 * MiB;  // and their bytes: some milliseconds of copying
inline constexpr std::size_t kMaxHeldNotices = 32 * MiB;  // that wait for a commit; over it the next ones are told after it
inline constexpr std::size_t kMaxUntoldReports = 64 * MiB;  // of ends not told yet, of each line; over it without results
inline constexpr std::size_t kMaxOpenNotices = 32 * MiB;    // unread and held of a client; over it without results

// --- what peers send ahead: the library takes whole messages by their number, whatever their size ------------------------
// Brought and not read, of all connections: over it requests of clients that sent more than kMaxAhead ahead get RETRY_LATER
// unread, over twice as much those of all that sent ahead at all.
inline constexpr std::size_t kMaxAheadTotal = 256 * MiB;
inline constexpr std::size_t kMaxAhead = 16 * MiB;  // two messages of the largest size
// Workers cannot be refused: over this of all of them the one that sent most ahead ends.
inline constexpr std::size_t kMaxWorkersAhead = 512 * MiB;
inline constexpr int kClientReceiveMark = 1000;              // messages of one client that the library takes ahead
inline constexpr int kWorkerReceiveMark = 100;               // and of one worker
inline constexpr std::size_t kClientWindowBytes = 64 * MiB;  // of requests that our client has unanswered at most

// --- what connections bring that is no message --------------------------------------------------------------------------
inline constexpr Millis kGuardInterval = 100ms;          // between two looks at the broker's memory
inline constexpr std::size_t kMaxHeldTotal = 512 * MiB;  // brought, not yet a message: over it the largest holder ends
inline constexpr std::size_t kGuardSlack = 1 * MiB;      // one connection may have brought this much more than a message

// What one commit releases never ends a client that reads.
static_assert(kMaxHeldNotices + kTurnNoticeBytes < kMaxOutboxBytes);

}  // namespace rota::limits
