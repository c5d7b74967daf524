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
const char* volatile running_canary = nullptr;

void note_running(std::uint64_t seed) {
  running_high = static_cast<std::sig_atomic_t>(seed / 1'000'000'000);
  running_low = static_cast<std::sig_atomic_t>(seed % 1'000'000'000);
}

// What a signal handler may do: no memory, no locks, no stdio.
void say(const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); }

void say(std::uint64_t number) {
  char digits[24];
  char* at = digits + sizeof digits - 1;
  *at = '\0';
  do {
    *--at = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  say(at);
}

// A broken invariant, or worse. What the signal does by itself follows.
void on_death(int signal) {
  const std::uint64_t seed =
      static_cast<std::uint64_t>(running_high) * 1'000'000'000U + static_cast<std::uint64_t>(running_low);
  say(signal == SIGABRT ? "\nabort" : signal == SIGSEGV ? "\nsegmentation fault" : "\nbus error");
  say(" in seed ");
  say(seed);
  say("\n  commit ");
  say(built_commit());
  say("; replay: test_sim ");
  if (const char* canary = running_canary; canary != nullptr) {
    say("--canary ");
    say(canary);
    say(" ");
  }
  say("--seed ");
  say(seed);
  say(" --trace\n");
  (void)::raise(signal);
}

// On a stack of its own: the usual one may be what has run out.
void watch_for_death() {
  static char stack[64 * 1024];
  stack_t own{};
  own.ss_sp = stack;
  own.ss_size = sizeof stack;
  (void)::sigaltstack(&own, nullptr);
  struct sigaction action {};
  action.sa_handler = on_death;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS}) (void)::sigaction(signal, &action, nullptr);
}

struct Arguments {
  std::uint64_t from = 1, seeds = 100;
  std::uint64_t least_stale = 0;
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
  sum.stale_late += one.stale_late;
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
      "%llu dispatches, %llu of them repeats, %llu stale runs (%llu by COMPLETE), %llu retries that took, %llu restarts\n",
      number(arguments.seeds), number(failed), number(sum.asked), number(sum.acknowledged), number(sum.succeeded),
      number(sum.other_ends), number(sum.dispatches), number(sum.repeats), number(sum.stale), number(sum.stale_late),
      number(sum.revivals), number(sum.restarts));
  if (sum.stale_late < arguments.least_stale || sum.stale - sum.stale_late < arguments.least_stale) {
    std::printf(
        "FAILED: fewer than %llu stale runs were named by WELCOME or by COMPLETED: the weather does not make them\n",
        number(arguments.least_stale));
    ++failed;
  }
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

// Seeds until the planted bug is found by the rule that it breaks, at most so many. A seed that another rule ends says
// nothing of that one.
bool hunt(Canary canary, const Arguments& arguments) {
  running_canary = canary_name(canary).data();  // a literal
  const std::string name(canary_name(canary));
  std::uint64_t others = 0;
  std::string other;
  for (std::uint64_t seed = arguments.from; seed < arguments.from + arguments.seeds; ++seed) {
    note_running(seed);
    World world(seed, canary, arguments.trace);
    if (world.run()) continue;
    if (!is_caught_by(canary, world.verdict())) {
      ++others;
      other = world.verdict();
      continue;
    }
    std::printf("%-20s caught by seed %llu: %s\n", name.c_str(), static_cast<unsigned long long>(seed),
                world.verdict().c_str());
    std::fflush(stdout);
    return true;
  }
  std::printf("%-20s NOT CAUGHT by %llu seeds", name.c_str(), static_cast<unsigned long long>(arguments.seeds));
  if (others > 0) {
    std::printf("; %llu broke another rule, the last of them: %s", static_cast<unsigned long long>(others), other.c_str());
  }
  std::printf("\n");
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
      "       test_sim --least-stale N             fewer runs than that were told not to count: fail\n"
      "       test_sim --replay [--seeds N]        run each twice: both must be the same\n"
      "       test_sim --canaries [--seeds N]      find every planted bug by its rule within N seeds each\n"
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
    } else if (option == "--least-stale" && has_value) {
      arguments.least_stale = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--from" && has_value) {
      arguments.from = std::strtoull(argv[++i], nullptr, 10);
    } else if (option == "--seed" && has_value) {
      arguments.from = std::strtoull(argv[++i], nullptr, 10);
      arguments.seeds = 1;
    } else {
      return usage();
    }
  }
  watch_for_death();
  return arguments.canaries ? hunt_canaries(arguments) : run_seeds(arguments);
}

}  // namespace
}  // namespace rota::sim

int main(int argc, char** argv) { return rota::sim::run(argc, argv); }
