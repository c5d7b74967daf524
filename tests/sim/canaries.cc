#include "tests/sim/canaries.h"

#include <array>

namespace rota::sim {
namespace {

// What the auditor says when it catches one: part of its verdict, of any of these rules.
struct Planted {
  std::string_view name;
  std::array<std::string_view, 2> verdicts;
};

constexpr std::string_view kUnknown = "was acknowledged and is not known any more";
constexpr std::string_view kEndedBefore = "but was told to have ended";

constexpr Planted kPlanted[] = {
    {"none", {}},
    {"ack-before-commit", {kUnknown, kEndedBefore}},
    {"lost-accept", {kUnknown}},
    {"lost-outcome", {kEndedBefore}},
    {"token-ignored", {"was taken although"}},
    {"stale-kept", {"a WELCOME lets a worker keep", "is told to be running (WELCOME), but was told to have ended"}},
    {"stale-taken", {"a WELCOME takes the end of"}},
    {"stale-told-ok", {"was taken although"}},
    {"lost-requeue", {"has no end;"}},
    {"double-dispatch", {"is dispatched twice under one token"}},
    {"rerun-finished", {"is told to be running (DISPATCH), but was told to have ended"}},
    {"second-success", {"had succeeded before"}},
    {"credit-overrun", {"and granted credit for"}},
    {"priority-inversion", {"although its priority is lower"}},
    {"newest-first", {"although it was accepted later"}},
    {"forgotten-dedup", {"was accepted as new twice"}},
    {"lost-wait", {" waits for j"}},
    {"ignored-pause", {"is dispatched although its queue is paused"}},
    {"ignored-cancel", {"is dispatched although its cancellation was acknowledged"}},
    {"ignored-delay", {"is dispatched before its delay is over"}},
    {"ignored-key", {"was accepted under the same key meanwhile"}},
    {"short-lease", {"is held under a lease that lasts"}},
    {"swapped-payload", {"is dispatched with another payload than was submitted"}},
    {"swapped-headers", {"is dispatched with other headers than were submitted"}},
    {"weaker-durability", {"is kept in memory only, but was to be synced"}},
    {"invented-result", {"but no worker reported that with the result"}},
    {"unsent-loss", {"losses, but was given to a worker", "losses, and may have"}},
    {"late-dispatch", {"has left before it"}},
    {"gap-in-list", {"is missing in a list"}},
    {"list-repeats", {"out of order, or twice"}},
    {"ignored-purge", {"is known although it was purged"}},
    {"ignored-retry", {"a retry of the queue"}},
    {"ignored-drain", {"whose drain was acknowledged"}},
    {"ignored-goodbye", {"is told to a client that had said goodbye"}},
    {"swallowed-refusal", {"something that is no message was not refused"}},
    {"ignored-read-error", {kUnknown, "was accepted as new twice"}},
    {"early-forget", {kUnknown}},
    {"ignored-keep", {"was not to be kept, had ended before the last restart"}},
    {"ignored-memory-limit", {"memory jobs of"}},
    {"ignored-retries", {"is dispatched although it has failed"}},
    {"ignored-rejection", {"was rejected"}},
    {"ignored-losses", {"is dispatched although it was lost", "losses, and may have"}},
    {"ignored-expiry", {"until it expires"}},
    {"late-expiry", {"is dispatched long after it had expired"}},
    {"ignored-run-at", {"is dispatched before the time that was named"}},
    {"ignored-backoff", {"is dispatched before its backoff is over"}},
    {"ignored-time-limit", {"is dispatched with another time limit"}},
    {"ignored-disconnect", {"is dispatched with another stop-on-disconnect"}},
    {"endless-run", {"was not stopped at its time limit"}},
    {"deaf-run", {"was not stopped although its worker had lost the broker"}},
    {"started-late", {"is started although it had expired"}},
};
static_assert(std::size(kPlanted) == kCanaries);

}  // namespace

std::string_view canary_name(Canary canary) { return kPlanted[static_cast<std::size_t>(canary)].name; }

bool is_caught_by(Canary canary, std::string_view verdict) {
  for (const std::string_view part : kPlanted[static_cast<std::size_t>(canary)].verdicts) {
    if (!part.empty() && verdict.find(part) != std::string_view::npos) return true;
  }
  return false;
}

void suit(Weather& weather, Canary canary) {
  if (canary == Canary::ignored_read_error) weather.read_fails = 0.5;
  if (canary != Canary::token_ignored && canary != Canary::stale_kept) return;
  // The next run of a job has begun and lasts when its last one is reported, by who stood still meanwhile.
  weather.lease_stalls = 1;
  weather.late_reports = 0.5;
  weather.long_jobs = 0.5;
  weather.run_most = 4000;
  weather.workers = 4;
}

}  // namespace rota::sim
