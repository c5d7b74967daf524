// Random commands against the core, and a naive model beside it: what workers hold, what is finished, who waits. Fails with
// the seed; ROTA_MODEL_SEEDS sets how many seeds run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "tests/scenario/model_state.h"
#include "tests/scenario/store_model.h"

namespace rota::scenario {
namespace {

using namespace queue;

constexpr std::string_view kQueues[] = {"default", "other", "third"};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), core_(CoreOptions{}, Prng(seed + 1)) {}

  void run(std::size_t steps) {
    for (std::size_t i = 0; i < 4; ++i) add_worker(i);
    for (std::size_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      if (i % 8 == 0) core_.check_invariants();
    }
    drain();
    count();
  }
  [[nodiscard]] const Counters& seen() const { return seen_; }

 private:
  void count() {
    const Counters& one = core_.counters();
    seen_.accepted += one.accepted;
    seen_.duplicates += one.duplicates;
    seen_.dispatched += one.dispatched;
    seen_.completed += one.completed;
    seen_.retried += one.retried;
    seen_.lost += one.lost;
    seen_.stale += one.stale;
    seen_.released += one.released;
    seen_.reclaimed += one.reclaimed;
    seen_.expired += one.expired;
    seen_.cancelled += one.cancelled;
  }

  void add_worker(std::size_t i) {
    ModelWorker worker;
    worker.name = std::string("w").append(std::to_string(i));
    worker.slots = static_cast<std::uint32_t>(1 + random_.below(4));
    worker.credit = worker.slots + static_cast<std::uint32_t>(random_.below(12));
    workers_.push_back(worker);
    hello(workers_.back(), true);
  }

  void step() {
    ModelWorker& worker = workers_[random_.below(workers_.size())];
    switch (random_.below(26)) {
      case 0:
      case 1:
      case 2:
        submit(1 + random_.below(6), false);
        break;
      case 3:
        submit(1 + random_.below(3), true);
        break;
      case 4:
        resend();
        break;
      case 5:
        cancel();
        break;
      case 6:
        retry();
        break;
      case 7:
        advance(Millis{static_cast<std::int64_t>(random_.below(20'000))});
        break;
      case 8:
        hello(worker, random_.below(3) == 0);
        break;
      case 9:
        if (random_.below(3) == 0) goodbye(worker);
        break;
      case 10:
        release(worker);
        break;
      case 11:
        if (random_.below(8) == 0) restart();
        break;
      case 12:
        pause();
        break;
      case 13:
        if (random_.below(4) == 0) purge();
        break;
      case 14:
        unreachable(worker);
        break;
      default:
        complete(worker);
    }
    advance(Millis{static_cast<std::int64_t>(random_.below(400))});
  }

  void submit(std::size_t count, bool memory) {
    const std::size_t queue = random_.below(3);
    SubmitShared shared;
    shared.record.queue = kQueues[queue];
    shared.record.type = random_.below(4) == 0 ? "other" : "exec";
    shared.record.policy.retries = static_cast<std::uint32_t>(random_.below(3));
    shared.record.policy.losses = static_cast<std::uint8_t>(random_.below(4));
    shared.record.policy.keep = random_.below(10) == 0 ? Millis{0} : Millis{-1};
    shared.record.policy.backoff = Millis{static_cast<std::int64_t>(random_.below(3000))};
    if (memory) shared.record.policy.durability = Durability::memory;
    shared.priority = static_cast<std::int8_t>(static_cast<int>(random_.below(5)) - 2);
    if (random_.below(5) == 0) shared.delay = Millis{static_cast<std::int64_t>(random_.below(9000))};
    if (random_.below(8) == 0) shared.expires = Millis{static_cast<std::int64_t>(1 + random_.below(60'000))};
    std::vector<SubmitItem> items;
    std::vector<std::string> keys;
    keys.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const JobId id = make_job_id(core_.id_clock(now_), slot_of_queue(kQueues[queue]), random_);
      keys.push_back(random_.below(6) == 0 ? std::string("k").append(std::to_string(random_.below(4))) : "");
      items.push_back({0, id, random_.next(), keys.back(), "body"});
      ModelJob job;
      job.id = id;
      job.queue = queue;
      job.priority = shared.priority;
      job.hash = items.back().content_hash;
      job.memory = memory;
      offered_[id] = job;
    }
    core_.apply(Submit{1, 1, {&shared, 1}, items, {}}, now_, effects_);
    take();
  }

  // The same id again must never make a second job.
  void resend() {
    if (jobs_.empty()) return;
    const ModelJob& job = any_job();
    if (job.memory || store_.find({job.id}).empty() || !core_.must_look_up(job.id, now_)) return;
    SubmitShared shared;
    shared.record.queue = kQueues[job.queue];
    shared.record.type = "exec";
    const SubmitItem item{0, job.id, job.hash, {}, "body"};
    const auto found = store_.find({job.id});
    const std::size_t before = jobs_.size();
    core_.apply(Submit{1, 1, {&shared, 1}, {&item, 1}, found}, now_, effects_);
    EXPECT_EQ(effects_.item_replies.back().code, Code::duplicate);
    take();
    EXPECT_EQ(jobs_.size(), before);
  }

  void cancel() {
    if (jobs_.empty()) return;
    const JobId id = any_job().id;
    const auto found = looked_up(id);
    core_.apply(Cancel{1, 1, {&id, 1}, found}, now_, effects_);
    take();
  }

  void retry() {
    if (jobs_.empty()) return;
    const RetryItem item{any_job().id, std::nullopt};
    const auto found = looked_up(item.id);
    core_.apply(Retry{1, 1, {&item, 1}, found}, now_, effects_);
    take();
  }

  void pause() {
    const std::string_view queue = kQueues[random_.below(3)];
    core_.apply(Pause{1, 1, queue, random_.below(3) == 0}, now_, effects_);
    take();
  }

  void purge() {
    const std::string_view queue = kQueues[random_.below(3)];
    core_.apply(Purge{1, 1, queue, kQueuedStates, core_.last_sequence()}, now_, effects_);
    take();
    const auto finished = store_.some_finished(10);
    core_.apply(ForgetFinished{1, 1, finished}, now_, effects_);
    take();
  }

  // `fresh`: a new process; what the old one held is gone with it.
  void hello(ModelWorker& worker, bool fresh) {
    std::vector<TokenOf> started, held;
    if (fresh) {
      worker.held.clear();
      worker.uuid.bytes[15] = static_cast<std::uint8_t>(++uuids_);
      worker.uuid.bytes[14] = static_cast<std::uint8_t>(uuids_ >> 8U);
      worker.connection = 0;
      worker.started_through = 0;
    }
    for (const Held& one : worker.held) {
      // A dispatch may be lost with the connection; a started job may not.
      if (one.started) {
        started.push_back(one.job);
      } else if (random_.below(4) != 0) {
        held.push_back(one.job);
      }
    }
    WorkerHello command;
    command.route = ++routes_;
    command.session = worker.uuid;
    command.connection = ++worker.connection;
    command.name = worker.name;
    command.host = "h";
    command.boot_id = "b";
    command.pid = static_cast<std::uint64_t>(&worker - workers_.data());
    command.start_time = uuids_;
    command.slots = worker.slots;
    command.credit = worker.credit;
    const ServedQueue queues[] = {{"default", 2}, {"other", 1}, {"third", 1}};
    command.queues = {queues, 1 + static_cast<std::size_t>(worker.slots) % 3};
    const std::string_view types[] = {"exec", "other"};
    command.types = {types, 1 + static_cast<std::size_t>(worker.credit) % 2};
    if (draining_) {
      command.queues = queues;
      command.types = types;
    }
    command.started = started;
    command.held = held;
    worker.held.clear();
    hello_of_ = &worker;
    hello_started_ = started;
    hello_held_ = held;
    core_.apply(command, now_, effects_);
    take();
    hello_of_ = nullptr;
  }

  void goodbye(ModelWorker& worker) {
    core_.apply(WorkerGoodbye{worker.session}, now_, effects_);
    take();
    worker.held.clear();
    hello(worker, true);
  }

  // The last dispatches to it never left. It may be back soon, late, or never.
  void unreachable(ModelWorker& worker) {
    std::vector<TokenOf> undelivered;
    while (!worker.held.empty() && !worker.held.back().started && random_.below(3) != 0) {
      undelivered.push_back(worker.held.back().job);
      worker.held.pop_back();
    }
    core_.apply(WorkerUnreachable{worker.session, undelivered}, now_, effects_);
    take();
    if (random_.below(2) == 0) hello(worker, false);
  }

  void release(ModelWorker& worker) {
    std::vector<TokenOf> back;
    std::erase_if(worker.held, [&](const Held& one) {
      if (one.started || random_.below(2) == 0) return false;
      back.push_back(one.job);
      return true;
    });
    core_.apply(Released{worker.session, back}, now_, effects_);
    take();
  }

  void complete(ModelWorker& worker) {
    std::uint32_t running = 0;
    for (Held& one : worker.held) {
      if (running++ == worker.slots) break;
      one.started = true;
      worker.started_through = std::max(worker.started_through, one.job.token.dispatch);
    }
    std::vector<CompletionItem> items;
    std::erase_if(worker.held, [&](const Held& one) {
      if (!one.started || random_.below(3) == 0) return false;
      CompletionItem item;
      item.job = one.job;
      const std::uint64_t how = draining_ ? 0 : random_.below(12);
      if (how == 1) item.end = AttemptEnd::failed;
      if (how == 2) item.end = AttemptEnd::lost;
      if (how == 3) item.end = AttemptEnd::rejected;
      if (how == 4) item.end = AttemptEnd::timed_out;
      if (how == 5) item.end = AttemptEnd::cancelled;
      items.push_back(item);
      if (random_.below(10) == 0) items.push_back(item);  // sent twice
      return true;
    });
    std::vector<FinishedJob> found;
    for (const CompletionItem& item : items) {
      if (core_.must_look_up(item.job.id, now_)) {
        for (FinishedJob& one : store_.find({item.job.id})) found.push_back(one);
      }
    }
    const std::size_t first = effects_.codes.size();
    core_.apply(Complete{worker.session, 1, worker.started_through, worker.credit, items, found}, now_, effects_);
    for (std::size_t i = 1; i < items.size(); ++i) {
      // The second of a pair is answered like the first.
      if (items[i].job.token == items[i - 1].job.token) {
        EXPECT_EQ(effects_.codes[first + i], effects_.codes[first + i - 1]);
      }
    }
    take();
  }

  void restart() {
    count();
    core_ = store_.reopen(CoreOptions{}, Prng(random_.next()), now_);
    std::erase_if(jobs_, [](const auto& one) { return one.second.memory; });
    for (ModelWorker& worker : workers_) {
      worker.session = kNoSession;
      hello(worker, random_.below(3) == 0);
    }
  }

  void advance(Millis by) {
    now_ = {now_.steady + by, now_.wall + by};
    core_.tick(now_, effects_);
    take();
  }

  void take() {
    for (const Change& change : effects_.changes) {
      store_.take(change);
      note(change);
    }
    for (const Message& message : effects_.messages) note(message);
    effects_.clear();
  }

  void note(const Change& change) {
    if (const auto* accepted = std::get_if<JobAccepted>(&change.body)) {
      ModelJob job = offered_.at(accepted->job.id);
      job.sequence = accepted->job.sequence;
      by_sequence_[job.sequence] = job.id;
      ASSERT_TRUE(jobs_.emplace(job.id, job).second) << "accepted twice";
    } else if (const auto* finished = std::get_if<JobFinished>(&change.body)) {
      ModelJob& job = jobs_.at(finished->outcome.id);
      ASSERT_FALSE(job.final) << "finished twice";
      job.final = true;
      job.state = finished->outcome.state;
      ++job.finishes;
    } else if (const auto* revived = std::get_if<JobRevived>(&change.body)) {
      ModelJob& job = jobs_.at(revived->id);
      ASSERT_TRUE(job.final) << "revived alive";
      job.final = false;
      job.sequence = revived->state.sequence;
      by_sequence_[job.sequence] = job.id;
      ++job.revivals;
    } else if (const auto* forgotten = std::get_if<JobForgotten>(&change.body)) {
      jobs_.erase(forgotten->id);
    } else if (const auto* leased = std::get_if<JobLeased>(&change.body)) {
      note_lease(leased->lease);
    }
  }

  // Whoever is handed out passes over nobody: no ready job of the same queue and type, never lost, that has a higher
  // priority or has waited since earlier.
  void note_lease(const LeaseRecord& lease) {
    const ModelJob& job = jobs_.at(by_sequence_.at(lease.sequence));
    ASSERT_FALSE(job.final) << "a final job was handed out";
    const auto mine = core_.view(job.id, now_);
    if (hello_of_ != nullptr || !mine || mine->losses >= 2) return;  // taken up again, or run alone
    for (const auto& [id, other] : jobs_) {
      const bool sooner =
          other.priority > job.priority || (other.priority == job.priority && other.sequence < job.sequence);
      if (other.queue != job.queue || other.final || !sooner) continue;
      const auto theirs = core_.view(id, now_);
      if (!theirs || theirs->type != mine->type || theirs->state != JobState::ready || theirs->losses > 0) continue;
      ADD_FAILURE() << "job " << job.sequence << " went before " << other.sequence;
    }
  }

  void note(const Message& message) {
    if (const auto* welcome = std::get_if<WorkerWelcomed>(&message.body)) {
      if (welcome->code != Code::ok || hello_of_ == nullptr) return;
      hello_of_->session = welcome->session;
      keep(hello_started_, welcome->started, true);
      keep(hello_held_, welcome->held, false);
    } else if (const auto* dispatch = std::get_if<Dispatch>(&message.body)) {
      note_dispatch(*dispatch);
    } else if (const auto* reclaim = std::get_if<ReclaimRequest>(&message.body)) {
      for (std::uint32_t i = 0; i < reclaim->tokens.count; ++i) {
        const Token token = effects_.tokens[reclaim->tokens.first + i].token;
        ASSERT_FALSE(hello_of_ == nullptr && !asked_.insert({token, connection_of(reclaim->session)}).second)
            << "asked twice";
      }
    } else if (const auto* ended = std::get_if<SessionEnded>(&message.body)) {
      for (ModelWorker& worker : workers_) {
        if (worker.session == ended->session) worker.session = kNoSession;
      }
    }
  }

  std::uint64_t connection_of(SessionRef session) {
    for (const ModelWorker& worker : workers_) {
      if (worker.session == session) return worker.connection;
    }
    return 0;
  }

  void keep(const std::vector<TokenOf>& tokens, Range codes, bool started) {
    for (std::uint32_t i = 0; i < codes.count; ++i) {
      if (effects_.codes[codes.first + i] == Code::ok) hello_of_->held.push_back({tokens[i], started});
    }
  }

  void note_dispatch(const Dispatch& dispatch) {
    for (ModelWorker& worker : workers_) {
      if (worker.session != dispatch.session) continue;
      for (std::uint32_t i = 0; i < dispatch.items.count; ++i) {
        const DispatchItem& item = effects_.dispatches[dispatch.items.first + i];
        worker.held.push_back({{item.id, item.token}, false});
        ASSERT_TRUE(tokens_.insert(item.token).second) << "one token, two dispatches";
        // Of the others it never hears that they left.
        if (random_.below(4) != 0) {
          core_.dispatch_left(dispatch.session, item.token.dispatch, item.durability == Durability::memory);
        }
      }
      core_.each_worker(now_, [&](const WorkerView& view) {
        if (view.session == worker.session) {
          EXPECT_LE(view.running + view.held, view.credit) << "credit exceeded";
        }
      });
      return;
    }
    ADD_FAILURE() << "dispatch to nobody";
  }

  // With nothing failing any more, everything comes to an end.
  void drain() {
    draining_ = true;
    for (const std::string_view queue : kQueues) {
      core_.apply(Pause{1, 1, queue, false}, now_, effects_);
      take();
    }
    for (ModelWorker& worker : workers_) hello(worker, false);
    for (std::size_t round = 0; round < 2000 && core_.live_jobs() > 0; ++round) {
      for (ModelWorker& worker : workers_) {
        if (worker.session == kNoSession) hello(worker, true);
        complete(worker);
      }
      advance(Millis{500});
    }
    core_.check_invariants();
    EXPECT_EQ(core_.live_jobs(), 0U) << "jobs were left";
    for (const auto& [id, job] : jobs_) {
      EXPECT_TRUE(job.final) << "lost: " << job.sequence;
      EXPECT_EQ(job.finishes, job.revivals + 1);
    }
  }

  std::vector<FinishedJob> looked_up(const JobId& id) const {
    return core_.must_look_up(id, now_) ? store_.find({id}) : std::vector<FinishedJob>{};
  }
  const ModelJob& any_job() {
    auto at = jobs_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(jobs_.size())));
    return at->second;
  }

  Prng random_;
  Now now_{Steady{50'000}, Wall{1'700'000'000'000}};
  StoreModel store_;
  Core core_;
  Effects effects_;
  std::vector<ModelWorker> workers_;
  std::map<JobId, ModelJob> offered_, jobs_;
  std::map<Sequence, JobId> by_sequence_;
  std::set<Token> tokens_;
  std::set<std::pair<Token, std::uint64_t>> asked_;
  std::uint64_t uuids_ = 0, routes_ = 0;
  ModelWorker* hello_of_ = nullptr;
  std::vector<TokenOf> hello_started_, hello_held_;
  bool draining_ = false;
  Counters seen_;
};

TEST(Model, NoJobIsLostFinishedTwiceOrPassedOver) {
  const char* wanted = std::getenv("ROTA_MODEL_SEEDS");
  const std::uint64_t seeds = wanted == nullptr ? 300 : std::strtoull(wanted, nullptr, 10);
  std::uint64_t total[11] = {};
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model model(seed);
    model.run(400);
    const Counters& seen = model.seen();
    std::size_t i = 0;
    for (const std::uint64_t one : {seen.accepted, seen.duplicates, seen.dispatched, seen.completed, seen.retried,
                                    seen.lost, seen.stale, seen.released, seen.reclaimed, seen.expired, seen.cancelled}) {
      total[i++] += one;
    }
  }
  // A run that never met a loss or a stale token would prove nothing about them.
  for (std::size_t i = 0; i < std::size(total); ++i) EXPECT_GT(total[i], 0U) << "counter " << i;
}

}  // namespace
}  // namespace rota::scenario
