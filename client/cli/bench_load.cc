#include "client/cli/bench_load.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "common/base/clock.h"
#include "common/base/units.h"

namespace rota::cli {

namespace {

constexpr Millis kTurn{1000};
constexpr std::int64_t kExplainAfterUs = 2'000'000;
constexpr std::int64_t kSpinUs = 1500;  // waits are whole milliseconds: the rest of a schedule is spun

// The broker's counters at one moment.
struct Counters {
  double commits = 0;
  double store_bytes = 0;
};

Result<Counters> read_counters(client::Client& client) {
  const Result<std::vector<client::AdminRow>> rows = client.admin("stats");
  if (!rows) return rows.error();
  Counters counters;
  for (const client::AdminRow& row : *rows) {
    counters.commits += client::number_in(row, "commits");
    counters.store_bytes += client::number_in(row, "store_bytes_written");
  }
  return counters;
}

// Ids that tell which job of the run they are: the last four bytes hold its number.
JobId numbered_id(client::Client& client, const std::string& queue, std::uint32_t number) {
  JobId id = client.make_id(queue);
  std::memcpy(id.bytes.data() + 12, &number, sizeof number);
  return id;
}

std::uint32_t number_of(const JobId& id) {
  std::uint32_t number = 0;
  std::memcpy(&number, id.bytes.data() + 12, sizeof number);
  return number;
}

// One run: what it submitted when, and how long each job took.
class Run {
 public:
  // `patience`: null where no ends are waited for.
  Run(client::Client& client, const BenchLoad& load, BenchPatience* patience)
      : client_(client), load_(load), patience_(patience), payload_(load.payload, 'x'), started_(load.jobs) {
    took_.reserve(load.jobs);
    client_.on_submitted([this](const client::SubmitResult& result) {
      if (result.code != Code::ok) note_failure(result.code, result.message);
      ++acknowledged_;
      if (by_acknowledgement_) note_time(static_cast<std::uint32_t>(result.ticket - first_ticket_));
    });
    client_.on_final([this](const client::FinishedJob& job) {
      if (!job.succeeded()) {
        note_failure(job.code == Code::ok ? Code::internal : job.code,
                     "job " + to_string(job.id) + " ended " + std::string(job_state_name(job.state)) + " " +
                         std::string(job.error_message) + std::string(job.message));
      }
      ++final_;
      note_time(number_of(job.id));
    });
  }
  ~Run() {
    client_.on_submitted(nullptr);
    client_.on_final(nullptr);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  [[nodiscard]] Status begin(bool by_acknowledgement) {
    by_acknowledgement_ = by_acknowledgement;
    const Result<Counters> counters = read_counters(client_);
    if (!counters) return counters.error();
    before_ = *counters;
    start_us_ = monotonic_us();
    return {};
  }

  // `as_of_us`: the moment from which its time counts.
  [[nodiscard]] Status submit(bool notify, std::int64_t as_of_us) {
    const auto number = static_cast<std::uint32_t>(submitted_);
    client::JobItem item;
    item.id = numbered_id(client_, load_.shared.queue, number);
    item.payload = payload_;
    started_[number] = as_of_us;
    if (submitted_ == final_) still_since(monotonic_us());
    last_id_ = *item.id;
    const Result<client::Ticket> ticket = client_.submit_async(load_.shared, item, notify);
    if (!ticket) return ticket.error();
    if (submitted_ == 0) first_ticket_ = *ticket;
    ++submitted_;
    return {};
  }

  [[nodiscard]] Status turn(Millis most) {
    const bool limited = patience_ != nullptr && patience_->limit.count() >= 0;
    const Result<std::size_t> handled = client_.poll(limited ? std::min(most, patience_->limit) : most);
    if (!handled) return handled.error();
    if (failure_) return *failure_;
    return patience_ != nullptr && submitted_ > final_ ? look_at_waiting() : Status{};
  }

  [[nodiscard]] Result<BenchFigures> end() {
    BenchFigures figures;
    figures.seconds = static_cast<double>(monotonic_us() - start_us_) / 1e6;
    figures.jobs = load_.jobs;
    const Result<Counters> after = read_counters(client_);
    if (!after) return after.error();
    figures.commits = static_cast<std::uint64_t>(after->commits - before_.commits);
    figures.store_bytes = after->store_bytes - before_.store_bytes;
    std::sort(took_.begin(), took_.end());
    const auto at = [this](double share) -> std::uint64_t {
      if (took_.empty()) return 0;
      return took_[std::min(took_.size() - 1, static_cast<std::size_t>(share * static_cast<double>(took_.size())))];
    };
    figures.p50_us = at(0.5);
    figures.p99_us = at(0.99);
    figures.p999_us = at(0.999);
    return figures;
  }

  [[nodiscard]] std::uint64_t submitted() const { return submitted_; }
  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t final_count() const { return final_; }
  [[nodiscard]] std::int64_t start_us() const { return start_us_; }

 private:
  void still_since(std::int64_t now_us) {
    final_then_ = final_;
    still_since_us_ = now_us;
    next_explanation_us_ = now_us + kExplainAfterUs;
  }
  // Says why nothing ends, and gives up at the limit.
  [[nodiscard]] Status look_at_waiting() {
    const std::int64_t now_us = monotonic_us();
    if (final_ != final_then_) still_since(now_us);
    if (patience_->limit.count() >= 0 && (now_us - still_since_us_) / 1000 >= patience_->limit.count()) {
      patience_->ran_out = true;
      return Error{Code::timed_out, std::to_string(final_) + " of " + std::to_string(load_.jobs) +
                                        " jobs ended, and no other within " + format_duration(patience_->limit) +
                                        "; 'rota workers' shows who could serve queue " + load_.shared.queue};
    }
    if (now_us >= next_explanation_us_) explain();
    return {};
  }
  void explain() {
    next_explanation_us_ = monotonic_us() + kExplainAfterUs;
    if (!client_.in_contact()) return;
    const std::vector<JobId> last{last_id_};
    const Result<std::vector<client::Job>> jobs = client_.get(last);
    if (!jobs || jobs->empty() || jobs->front().waiting_for.empty()) return;
    if (jobs->front().waiting_for == explanation_) return;
    explanation_ = jobs->front().waiting_for;
    patience_->waiting(explanation_);
  }
  void note_time(std::uint32_t number) {
    if (number >= started_.size()) return;
    const std::int64_t took = monotonic_us() - started_[number];
    took_.push_back(static_cast<std::uint32_t>(std::clamp<std::int64_t>(took, 0, UINT32_MAX)));
  }
  void note_failure(Code code, std::string_view message) {
    if (!failure_) failure_ = Error{code, std::string(message)};
  }

  client::Client& client_;
  const BenchLoad& load_;
  BenchPatience* patience_;
  std::string payload_;
  std::vector<std::int64_t> started_;
  std::vector<std::uint32_t> took_;
  std::optional<Error> failure_;
  Counters before_;
  bool by_acknowledgement_ = false;
  client::Ticket first_ticket_ = 0;
  std::uint64_t submitted_ = 0, acknowledged_ = 0, final_ = 0;
  std::int64_t start_us_ = 0;
  JobId last_id_;                    // of the last job that was submitted
  std::uint64_t final_then_ = 0;     // ends at still_since_us_
  std::int64_t still_since_us_ = 0;  // no job ended since
  std::int64_t next_explanation_us_ = 0;
  std::string explanation_;
};

// Turns until the clock shows `until_us`.
Status turn_until(Run& run, std::int64_t until_us) {
  for (std::int64_t left = until_us - monotonic_us(); left > 0; left = until_us - monotonic_us()) {
    if (Status turned = run.turn(left > kSpinUs ? Millis{(left - kSpinUs) / 1000} : Millis{0}); !turned) return turned;
  }
  return {};
}

}  // namespace

Result<BenchFigures> bench_submit(client::Client& client, const BenchLoad& load) {
  Run run(client, load, nullptr);
  if (const Status begun = run.begin(true); !begun) return begun.error();
  while (run.submitted() < load.jobs) {
    if (const Status submitted = run.submit(false, monotonic_us()); !submitted) return submitted.error();
  }
  while (run.acknowledged() < load.jobs) {
    if (const Status turned = run.turn(kTurn); !turned) return turned.error();
  }
  if (const Status last = run.turn(Millis{0}); !last) return last.error();
  return run.end();
}

Result<BenchFigures> bench_lifecycle(client::Client& client, const BenchLoad& load, BenchPatience& patience) {
  Run run(client, load, &patience);
  if (const Status begun = run.begin(false); !begun) return begun.error();
  // Room is used a batch at a time: a message for every job that ends would cost more than it hastens.
  const std::uint64_t refill = std::min(load.batch, load.window);
  while (run.final_count() < load.jobs) {
    std::uint64_t room = load.window - (run.submitted() - run.final_count());
    if (room >= refill) {
      for (; room > 0 && run.submitted() < load.jobs; --room) {
        if (const Status submitted = run.submit(true, monotonic_us()); !submitted) return submitted.error();
      }
    }
    if (const Status turned = run.turn(kTurn); !turned) return turned.error();
  }
  return run.end();
}

Result<BenchFigures> bench_latency(client::Client& client, const BenchLoad& load, BenchPatience& patience) {
  Run run(client, load, &patience);
  if (const Status begun = run.begin(false); !begun) return begun.error();
  while (run.submitted() < load.jobs) {
    std::int64_t as_of = monotonic_us();
    if (load.rate > 0) {
      as_of = run.start_us() + static_cast<std::int64_t>(run.submitted() * 1'000'000 / load.rate);
      if (const Status turned = turn_until(run, as_of); !turned) return turned.error();
    }
    if (const Status submitted = run.submit(true, as_of); !submitted) return submitted.error();
    do {
      if (const Status turned = run.turn(load.rate > 0 ? Millis{0} : kTurn); !turned) return turned.error();
    } while (load.rate == 0 && run.final_count() < run.submitted());
  }
  while (run.final_count() < load.jobs) {
    if (const Status turned = run.turn(kTurn); !turned) return turned.error();
  }
  return run.end();
}

}  // namespace rota::cli
