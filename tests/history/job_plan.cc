#include "tests/history/job_plan.h"

#include <charconv>
#include <cstring>

#include "common/base/prng.h"

namespace rota::history {

namespace {

constexpr std::uint64_t kKeys = 64;

// The choices of one job, each from its own random number.
struct Choice {
  std::uint64_t kind, wait, rank, size, key, ms, filler;

  explicit Choice(const JobId& id) {
    std::uint64_t seed = 0;
    std::memcpy(&seed, id.bytes.data() + 8, sizeof seed);
    Prng random(seed);
    kind = random.below(1000);
    wait = random.below(1000);
    rank = random.below(1000);
    size = random.below(1000);
    key = random.below(1000);
    ms = random.next();
    filler = random.next();
  }
};

const char* type_of(const Choice& choice, const Mix& mix) {
  if (choice.kind < mix.longs) return kLong;
  if (choice.kind < mix.longs + mix.flaky) return kFlaky;
  if (choice.kind < mix.longs + mix.flaky + mix.doomed) return kDoomed;
  return kShort;
}

// In steps, so that there are few different templates.
Millis delay_of(const Choice& choice, const Mix& mix) {
  return choice.wait < mix.delayed ? Millis{choice.wait % 2 == 0 ? 50 : 400} : Millis{0};
}

std::int8_t priority_of(const Choice& choice, const Mix& mix) {
  if (choice.rank >= mix.urgent) return 0;
  return choice.rank % 2 == 0 ? 5 : -5;
}

}  // namespace

std::uint64_t template_key(const JobId& id, const Mix& mix) {
  const Choice choice(id);
  return (choice.kind < mix.longs + mix.flaky + mix.doomed ? choice.kind + 1 : 0) << 20U |
         static_cast<std::uint64_t>(delay_of(choice, mix).count()) << 8U |
         static_cast<std::uint64_t>(priority_of(choice, mix) + 128);
}

Plan plan_of(const JobId& id, const std::string& queue, const Mix& mix) {
  const Choice choice(id);
  Plan plan;
  plan.shared.queue = queue;
  plan.shared.type = type_of(choice, mix);
  plan.shared.options.delay = delay_of(choice, mix);
  plan.shared.options.priority = priority_of(choice, mix);
  plan.shared.options.losses = limits::kMaxLosses;  // faults alone fail no job
  plan.shared.options.keep = mix.keep;
  if (plan.shared.type == kFlaky) {
    plan.shared.options.retries = 5;
    plan.shared.options.backoff = Millis{100};
  }
  if (choice.key < mix.keyed) plan.key = "key-" + std::to_string(choice.filler % kKeys);
  plan.payload = std::to_string(mix.long_ms == 0 ? 0 : choice.ms % mix.long_ms);
  plan.payload += " ms of job ";
  plan.payload += to_string(id);
  plan.payload += ' ';
  std::size_t left = choice.filler % 96;
  if (choice.size < mix.large && mix.large_bytes > 0) left = choice.filler % mix.large_bytes;
  plan.payload.append(left, static_cast<char>('a' + choice.filler % 26));
  return plan;
}

std::uint64_t milliseconds_in(std::string_view payload) {
  std::uint64_t ms = 0;
  std::from_chars(payload.data(), payload.data() + payload.size(), ms);
  return ms;
}

}  // namespace rota::history
