#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

// Every bound of the product and its reason. Sizes are bytes, times are milliseconds. What an option can change is a
// default here and says so.
namespace rota::limits {

using namespace std::chrono_literals;

inline constexpr std::size_t KiB = 1024;
inline constexpr std::size_t MiB = 1024 * KiB;
inline constexpr std::size_t GiB = 1024 * MiB;

// --- names and small fields -------------------------------------------------------------------------------------------
inline constexpr std::size_t kMaxQueueName = 64;    // fits labels, paths and metrics
inline constexpr std::size_t kMaxWorkerName = 128;  // host name plus suffix
inline constexpr std::size_t kMaxJobName = 256;     // shown in tables
inline constexpr std::size_t kMaxKey = 256;         // kept in memory while the job lives
inline constexpr std::size_t kMaxHeaders = 64;      // trace context and the like, not payload
inline constexpr std::size_t kMaxHeaderBytes = 16 * KiB;
inline constexpr std::size_t kMaxLabels = 32;
inline constexpr std::size_t kMaxArguments = 4096;           // argv and environment entries of one command
inline constexpr std::size_t kMaxCommandBytes = 128 * KiB;   // well below the kernel's ARG_MAX of 2 MiB
inline constexpr std::uint64_t kMaxArrayTasks = 10'000'000;  // of one --array: a larger one is a slip of the hand
inline constexpr std::size_t kMaxLine = 64 * KiB;            // one line of --each-line
inline constexpr std::size_t kMaxErrorCode = 64;             // a name, not a sentence
inline constexpr std::size_t kMaxErrorMessage = 4 * KiB;
inline constexpr std::size_t kMaxStderrTail = 16 * KiB;  // kept with the outcome
inline constexpr std::size_t kMaxProgressMessage = 256;

// --- payloads and results ---------------------------------------------------------------------------------------------
inline constexpr std::size_t kDefaultMaxPayload = 1 * MiB;   // --max-payload
inline constexpr std::size_t kLargestMaxPayload = 64 * MiB;  // one frame must stay far below 2 GiB
inline constexpr std::size_t kDefaultMaxOutput = 1 * MiB;    // --max-output
inline constexpr std::size_t kMaxInlineResult = 64 * KiB;    // larger results are fetched with GET, not pushed in NOTIFY

// --- messages ---------------------------------------------------------------------------------------------------------
inline constexpr std::size_t kMaxBatch = 4096;            // items in one message
inline constexpr std::size_t kMaxShared = 256;            // shared parts in one SUBMIT or DISPATCH
inline constexpr std::size_t kMaxMessageBytes = 8 * MiB;  // body frame; grows with --max-payload (see max_message_bytes)
inline constexpr std::size_t kDispatchBytes = 1 * MiB;    // a DISPATCH is cut here, unless one job alone is larger
inline constexpr std::size_t kMaxNesting = 8;             // deepest msgpack container of any message is 6 (argv in SUBMIT)
inline constexpr std::size_t kMaxElements = 512 * KiB;    // msgpack values in one message: batch x largest item fits
inline constexpr std::size_t kMaxTokensInHello = 32768;   // what one worker can hold: its largest credit, thrice
inline constexpr std::size_t kMaxMapKeys = 128;          // of HELLO, WELCOME, options and rows: several times what is known
inline constexpr std::size_t kMaxHelloText = 256;        // software, host, boot id, endpoints: shown in tables
inline constexpr std::uint32_t kDefaultListJobs = 100;   // jobs of one LISTED unless asked otherwise
inline constexpr std::uint32_t kMaxListJobs = 1000;      // and at most: a page, not a dump
inline constexpr std::size_t kListedBytes = 1 * MiB;     // a LISTED is cut here, unless one job alone is larger
inline constexpr std::uint32_t kMaxAdminRows = 1000;     // queues or workers in one ADMIN_REPLY: a page as well
inline constexpr std::size_t kMaxCursor = 64;            // bytes of a list's cursor: an id and what it belongs to
inline constexpr std::size_t kMinEnding = 8;             // hex digits of a shortened id: 32 bits tell 10,000 jobs apart
inline constexpr std::size_t kShortIdSearch = 10'000;    // newest jobs among which a shortened id is looked for
inline constexpr std::size_t kMaxVerb = 32;              // an ADMIN verb is a word
inline constexpr std::size_t kMaxMessageText = 4 * KiB;  // sentences for people in answers
inline constexpr std::uint32_t kProtocolVersion = 1;

// --- jobs -------------------------------------------------------------------------------------------------------------
inline constexpr Millis kMaxDuration = std::chrono::hours{24 * 366 * 10};  // any duration: ten years
inline constexpr std::uint32_t kMaxRetries = 10'000;
inline constexpr std::uint32_t kDefaultLosses = 5;
inline constexpr std::uint32_t kMaxLosses = 250;                  // one byte in the index entry
inline constexpr std::uint32_t kMinBackoffFactorMilli = 1000;     // a wait never shrinks from one retry to the next
inline constexpr std::uint32_t kMaxBackoffFactorMilli = 100'000;  // 100: the longest wait is reached at once
inline constexpr Millis kDefaultBackoff = 1s;
inline constexpr Millis kDefaultBackoffMax = 10min;
inline constexpr Millis kDefaultKeep = 24h;
inline constexpr Millis kDefaultKeepFailed = 24h * 7;
inline constexpr Millis kDefaultDedupWindow = 10min;  // --dedup-window
inline constexpr Millis kMinDedupWindow = 10s;  // longer than a finished job stays in the core, and than a resend takes
inline constexpr Millis kMaxIdAhead = 1min;     // an id may run this far ahead of the broker's clock
inline constexpr Millis kRecentHorizon = 5s;    // finished jobs stay in the core this long

// --- sessions and leases ------------------------------------------------------------------------------------------------
inline constexpr Millis kDefaultLease = 15s;       // --lease; renewed at a third of it
inline constexpr Millis kDefaultReattach = 30s;    // --reattach: two leases
inline constexpr Millis kMinLease = 500ms;         // below that the scheduler's own noise ends leases
inline constexpr std::uint32_t kMaxCredit = 8192;  // jobs one worker may hold, slots and prefetch together
inline constexpr std::uint32_t kMaxSlots = 4096;
inline constexpr std::size_t kMaxBytesInFlight = 64 * MiB;  // per worker, beyond one job a slot
inline constexpr std::size_t kMaxQueuesPerWorker = 256;
inline constexpr std::size_t kMaxTypesPerWorker = 256;
inline constexpr std::uint32_t kMaxQueueWeight = 1000;
inline constexpr std::size_t kMaxBrokersPerWorker = 16;  // all are waited for together
inline constexpr std::uint32_t kPrefetchChunk = 64;      // jobs a worker is given in a row: a share, not all, of a backlog
inline constexpr std::size_t kReserveSearch = 64;        // workers looked at for a job that must run alone
inline constexpr std::size_t kReclaimSearch = 64;        // idle and laden workers looked at in one reclaim
inline constexpr Millis kFlushInterval = 1ms;            // completions gathered by a worker wait at most this long
inline constexpr Millis kPrefetchHorizon = 50ms;         // a worker prefetches what it will start within this time

// --- worker -------------------------------------------------------------------------------------------------------------
inline constexpr Millis kStopGrace = 5s;          // a job asked to stop has this long; then it is killed or written off
inline constexpr Millis kHoldPatience = 1s;       // prefetched jobs that stood this long behind slow ones are handed back
inline constexpr Millis kHelloPatience = 5s;      // no answer to a HELLO: open a new socket
inline constexpr Millis kKillPatience = 1s;       // how long a killed worker waits for its last acknowledgements
inline constexpr Millis kReconnectFirst = 100ms;  // doubled up to the next, with jitter: no herd after a restart
inline constexpr Millis kReconnectMost = 5s;
inline constexpr Millis kProgressInterval = 1s;           // progress is passed on at most this often
inline constexpr std::size_t kFlushBatch = 512;           // gathered completions that are sent without waiting longer
inline constexpr std::size_t kMaxUnacknowledged = 16384;  // finished jobs a worker keeps; over it it starts nothing
inline constexpr std::int64_t kInlineRunUs = 100;         // handlers proven shorter may run on the I/O thread ...
inline constexpr std::int64_t kInlineSliceUs = 300;       // ... which looks at its sockets again after this long
inline constexpr std::size_t kMaxStartAhead = 512;        // short jobs queued at the handler threads beyond their number
inline constexpr Millis kDyingPatience = 5s;              // what is killed gets so long to be gone: below a lease

// --- clients ------------------------------------------------------------------------------------------------------------
inline constexpr Millis kPingInterval = 5s;
inline constexpr Millis kSilence = 15s;             // three missed pings: open a new socket
inline constexpr Millis kDefaultTimeout = 10s;      // --timeout of a request
inline constexpr Millis kProbeInterval = 1s;        // an unanswered request is probed by a ping after this
inline constexpr Millis kFirstResend = 2s;          // far above any commit, so that a slow broker gets no double load
inline constexpr Millis kLastResend = 10s;          // the backoff of resends stops growing here
inline constexpr Millis kGreeting = 3s;             // for a connection, then for a WELCOME: after it a new socket
inline constexpr Millis kReopenInterval = 100ms;    // between two new sockets of one client
inline constexpr Millis kLongestRefusalPause = 2s;  // between repetitions of what was refused for now
inline constexpr std::size_t kClientBatch = 512;    // jobs a client gathers into one SUBMIT
inline constexpr std::size_t kClientBatchBytes = 1 * MiB;  // and their bytes: a frame that neither side feels
inline constexpr std::size_t kClientWindow = 64 * 512;     // submits a client has unacknowledged at most
inline constexpr std::size_t kGetBatch = 128;              // jobs in one GET: their stderr tails fit one message
inline constexpr std::size_t kMaxWaits = 4'000'000;        // jobs one client may wait for at a time
inline constexpr std::size_t kMaxClients = 50'000;
inline constexpr std::size_t kMaxWaitsTotal = 16'000'000;  // over all clients: about 64 bytes each in the broker
inline constexpr Millis kPeerSilence = 60s;  // a client, or a peer without a session, heard no more is forgotten
inline constexpr std::size_t kMaxWorkers = 20'000;
inline constexpr std::size_t kMaxQueues = 65'536;       // interned names live for the process
inline constexpr std::size_t kMaxTypesPerQueue = 4096;  // with jobs in one queue: its view and purges go over them all

// --- broker: backpressure ---------------------------------------------------------------------------------------------
inline constexpr std::size_t kMaxOutboxBytes = 64 * MiB;  // per peer; over it the session ends
inline constexpr std::size_t kMaxUncommittedBytes =
    256 * MiB;                                               // staged and not yet synced; over it submits get RETRY_LATER
inline constexpr std::size_t kStagedUnseen = 1 * MiB;        // staged before the store's free space is looked at again
inline constexpr std::size_t kDefaultMemoryLimit = 1 * GiB;  // --memory-limit
inline constexpr int kClientSendMark = 200;   // messages the library queues for a client; the rest waits in the outbox
inline constexpr int kWorkerSendMark = 1000;  // and for a worker
inline constexpr std::size_t kMaxMetricQueues = 1000;  // with series of their own; more would drown a scraper
inline constexpr Millis kMaintainUnderLoad = 20ms;     // the store's sweeper gets a slice this often even without a pause
inline constexpr Millis kMaintainIdle = 250ms;         // and looks for expired keeps this often when nothing is to do
inline constexpr std::size_t kMaxBulkRuns = 64;        // purges and retries of queues under way, one slice of one a turn
inline constexpr std::size_t kMaxListings = 64;        // lists under way, a piece of one a turn
inline constexpr std::size_t kMaxListingsOfPeer = 8;   // of one client among them
inline constexpr int kMostListRestarts = 3;            // of a list that took so long that what it saw is old
inline constexpr std::size_t kListRequestVisits = 200'000;  // records one LIST looks at, a look after the other
inline constexpr std::size_t kBulkSlice = 256;  // finished jobs forgotten or revived in one commit: others wait for it
inline constexpr std::size_t kBulkRequestJobs = 8192;       // of one request; then the client is told how far it came
inline constexpr std::size_t kBulkRequestVisits = 200'000;  // records one request looks at where few match
inline constexpr std::size_t kMaxParkedBytes = 64 * MiB;    // requests that wait for a look; over it RETRY_LATER
inline constexpr std::size_t kMaxLookUpIds = 65'536;        // ids of one such look: a bounded read transaction
inline constexpr Millis kRetryLaterHint = 100ms;
inline constexpr std::size_t kTurnMessages = 1024;        // messages drained from a socket before the other is looked at
inline constexpr std::size_t kSliceRecords = 1000;        // records a bulk command touches in one step
inline constexpr std::size_t kTurnTimers = 10'000;        // waits of one kind that end in one turn: some milliseconds
inline constexpr std::uint32_t kTurnDispatches = 16'384;  // jobs handed out in one turn: some milliseconds

// --- store --------------------------------------------------------------------------------------------------------------
inline constexpr std::size_t kStoreMapSize = 1024 * GiB;       // sparse; address space only
inline constexpr std::size_t kDefaultStoreLimit = 64 * GiB;    // --store-limit
inline constexpr std::size_t kMinStoreLimit = 256 * MiB;       // --store-limit: reserve, two steps and room to work
inline constexpr std::size_t kDefaultFinishedLimit = 4 * GiB;  // --finished-limit
inline constexpr std::size_t kAllocationStep = 64 * MiB;       // file space is allocated ahead in steps of this
inline constexpr std::size_t kMinReserve = 64 * MiB;           // kept for dispatches, completions and deletes
inline constexpr std::size_t kMaxUnswept = 200'000;   // finished jobs not yet filed; over it the sweeper runs first
inline constexpr std::size_t kSweepSliceJobs = 2048;  // filed in one transaction: milliseconds, so that commits hardly wait
inline constexpr std::size_t kSweepSliceBytes = 8 * MiB;
inline constexpr std::size_t kListVisits = 10'000;    // records one look of a list passes: some milliseconds
inline constexpr Millis kDropGrace = kRecentHorizon;  // --finished-limit hides a job this long before it deletes it
inline constexpr Millis kForgetGap = 2s;  // between two looks of the store: a stall; it then forgets nothing for a grace
inline constexpr Millis kDropGraceStep = 500ms;        // of that passes between two looks at most, however far apart
inline constexpr std::size_t kMaxDoomed = 500'000;     // jobs so hidden at a time: some 25 MB; 100,000 a second
inline constexpr std::size_t kMaxListedDamages = 100;  // named by a check; the rest is counted
inline constexpr Millis kSweepInterval = 1s;           // fewer than a slice are filed this long after the last time

// The largest body frame a broker with this --max-payload takes: a payload and everything else of a single job, or a batch.
[[nodiscard]] constexpr std::size_t max_message_bytes(std::size_t max_payload) {
  const std::size_t one_job = max_payload + kMaxCommandBytes + kMaxHeaderBytes + 64 * KiB;
  return one_job > kMaxMessageBytes ? one_job : kMaxMessageBytes;
}

static_assert(kDefaultReattach >= 2 * kDefaultLease);
static_assert(kSilence >= 3 * kPingInterval);
static_assert(kMinDedupWindow >= 2 * kRecentHorizon);
static_assert(kMaxTokensInHello >= 3 * kMaxCredit);
static_assert(kMaxSlots <= kMaxCredit);
static_assert(kMaxUnacknowledged + kMaxSlots + kFlushBatch <= kMaxTokensInHello);
static_assert(kDispatchBytes <= kMaxMessageBytes);
static_assert(kListedBytes <= kMaxMessageBytes);
static_assert(kMaxListJobs <= kMaxBatch);
static_assert(kMaxElements >= kMaxBatch * 16);
static_assert(kMaxUnswept > kSweepSliceJobs);
static_assert(kMaxDoomed > kSweepSliceJobs);
static_assert(kDropGrace >= 4 * kDropGraceStep);  // several looks, so that several commits lie between
static_assert(kMaxCommandBytes + kMaxHeaderBytes < kMaxMessageBytes);
static_assert(kDefaultMaxPayload <= kLargestMaxPayload);

}  // namespace rota::limits
