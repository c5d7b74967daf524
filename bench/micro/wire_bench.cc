#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/micro/instruction_counter.h"
#include "common/base/prng.h"
#include "common/wire/codec.h"

// What the codec costs per job on the four hot messages: batches of the argument's size, 100-byte payloads.
namespace {

using namespace rota;

std::vector<JobId> ids(std::size_t count) {
  Prng random(1);
  std::vector<JobId> out(count);
  for (JobId& id : out) id = make_job_id(Wall{1795343400000}, slot_of_queue("default"), random);
  return out;
}

wire::Message submit(std::size_t jobs, std::string_view payload) {
  wire::Submit body;
  body.shared.push_back({"default", "noop", {}, {}});
  for (const JobId& id : ids(jobs)) body.items.push_back({0, id, {}, payload, {}});
  return {1, body};
}

wire::Message submitted(std::size_t jobs, std::string_view /*payload*/) {
  wire::Submitted body;
  body.items.resize(jobs);
  for (wire::ItemResult& item : body.items) item.plain = true;
  return {1, body};
}

wire::Message dispatch(std::size_t jobs, std::string_view payload) {
  wire::Dispatch body;
  body.epoch = 3;
  body.shared.push_back({"default", "noop", Millis{0}, false, "\x90"});
  std::uint64_t number = 1'000'000;
  for (const JobId& id : ids(jobs)) body.items.push_back({0, ++number, id, 1, {}, payload, Millis{0}});
  return {0, body};
}

wire::Message complete(std::size_t jobs, std::string_view /*payload*/) {
  wire::Complete body;
  std::uint64_t number = 1'000'000;
  for (const JobId& id : ids(jobs)) {
    wire::CompleteItem& item = body.items.emplace_back();
    item.job = {id, {3, ++number}};
    item.report.result = "ok";
  }
  return {1, body};
}

using Make = wire::Message (*)(std::size_t, std::string_view);

void BM_Encode(benchmark::State& state, Make make) {
  const std::string payload(100, 'x');
  const auto jobs = static_cast<std::size_t>(state.range(0));
  const wire::Message message = make(jobs, payload);
  std::string frame;
  const micro::InstructionCounter counter;
  counter.start();
  for (auto _ : state) {
    frame.clear();
    wire::encode(message, frame);
    benchmark::DoNotOptimize(frame.data());
  }
  counter.report(state, state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_Decode(benchmark::State& state, Make make) {
  const std::string payload(100, 'x');
  std::string frame;
  wire::encode(make(static_cast<std::size_t>(state.range(0)), payload), frame);
  wire::Decoder decoder;
  const micro::InstructionCounter counter;
  counter.start();
  for (auto _ : state) {
    auto message = decoder.decode(frame);
    if (!message.ok()) state.SkipWithError("refused");
    benchmark::DoNotOptimize(message);
  }
  counter.report(state, state.iterations() * state.range(0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_ContentHash(benchmark::State& state) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  wire::SubmitItem item;
  item.payload = payload;
  const micro::InstructionCounter counter;
  counter.start();
  for (auto _ : state) benchmark::DoNotOptimize(wire::content_hash(1, item));
  counter.report(state, state.iterations());
  state.SetItemsProcessed(state.iterations());
}

void BM_StoredForms(benchmark::State& state) {
  wire::Report report;
  report.worker = "node1-x7";
  report.exit_code = 0;
  report.result = "ok";
  std::string bytes;
  wire::encode_report(report, bytes);
  const micro::InstructionCounter counter;
  counter.start();
  for (auto _ : state) benchmark::DoNotOptimize(wire::decode_report(bytes));
  counter.report(state, state.iterations());
  state.SetItemsProcessed(state.iterations());
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK_CAPTURE(BM_Encode, submit, submit)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(BM_Encode, submitted, submitted)->Arg(64);
BENCHMARK_CAPTURE(BM_Encode, dispatch, dispatch)->Arg(64);
BENCHMARK_CAPTURE(BM_Encode, complete, complete)->Arg(64);
BENCHMARK_CAPTURE(BM_Decode, submit, submit)->Arg(1)->Arg(64);
BENCHMARK_CAPTURE(BM_Decode, submitted, submitted)->Arg(64);
BENCHMARK_CAPTURE(BM_Decode, dispatch, dispatch)->Arg(64);
BENCHMARK_CAPTURE(BM_Decode, complete, complete)->Arg(64);
BENCHMARK(BM_ContentHash)->Arg(100)->Arg(1024);
BENCHMARK(BM_StoredForms);

}  // namespace
