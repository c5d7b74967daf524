#include "broker/server/load_buffer.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/uuid.h"

namespace rota::server {
namespace {

class LoadBufferTest : public testing::Test {
 protected:
  LoadBuffer buffer;

  void load(std::string_view queue, std::string_view type, const queue::Policy& policy = {}) {
    const queue::SharedRecord shared{queue, type, policy, {}};
    queue::LiveJob live;
    live.job.sequence = ++sequence_;
    live.job.id = random_uuid();
    live.job.shared = &shared;
    buffer.live_job(live);
  }

 private:
  queue::Sequence sequence_ = 0;
};

TEST_F(LoadBufferTest, QueueTypeAndPolicyTellSharedPartsApart) {
  queue::Policy other;
  other.keep = Millis{7};
  for (int i = 0; i < 3; ++i) {
    load("a", "b");
    load("ab", "");
    load("", "ab");
    load("a", "b", other);
  }
  EXPECT_EQ(4U, buffer.shared_parts());
}

// A look at all known parts for each job would be ten thousand million comparisons here.
TEST_F(LoadBufferTest, ATypeForEachJobIsFoundAgain) {
  constexpr int kTypes = 100'000;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kTypes; ++i) load("default", "type-" + std::to_string(i));
  }
  EXPECT_EQ(static_cast<std::size_t>(kTypes), buffer.shared_parts());
  queue::CoreOptions options;
  options.next_sequence = 2 * kTypes + 1;
  queue::Core core(options, Prng(1));
  buffer.hand_over(core, Now{Steady{1'000'000}, Wall{1'800'000'000'000}});
  EXPECT_EQ(2U * kTypes, core.live_jobs());
}

}  // namespace
}  // namespace rota::server
