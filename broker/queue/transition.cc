#include "broker/queue/transition.h"

#include <array>

namespace rota::queue {
namespace {

using S = JobState;
using Cell = std::optional<JobState>;
constexpr Cell kNever = std::nullopt;

// clang-format off
constexpr std::array<std::array<Cell, kEventCount>, kJobStateCount> kTable{{
    //             due       dispatch    reattach    requeue   retry         succeed       fail       cancel        expire      revive
    /*scheduled*/ {S::ready, kNever,     S::running, kNever,   S::scheduled, S::succeeded, S::failed, S::cancelled, S::expired, kNever},
    /*blocked  */ {kNever,   kNever,     kNever,     kNever,   kNever,       kNever,       kNever,    S::cancelled, S::expired, kNever},
    /*ready    */ {kNever,   S::running, S::running, kNever,   S::scheduled, S::succeeded, S::failed, S::cancelled, S::expired, kNever},
    /*running  */ {kNever,   kNever,     kNever,     S::ready, S::scheduled, S::succeeded, S::failed, S::cancelled, S::expired, kNever},
    /*succeeded*/ {kNever,   kNever,     kNever,     kNever,   kNever,       kNever,       kNever,    kNever,       kNever,     S::ready},
    /*failed   */ {kNever,   kNever,     kNever,     kNever,   kNever,       kNever,       kNever,    kNever,       kNever,     S::ready},
    /*cancelled*/ {kNever,   kNever,     kNever,     kNever,   kNever,       kNever,       kNever,    kNever,       kNever,     S::ready},
    /*expired  */ {kNever,   kNever,     kNever,     kNever,   kNever,       kNever,       kNever,    kNever,       kNever,     S::ready},
}};
// clang-format on

}  // namespace

std::optional<JobState> next_state(JobState from, Event event) {
  return kTable[static_cast<std::size_t>(from)][static_cast<std::size_t>(event)];
}

}  // namespace rota::queue
