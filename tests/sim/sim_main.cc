// The simulator's program: runs seeds, replays one, and proves that planted bugs are found.
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/sim/commit.h"
#include "tests/sim/world.h"

namespace rota::sim {
namespace {

// The seed that runs, for the message of a process that a broken invariant stops.
volatile std::sig_atomic_t running_high = 0, running_low = 0;

void note_running(std::uint64_t seed) {
  running_high = static_cast<std::sig_atomic_t>(seed / 1'000'000'000);
  running_low = static_cast<std::sig_atomic_t>(seed % 1'000'000'000);
}

void on_abort(int /*signal*/) {
  char text[128];
  const auto high = static_cast<unsigned long long>(running_high), low = static_cast<unsigned long long>(running_low);
  const unsigned long long seed = high * 1'000'000'000ULL + low;
  const int size = std::snprintf(text, sizeof text, "in seed %llu: replay it with --seed %llu --trace\n", seed, seed);
  if (size > 0) (void)!::write(STDERR_FILENO, text, static_cast<std::size_t>(size));
}

struct Arguments {
  std::uint64_t from = 1, seeds = 100;
  bool trace = false, canaries = false, replay = false, quiet = false;
  std::string canary;
};

void add(Auditor::Totals& sum, const Auditor::Totals& one) {
  sum.asked += one.asked;
  sum.acknowledged += one.acknowledged;
  sum.dispatches += one.dispatches;
  sum.repeats += one.repeats;
  sum.succeeded += one.succeeded;
  sum.other_ends += one.other_ends;
  sum.stale += one.stale;
  sum.restarts += one.restarts;
  sum.revivals += one.revivals;
}

int run_seeds(const Arguments& arguments) {
  Auditor::Totals sum;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = arguments.from; seed < arguments.from + arguments.seeds; ++seed) {
    note_running(seed);
    World world(seed, Canary::none, arguments.trace);
    if (!world.run()) {
      ++failed;
      std::printf("seed %llu FAILED: %s\n  commit %s; replay: test_sim --seed %llu --trace\n",
                  static_cast<unsigned long long>(seed), world.verdict().c_str(), built_commit(),
                  static_cast<unsigned long long>(seed));
      std::fflush(stdout);
    }
    if (arguments.replay) {
      World again(seed, Canary::none, false);
      (void)again.run();
      if (again.digest() != world.digest()) {
        ++failed;
        std::printf("seed %llu FAILED: two runs of it differ\n", static_cast<unsigned long long>(seed));
      }
    }
    add(sum, world.totals());
  }
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%llu seeds, %llu failed: %llu jobs asked, %llu acknowledged, %llu succeeded, %llu ended otherwise, "
      "%llu dispatches, %llu of them repeats, %llu stale completions, %llu retries that took, %llu restarts\n",
      number(arguments.seeds), number(failed), number(sum.asked), number(sum.acknowledged), number(sum.succeeded),
      number(sum.other_ends), number(sum.dispatches), number(sum.repeats), number(sum.stale), number(sum.revivals),
      number(sum.restarts));
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// Seeds until the planted bug is found, at most so many.
bool hunt(Canary canary, const Arguments& arguments) {
  for (std::uint64_t seed = arguments.from; seed < arguments.from + arguments.seeds; ++seed) {
    note_running(seed);
    World world(seed, canary, arguments.trace);
    if (world.run()) continue;
    std::printf("%-18s caught by seed %llu: %s\n", std::string(canary_name(canary)).c_str(),
                static_cast<unsigned long long>(seed), world.verdict().c_str());
    std::fflush(stdout);
    return true;
  }
  std::printf("%-18s NOT CAUGHT by %llu seeds\n", std::string(canary_name(canary)).c_str(),
              static_cast<unsigned long long>(arguments.seeds));
  return false;
}

int hunt_canaries(const Arguments& arguments) {
  std::size_t missed = 0, hunted = 0;
  for (std::size_t i = 1; i < kCanaries; ++i) {
    const auto canary = static_cast<Canary>(i);
    if (!arguments.canary.empty() && arguments.canary != canary_name(canary)) continue;
    ++hunted;
    if (!hunt(canary, arguments)) ++missed;
  }
  std::printf("%zu planted bugs, %zu not caught\n", hunted, missed);
  return missed == 0 && hunted > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int usage() {
  std::fputs(
      "usage: test_sim [--seeds N] [--from SEED]   run N seeds (100) from SEED (1)\n"
      "       test_sim --seed SEED [--trace]       run one, with every step printed\n"
      "       test_sim --replay [--seeds N]        run each twice: both must be the same\n"
      "       test_sim --canaries [--seeds N]      find every planted bug within N seeds each\n"
      "       test_sim --canary NAME [--trace]     find this one\n",
      stderr);
  return 2;
}

int run(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--trace") {
      arguments.trace = true;
    } else if (option == "--canaries") {
      arguments.canaries = true;
    } else if (option == "--replay") {
      arguments.replay = true;
    } else if (option == "--canary" && has_value) {
      arguments.canaries = true;
      arguments.canary = argv[++i];
    } else if (option == "--seeds" && has_value) {
      arguments.seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--from" && has_value) {
      arguments.from = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--seed" && has_value) {
      arguments.from = std::strtoull(argv[++i], nullptr, 10);
      arguments.seeds = 1;
    } else {
      return usage();
    }
  }
  (void)std::signal(SIGABRT, on_abort);
  return arguments.canaries ? hunt_canaries(arguments) : run_seeds(arguments);
}

}  // namespace
}  // namespace rota::sim

int main(int argc, char** argv) { return rota::sim::run(argc, argv); }
