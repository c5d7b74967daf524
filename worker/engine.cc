#include "worker/engine.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "common/base/check.h"
#include "common/base/clock.h"

namespace rota::worker {
namespace {

// An idle thread looks this often whether the leader hangs in a handler, while the leader runs any.
constexpr std::chrono::milliseconds kLeadWatch{200};
constexpr std::chrono::milliseconds kLeadWatchEnds{10'000};  // ... and stops looking when it has run none for this long
constexpr std::chrono::hours kForever{24};
constexpr std::int64_t kLeadHangsUs = 100'000;
// A quick run that has not come back after this is not waited for in short steps any more.
constexpr std::int64_t kQuickPatienceUs = 20'000;

std::uint64_t key_of(std::uint32_t link, Handle job) { return (std::uint64_t{link} << 32U) | job.index; }

Steady steady_now() { return read_clocks().steady; }

}  // namespace

Engine::Engine(const WorkerOptions& options, Identity identity, std::vector<Executor> executors,
               std::optional<CommandRunner> runner)
    : executors_(std::move(executors)),
      observer_(options.observer),
      drain_timeout_(options.drain_timeout),
      runner_(std::move(runner)) {
  slots_.total = options.slots;
  for (const std::string& broker : options.brokers) links_.emplace_back(broker, identity, slots_, context_);
}

Status Engine::begin() {
  for (Link& link : links_) {
    Status begun = link.begin(steady_now());
    if (!begun) return begun;
  }
  return {};
}

void Engine::ask_drain() {
  drain_asked_.store(true);
  pool_.wake_leader();
}

void Engine::ask_kill() {
  kill_asked_.store(true);
  pool_.wake_leader();
}

void Engine::lead(std::unique_lock<std::mutex>& lock) {
  while (!pool_.closed()) {
    const Steady now = steady_now();
    take_inputs(now);
    turn_all(now);
    pool_.wake_for_pushed();
    if (runner_ && runner_->wants_to_send() && !runner_->send()) spawner_died(now);
    settle_ending();
    if (ending_) {
      runner_.reset();  // ends whatever still runs
      pool_.close();
      return;
    }
    if (!here_.empty()) {
      if (!run_slice(lock)) return;
      continue;
    }
    wait_for_input(now);
  }
}

void Engine::follow() {
  while (!pool_.closed()) {
    const bool watch =
        monotonic_us() - last_here_us_.load(std::memory_order_relaxed) < std::chrono::microseconds{kLeadWatchEnds}.count();
    Run* const run = pool_.take(watch ? kLeadWatch : std::chrono::milliseconds{kForever});
    if (run != nullptr) {
      const std::int64_t from = monotonic_us();
      Outcome outcome = pool_.execute(*run);
      pool_.report(Done{run, std::move(outcome), monotonic_us() - from});
      continue;
    }
    const std::int64_t since = here_since_us_.load(std::memory_order_acquire);
    if (since == 0 || monotonic_us() - since < kLeadHangsUs) continue;
    std::unique_lock lock{lead_mutex_, std::try_to_lock};
    std::int64_t hanging = since;
    if (!lock.owns_lock() || !here_since_us_.compare_exchange_strong(hanging, 0)) continue;
    // The leader hangs in a handler: nobody renews leases. It will find that it does not lead any more.
    lead(lock);
  }
}

void Engine::take_inputs(Steady now) {
  obey_requests(now);
  take_done(now);
  if (runner_) take_ended_commands(now);
  note_taken();
  for (Link& link : links_) static_cast<void>(link.receive(now));
}

void Engine::obey_requests(Steady now) {
  if (drain_asked_.exchange(false)) {
    for (Link& link : links_) link.core().drain(now);
    if (drain_timeout_.count() > 0) drain_until_ = std::min(drain_until_, now + drain_timeout_);
  }
  if (now >= drain_until_) {
    drain_until_ = kNeverSteady;
    kill_asked_.store(true);
  }
  if (kill_asked_.exchange(false)) {
    for (Link& link : links_) link.core().kill(now, link.actions());
  }
}

void Engine::take_done(Steady now) {
  pool_.collect(done_, progress_);
  // A handler that reports often wakes nobody with most of it: what it said last is looked for.
  if (!progress_.empty()) progress_look_ = now + limits::kProgressInterval;
  if (now >= progress_look_) progress_look_ = kNeverSteady;
  for (ProgressReport& report : progress_) {
    links_[report.link].core().progress(report.job, report.fraction, std::move(report.message), now);
  }
  for (Done& one : done_) {
    Run& run = *one.run;
    links_[run.link].core().finished(run.job, std::move(one.outcome), one.run_us, now);
    give_back(run);
  }
}

void Engine::note_taken() {
  const std::uint64_t taken = pool_.taken();
  for (; known_taken_ < taken; ++known_taken_) {
    const auto& [link, job] = pushed_.front();
    links_[link].core().begun(job);
    pushed_.pop_front();
  }
}

void Engine::take_ended_commands(Steady now) {
  if (!runner_->receive([&](const spawner::Ended& ended) { command_ended(ended, now); })) spawner_died(now);
}

void Engine::command_ended(const spawner::Ended& ended, Steady now) {
  const auto found = commands_.find(ended.id);
  if (found == commands_.end()) return;
  const CommandRun run = found->second;
  commands_.erase(found);
  links_[run.link].core().finished(run.job, outcome_of(ended), static_cast<std::int64_t>(ended.run_us), now);
}

void Engine::spawner_died(Steady now) {
  // Before any job is reported lost: it may be started elsewhere at once.
  runner_->abandon([&](const spawner::Ended& ended) { command_ended(ended, now); });
  runner_.reset();
  commands_.clear();
  for (Link& link : links_) {
    link.core().executor_lost("rota-spawner, which runs the commands, has ended; its jobs are lost", now, link.actions());
  }
}

void Engine::turn_all(Steady now) {
  first_link_ = links_.size() > 1 ? (first_link_ + 1) % links_.size() : 0;
  for (std::size_t count = 0; count < links_.size(); ++count) {
    const auto at = static_cast<std::uint32_t>((first_link_ + count) % links_.size());
    Link& link = links_[at];
    Actions& actions = link.turn(now);
    for (const Handle job : actions.start) start(at, job, now);
    for (const Stop& request : actions.stop) stop(at, request);
    for (const Notice& notice : actions.notices) notify(link, notice);
    actions.clear();
  }
}

bool Engine::runs_here(const Core& core, std::uint32_t type) const {
  const Pace& pace = core.pace(type);
  if (!pace.is_tiny() || !pool_.someone_idle()) return false;
  // Handing a run over costs more than running one of a few microseconds; a longer one is run here only if it is alone,
  // where the wake-ups would be most of its latency.
  constexpr std::int64_t kHandOverUs = 5;
  return pace.mean_us() < kHandOverUs || (slots_.used <= 1 && core.held() == 0);
}

void Engine::start(std::uint32_t link, Handle job, Steady now) {
  const Assignment what = links_[link].core().assignment(job);
  const Executor& executor = executors_[what.type()];
  if (executor.command) {
    start_command(link, job, what, *executor.command, now);
  } else {
    start_handler(link, job, what, executor);
  }
}

Run& Engine::lend_run() {
  if (free_runs_.empty()) free_runs_.push_back(&runs_.emplace_back());
  Run& run = *free_runs_.back();
  free_runs_.pop_back();
  ++runs_out_;
  return run;
}

void Engine::give_back(Run& run) {
  live_runs_.erase(key_of(run.link, run.job));
  --runs_out_;
  if (run.quick) --quick_out_;
  free_runs_.push_back(&run);
}

void Engine::start_handler(std::uint32_t link, Handle job, const Assignment& what, const Executor& executor) {
  Core& core = links_[link].core();
  Run& run = lend_run();
  run.link = link;
  run.job = job;
  run.what = what;
  run.handler = &executor.handler;
  run.stop.store(false, std::memory_order_relaxed);
  run.quick = core.pace(what.type()).is_short();
  live_runs_[key_of(link, job)] = &run;
  if (run.quick) {
    ++quick_out_;
    quick_since_us_ = monotonic_us();
  }
  if (runs_here(core, what.type())) {
    here_.push_back(&run);
    return;
  }
  pushed_.emplace_back(link, job);
  pool_.push(&run);
}

void Engine::start_command(std::uint32_t link, Handle job, const Assignment& what, const CommandType& type, Steady now) {
  Core& core = links_[link].core();
  PreparedCommand prepared;
  const std::string clients = links_[link].clients_endpoint();
  const Status ready = prepare_command(type, what, {core.identity().name, clients, core.max_result()}, prepared);
  if (!ready || !runner_) {
    const std::string why = ready ? "rota-spawner is not running" : ready.error().message;
    core.finished(job, Outcome::failure("EXEC_FAILED", why), 0, now);
    return;
  }
  prepared.run.id = next_command_++;
  commands_.emplace(prepared.run.id, CommandRun{link, job});
  core.begun(job);
  runner_->run(prepared.run);
}

void Engine::stop(std::uint32_t link, const Stop& request) {
  const auto handler = live_runs_.find(key_of(link, request.job));
  if (handler != live_runs_.end() && handler->second->job == request.job) {
    handler->second->stop.store(true, std::memory_order_relaxed);
    return;
  }
  for (const auto& [id, run] : commands_) {
    if (run.link != link || !(run.job == request.job) || !runner_) continue;
    runner_->signal(id, request.force ? SIGKILL : SIGTERM);
  }
}

bool Engine::run_slice(std::unique_lock<std::mutex>& lock) {
  const std::int64_t slice_from = monotonic_us();
  std::int64_t from = slice_from;
  const std::int64_t last = last_here_us_.exchange(from, std::memory_order_relaxed);
  if (from - last > std::chrono::microseconds{kLeadWatchEnds}.count() / 2) pool_.nudge();  // somebody must watch again
  const Steady now = steady_now();
  while (!here_.empty() && from - slice_from < limits::kInlineSliceUs) {
    Run& run = *here_.front();
    here_.pop_front();
    links_[run.link].core().begun(run.job);
    here_since_us_.store(from);
    lock.unlock();
    Outcome outcome = pool_.execute(run);
    const std::int64_t to = monotonic_us();
    std::int64_t own = from;
    if (!here_since_us_.compare_exchange_strong(own, 0)) {
      pool_.report(Done{&run, std::move(outcome), to - from});
      return false;
    }
    lock.lock();
    links_[run.link].core().finished(run.job, std::move(outcome), to - from, now);
    give_back(run);
    from = to;
  }
  return true;
}

void Engine::wait_for_input(Steady now) {
  Steady until = std::min(drain_until_, progress_look_);
  items_.clear();
  items_.push_back({nullptr, pool_.wake_fd(), false});
  if (runner_) items_.push_back({nullptr, runner_->fd(), false});
  for (Link& link : links_) {
    until = std::min(until, link.next_deadline());
    if (link.socket() != nullptr) items_.push_back({link.socket(), -1, false});
  }
  constexpr Millis kLongest = std::chrono::hours{1};
  Millis patience = until == kNeverSteady ? kLongest : std::clamp(until - now, Millis{0}, kLongest);
  // Quick runs come back without waking this thread one by one. Neither does a stream that is full tell when it has room.
  const bool expecting = quick_out_ > 0 && monotonic_us() - quick_since_us_ < kQuickPatienceUs;
  const bool look_soon = !pool_.may_wait(expecting) || expecting || (runner_ && runner_->wants_to_send());
  if (look_soon) patience = std::min(patience, limits::kFlushInterval);
  net::wait(items_, patience);
}

void Engine::notify(const Link& link, const Notice& notice) {
  const auto tell = [&](const auto& callback, const auto&... more) {
    if (callback) callback(link.endpoint(), more...);
  };
  switch (notice.kind) {
    case Notice::Kind::registered:
      return tell(observer_.registered);
    case Notice::Kind::waiting:
      return tell(observer_.waiting);
    case Notice::Kind::lost_contact:
      return tell(observer_.lost_contact, notice.text);
    case Notice::Kind::back:
      return tell(observer_.back);
    case Notice::Kind::trouble:
      return tell(observer_.trouble, notice.text);
  }
}

void Engine::settle_ending() {
  bool all_ended = true;
  std::optional<Ending> worst;
  for (Link& link : links_) {
    const std::optional<Ending>& ending = link.core().ending();
    all_ended = all_ended && ending.has_value();
    if (ending && (!worst || ending->kind > worst->kind)) worst = ending;
  }
  if (all_ended) {
    ending_ = worst;
  } else if (worst && worst->kind != Ending::Kind::drained) {
    // One broker will have none of this worker: it does not go on half-served.
    for (Link& link : links_) {
      if (!link.core().draining()) drain_asked_.store(true);
    }
    if (drain_asked_.load()) pool_.wake_leader();
  }
}

}  // namespace rota::worker
