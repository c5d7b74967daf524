// What the options of a job allow: when it may be given out, how often, and how long a run of it may last.
#include <algorithm>
#include <cmath>

#include "tests/sim/auditor.h"

namespace rota::sim {
namespace {

constexpr Millis kRounding{1};
// A dispatch waits for two commits at most before it leaves, and for looks into the store.
constexpr Millis kLongestCommits = std::chrono::seconds{10};
// A worker's turn comes at most so much after what it waits for.
constexpr Millis kTurn{5};

bool is_failure(AttemptEnd end) { return end == AttemptEnd::failed || end == AttemptEnd::timed_out; }

// No wait after that failure is shorter: they are spread by 20 %.
Millis least_backoff(const wire::JobOptions& options, std::size_t failures) {
  const double factor = static_cast<double>(options.backoff_factor_milli) / 1000;
  const double grown = static_cast<double>(options.backoff.count()) * std::pow(factor, static_cast<double>(failures - 1));
  const double most = static_cast<double>(options.backoff_max.count());
  return Millis{static_cast<std::int64_t>(0.8 * std::min(grown, most))} - kRounding;
}

}  // namespace

void Auditor::judge_limits(Job& job, const wire::DispatchShared& shared, const wire::DispatchItem& item,
                           const std::string& text) {
  const wire::JobOptions& options = job.ask.options;
  if (shared.time_limit != options.time_limit)
    return fail(text + " is dispatched with another time limit than was submitted");
  if (shared.stop_on_disconnect != options.stop_on_disconnect) {
    return fail(text + " is dispatched with another stop-on-disconnect than was submitted");
  }
  // Whoever asks for a retry asks for it at once, and afresh.
  if (job.retried) return;
  judge_wait(job, text);
  judge_expiry(job, item, text);
  judge_spent(job, text);
}

void Auditor::judge_wait(const Job& job, const std::string& text) {
  const wire::JobOptions& options = job.ask.options;
  const Now now = timeline_.now();
  // What is stored is stored by the wall clock: set forward, it ends waits of an earlier life.
  const auto counts = [this](std::uint64_t life) { return life == life_ || !rules_.clock_steps; };
  if (options.run_at.ms > 0 && !rules_.clock_steps && now.wall.ms < options.run_at.ms) {
    return fail(text + " is dispatched before the time that was named");
  }
  if (job.sent.empty()) {
    if (counts(job.received_life) && options.delay.count() > 0 && now.steady < job.received_when + options.delay) {
      fail(text + " is dispatched before its delay is over");
    }
    return;
  }
  const Sent& last = job.sent.back();
  if (!last.counted || !is_failure(last.end) || !counts(last.completed_life) || options.backoff.count() == 0) return;
  if (job.may_be_forgotten || job.accepted_times > 1) return;
  const auto failed_so = [](const Sent& one) { return one.counted && is_failure(one.end); };
  const auto failures = static_cast<std::size_t>(std::count_if(job.sent.begin(), job.sent.end(), failed_so));
  if (now.steady < last.completed_when + least_backoff(options, failures)) {
    fail(text + " is dispatched before its backoff is over");
  }
}

void Auditor::judge_expiry(const Job& job, const wire::DispatchItem& item, const std::string& text) {
  const Millis expires = job.ask.options.expires;
  if (expires.count() == 0) {
    if (item.expires_in.count() != 0) fail(text + " is dispatched with an expiry, and never expires");
    return;
  }
  if (item.expires_in.count() == 0 || item.expires_in > expires) {
    return fail(text + " is dispatched with " + std::to_string(item.expires_in.count()) + " ms left of the " +
                std::to_string(expires.count()) + " until it expires");
  }
  if (job.acked_at == 0 || job.acked_life != life_ || job.received_life != life_ || job.may_be_forgotten) return;
  const Steady now = timeline_.now().steady;
  if (now <= job.acked_when + expires + kLongestCommits || broker_stalled_until_ > now - kLongestCommits) return;
  fail(text + " is dispatched long after it had expired");
}

// Nobody else holds the key of a live job.
void Auditor::judge_key(const Job& job, const std::string& text) {
  const auto exempt = [](const Job& one) {
    return one.retried || one.may_be_forgotten || one.ask.options.durability == Durability::memory;
  };
  if (job.ask.key.empty() || exempt(job) || job.acked_at == 0) return;
  for (const auto& [id, other] : jobs_) {
    if (other.ask.key != job.ask.key || other.ask.queue != job.ask.queue || exempt(other)) continue;
    if (other.accepted_request == 0 || other.accepted_request <= job.acked_at) continue;
    return fail(text + " is dispatched, but " + name(id) + " was accepted under the same key meanwhile");
  }
}

// Retries and losses. What is counted here the broker has said or has certainly seen, so it may have counted more.
void Auditor::judge_spent(Job& job, const std::string& text) {
  if (!job.sent.empty()) note_loss(job.sent.back());
  if (job.may_be_forgotten || job.accepted_times > 1) return;
  std::uint64_t failures = 0, losses = 0;
  for (const Sent& one : job.sent) {
    if (one.counted && one.end == AttemptEnd::rejected) {
      return fail(text + " is dispatched although " + text_of(one.token) + " was rejected");
    }
    if (one.counted && is_failure(one.end)) ++failures;
    const bool given_up = one.counted && one.end == AttemptEnd::lost && one.claimed && one.completed_life == one.life;
    if (one.lost || given_up) ++losses;
  }
  if (failures > job.ask.options.retries) {
    return fail(text + " is dispatched although it has failed " + std::to_string(failures) + " times and has " +
                std::to_string(job.ask.options.retries) + " retries");
  }
  if (losses > job.ask.options.losses) {
    fail(text + " is dispatched although it was lost " + std::to_string(losses) + " times and may be " +
         std::to_string(job.ask.options.losses) + " times");
  }
}

// The job is given out again. If its last worker had said that it started it, and neither ended it nor gave it back, that
// worker was lost with it.
void Auditor::note_loss(Sent& before) {
  if (!before.claimed || before.completed_at != 0 || before.given_back || before.life != life_) return;
  const Session& session = sessions_.at(before.session);
  if (session.hello_at > before.at && !session.listed.contains(before.token)) return;
  before.lost = true;
}

// --- on workers ---------------------------------------------------------------------------------------------------------

void Auditor::dispatch_arrived(const wire::Dispatch& dispatch) {
  for (const wire::DispatchItem& item : dispatch.items) {
    if (Sent* sent = dispatch_of(item.id, {dispatch.epoch, item.dispatch}); sent != nullptr) {
      sent->arrived = timeline_.now().steady;
    }
  }
}

void Auditor::run_ended(const audit::Run& run) {
  ++event_;
  const Job* job = job_of(run.id);
  if (job == nullptr || run.stop_asked || run.stalled) return;
  const wire::JobOptions& options = job->ask.options;
  const Steady now = timeline_.now().steady;
  const std::string text = "the run of " + name(run.id) + " " + text_of(run.token);
  if (options.time_limit.count() > 0 && now > run.from + options.time_limit + kTurn) {
    return fail(text + " was not stopped at its time limit");
  }
  if (options.stop_on_disconnect && now > run.heard + rules_.lease * 8 / 10 + kTurn) {
    fail(text + " was not stopped although its worker had lost the broker");
  }
}

}  // namespace rota::sim
