// Every transition of the core's table, and every code that the core answers with, happens in one of the scripts of this
// folder. What is missing is named: a new transition or code needs a script.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "broker/queue/transition.h"
#include "common/base/code.h"
#include "tests/scenario/replay.h"

using rota::JobState;
using rota::queue::Event;

namespace {

std::set<std::pair<JobState, Event>>& taken() {
  static std::set<std::pair<JobState, Event>> all;
  return all;
}

}  // namespace

// The linker puts this one in the place of next_state() (--wrap, see CMakeLists.txt): the core asks it before every move.
std::optional<JobState> wrapped_next_state(JobState from,
                                           Event event) asm("__wrap__ZN4rota5queue10next_stateENS_8JobStateENS0_5EventE");
std::optional<JobState> real_next_state(JobState from,
                                        Event event) asm("__real__ZN4rota5queue10next_stateENS_8JobStateENS0_5EventE");

std::optional<JobState> wrapped_next_state(JobState from, Event event) {
  taken().insert({from, event});
  return real_next_state(from, event);
}

namespace rota::scenario {
namespace {

std::string name_of(Event event) {
  static const char* const kNames[] = {"due",     "dispatch", "reattach", "requeue", "retry",
                                       "succeed", "fail",     "cancel",   "expire",  "revive"};
  static_assert(std::size(kNames) == queue::kEventCount);
  return kNames[static_cast<std::size_t>(event)];
}

// What all scripts together give; they are run once.
const std::string& everything() {
  static const std::string text = [] {
    taken().clear();
    std::string all;
    for (const auto& script : scripts()) all += replay(read(script));
    return all;
  }();
  return text;
}

// In the table so that a completion or a HELLO would be taken whatever the job does meanwhile. Today a job that waits for
// its time has no open token: it waits because an attempt's completion used it up, or because it never was dispatched.
bool is_out_of_reach(JobState from, Event event) {
  return from == JobState::scheduled &&
         (event == Event::reattach || event == Event::retry || event == Event::succeed || event == Event::fail);
}

TEST(Coverage, EveryTransitionHasAScript) {
  (void)everything();
  std::size_t transitions = 0;
  for (std::uint8_t state = 0; state < kJobStateCount; ++state) {
    const auto from = static_cast<JobState>(state);
    if (from == JobState::blocked) continue;  // reserved: nothing enters it
    for (std::uint8_t number = 0; number < queue::kEventCount; ++number) {
      const auto event = static_cast<Event>(number);
      const auto to = real_next_state(from, event);
      if (!to) continue;
      ++transitions;
      if (is_out_of_reach(from, event)) {
        EXPECT_FALSE(taken().contains({from, event})) << name_of(event) << " of a scheduled job is within reach";
        continue;
      }
      EXPECT_TRUE(taken().contains({from, event}))
          << job_state_name(from) << " --" << name_of(event) << "--> " << job_state_name(*to) << " happens in no script";
    }
  }
  EXPECT_GE(transitions, 24U);
}

TEST(Coverage, EveryCodeOfTheCoreHasAScript) {
  // The rest is the server's, the worker's and the client's, or reserved: see tests/unit/server/refusals_test.cc.
  static const std::set<Code> kNotOfTheCore{Code::no_session, Code::version,    Code::forbidden, Code::cancelled,
                                            Code::timed_out,  Code::store_full, Code::internal,  Code::shutting_down};
  const std::string& text = everything();
  for (std::uint8_t number = 0; number < kCodeCount; ++number) {
    const auto code = static_cast<Code>(number);
    if (kNotOfTheCore.contains(code)) continue;
    EXPECT_NE(std::string::npos, text.find(code_name(code))) << code_name(code) << " is answered in no script";
  }
}

}  // namespace
}  // namespace rota::scenario
