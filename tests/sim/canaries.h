#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/sim/weather.h"

namespace rota::sim {

// Planted bugs: each makes the broker, as everybody around it sees it, break one promise. The simulator must find each.
enum class Canary : std::uint8_t {
  none,
  ack_before_commit,   // answers leave before what they say is on disk
  lost_accept,         // an accepted job is not written
  lost_outcome,        // an end is not written: after a restart the job runs again
  token_ignored,       // a completion counts whatever its token
  stale_kept,          // a worker that comes back may keep what somebody else was given
  stale_taken,         // or its run counts, which ended while it was away
  stale_told_ok,       // a stale completion is told to have counted
  lost_requeue,        // a job that came back is never given out again
  double_dispatch,     // one dispatch goes to two workers
  rerun_finished,      // a job that succeeded is given out again
  second_success,      // two runs of a job count
  credit_overrun,      // a worker is given more than it asked for
  priority_inversion,  // low priorities go first
  newest_first,        // within a submit the last goes first
  forgotten_dedup,     // finished ids are not known any more
  lost_wait,           // an end is not told to who waits
  ignored_pause,       // a pause is acknowledged and has no effect
  ignored_cancel,      // so is a cancel
  ignored_delay,       // a job starts before its delay is over
  ignored_key,         // two jobs live under one key
  short_lease,         // leases end before what was told
  swapped_payload,     // two jobs of a dispatch get each other's payload
  swapped_headers,     // or headers
  weaker_durability,   // a job that was to be synced is kept in memory
  invented_result,     // a result that no worker reported
  unsent_loss,         // jobs are charged losses of dispatches that never left
  late_dispatch,       // a dispatch leaves after the job went to somebody else
  gap_in_list,         // a list leaves a job out
  list_repeats,        // a list goes on with what it had named
  ignored_purge,       // a purge is acknowledged and forgets nothing
  ignored_retry,       // a retry of a queue is acknowledged and takes no job
  ignored_drain,       // a drained worker gets jobs
  ignored_goodbye,     // a client that left is told on
  swallowed_refusal,   // what is no message gets no answer
  ignored_read_error,  // a look into the store that failed is taken for one that found nothing
  early_forget,        // ends are forgotten before their keep is over
  ignored_keep,        // what was not to be kept is
  ignored_memory_limit,
  ignored_retries,     // a job that failed runs again although its retries are spent
  ignored_rejection,   // so does one that was rejected
  ignored_losses,      // a job is lost more often than it may be
  ignored_expiry,      // jobs do not expire
  late_expiry,         // nor do they, but their dispatches say that they will
  ignored_run_at,      // a job starts before the time that was named
  ignored_backoff,     // a job that failed runs again at once
  ignored_time_limit,  // dispatches say nothing of the time limit
  ignored_disconnect,  // nor that a job is to be stopped when the broker is gone
  endless_run,         // a worker does not stop a run at its time limit
  deaf_run,            // a worker does not stop it when the broker is gone
  started_late,        // a worker starts what has expired
};
inline constexpr std::size_t kCanaries = static_cast<std::size_t>(Canary::started_late) + 1;
[[nodiscard]] std::string_view canary_name(Canary canary);
// Whether this verdict of the auditor is that of the rule that the planted bug breaks. A bug may trip over another rule
// first, by what it does to everything else; that says nothing about the rule that it was planted for.
[[nodiscard]] bool is_caught_by(Canary canary, std::string_view verdict);
// Some need what the weather seldom makes: they are given more of it.
void suit(Weather& weather, Canary canary);

}  // namespace rota::sim
