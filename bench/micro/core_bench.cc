#include <benchmark/benchmark.h>

#include <string>
#include <variant>
#include <vector>

#include "bench/micro/instruction_counter.h"
#include "broker/queue/core.h"

// What the core costs per job from submit over dispatch to completion, without store, socket or codec: batches of the
// argument's size.
namespace {

using namespace rota;

constexpr std::uint32_t kCredit = limits::kMaxCredit;

// A core with one idle worker that has credit for any batch.
class Bench {
 public:
  Bench() : core_(queue::CoreOptions{}, Prng(1)) {
    static constexpr std::string_view kTypes[] = {"noop"};
    static constexpr queue::ServedQueue kQueues[] = {{"default", 1}};
    queue::WorkerHello hello;
    hello.session.bytes[0] = 1;
    hello.connection = 1;
    hello.name = "worker";
    hello.host = "host";
    hello.boot_id = "boot";
    hello.pid = 1;
    hello.credit = kCredit;
    hello.queues = kQueues;
    hello.types = kTypes;
    core_.apply(hello, now_, effects_);
    for (const queue::Message& message : effects_.messages) {
      if (const auto* welcomed = std::get_if<queue::WorkerWelcomed>(&message.body)) session_ = welcomed->session;
    }
    shared_.record = {"default", "noop", {}, {}};
    effects_.clear();
  }

  // Submits so many jobs, hands them out and completes them; whether all came through.
  [[nodiscard]] bool cycle(std::size_t jobs, std::string_view body) {
    advance();
    submit(jobs, body);
    completions_.clear();
    while (completions_.size() < jobs) {
      const std::size_t before = completions_.size();
      core_.tick(now_, effects_);
      take_dispatches();
      if (completions_.size() == before) return false;
    }
    queue::Complete complete;
    complete.session = session_;
    complete.request = ++request_;
    complete.started_through = last_dispatch_;
    complete.credit = kCredit;
    complete.items = completions_;
    core_.apply(complete, now_, effects_);
    core_.tick(now_, effects_);
    benchmark::DoNotOptimize(effects_.changes.data());
    effects_.clear();
    return core_.live_jobs() == 0;
  }

 private:
  void advance() {
    now_.steady.ms += 1;
    now_.wall.ms += 1;
  }
  void submit(std::size_t jobs, std::string_view body) {
    items_.resize(jobs);
    for (queue::SubmitItem& item : items_) {
      item.id = make_job_id(now_.wall, slot_, random_);
      item.content_hash = random_.next();
      item.body = body;
    }
    queue::Submit command;
    command.client = 1;
    command.request = ++request_;
    command.shared = {&shared_, 1};
    command.items = items_;
    core_.apply(command, now_, effects_);
  }
  void take_dispatches() {
    for (const queue::DispatchItem& item : effects_.dispatches) {
      last_dispatch_ = item.token.dispatch;
      completions_.push_back({{item.id, item.token}, AttemptEnd::succeeded, report_, Millis{0}});
    }
    effects_.clear();
    core_.dispatch_left(session_, last_dispatch_, false);
  }

  queue::Core core_;
  queue::Effects effects_;
  Now now_{{1'000'000}, {1'795'343'400'000}};
  Prng random_{2};
  Slot slot_ = slot_of_queue("default");
  queue::SessionRef session_ = queue::kNoSession;
  queue::SubmitShared shared_;
  std::vector<queue::SubmitItem> items_;
  std::vector<queue::CompletionItem> completions_;
  std::string report_ = "a report of forty bytes or thereabouts..";
  std::uint64_t request_ = 0;
  std::uint64_t last_dispatch_ = 0;
};

void BM_CoreLifecycle(benchmark::State& state) {
  Bench bench;
  const std::string body(100, 'x');
  const auto jobs = static_cast<std::size_t>(state.range(0));
  const micro::InstructionCounter counter;
  counter.start();
  for (auto _ : state) {
    if (!bench.cycle(jobs, body)) {
      state.SkipWithError("a job did not come through");
      break;
    }
  }
  counter.report(state, state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(BM_CoreLifecycle)->Arg(1)->Arg(64)->Arg(512);

}  // namespace
