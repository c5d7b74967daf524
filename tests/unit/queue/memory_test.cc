// What a million queued jobs cost: every byte that the core asks of the allocator is counted.
#include <gtest/gtest.h>

#include <malloc.h>
#include <atomic>
#include <cstdlib>
#include <new>

#include "broker/queue/core.h"

namespace {

std::atomic<std::size_t> g_bytes{0};

void* counted(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  g_bytes += malloc_usable_size(memory);
  return memory;
}
void uncounted(void* memory) noexcept {
  if (memory != nullptr) g_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// What std::stable_sort takes; a sanitizer has one of its own.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  void* memory = std::malloc(size);
  if (memory != nullptr) g_bytes += malloc_usable_size(memory);
  return memory;
}
void operator delete(void* memory) noexcept { uncounted(memory); }
void operator delete[](void* memory) noexcept { uncounted(memory); }
void operator delete(void* memory, std::size_t) noexcept { uncounted(memory); }
void operator delete[](void* memory, std::size_t) noexcept { uncounted(memory); }

namespace rota::queue {
namespace {

constexpr std::size_t kJobs = 1'000'000;

double bytes_per_job(Millis delay) {
  Effects effects;
  Prng random(9);
  Now now{Steady{1000}, Wall{1'700'000'000'000}};
  SubmitShared shared;
  shared.record.queue = "default";
  shared.record.type = "exec";
  std::vector<SubmitItem> items(500);
  const std::string body(100, 'x');
  const auto fill = [&](Core& core) {
    now.steady.ms += 1;
    now.wall.ms += 1;
    if (delay.count() > 0) shared.delay = delay + Millis{static_cast<std::int64_t>(random.below(1'000'000))};
    for (SubmitItem& item : items) item = {0, make_job_id(now.wall, 0x656, random), random.next(), {}, body};
    core.apply(Submit{1, 1, {&shared, 1}, items, {}}, now, effects);
    effects.clear();
    core.tick(now, effects);
  };
  {
    Core warm(CoreOptions{}, Prng(1));  // the effects grow outside of the count
    fill(warm);
  }
  const std::size_t before = g_bytes;
  Core core(CoreOptions{}, Prng(1));
  for (std::size_t i = 0; i < kJobs; i += items.size()) fill(core);
  EXPECT_EQ(core.live_jobs(), kJobs);
  return static_cast<double>(g_bytes - before) / static_cast<double>(kJobs);
}

TEST(Memory, AMillionReadyJobsCostAtMost96BytesEach) {
  const double bytes = bytes_per_job(Millis{0});
  std::printf("ready job: %.1f bytes\n", bytes);
  EXPECT_LE(bytes, 96.0);
}

TEST(Memory, AMillionDelayedJobsCostAtMost96BytesEach) {
  const double bytes = bytes_per_job(Millis{60'000});
  std::printf("delayed job: %.1f bytes\n", bytes);
  EXPECT_LE(bytes, 96.0);
}

}  // namespace
}  // namespace rota::queue
