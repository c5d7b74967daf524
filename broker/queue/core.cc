#include "broker/queue/core.h"

#include "broker/queue/core_state.h"

namespace rota::queue {

void Effects::clear() {
  changes.clear();
  messages.clear();
  item_replies.clear();
  dispatches.clear();
  codes.clear();
  tokens.clear();
}

Core::State::State(const CoreOptions& core_options, Prng prng)
    : options(core_options),
      random(prng),
      jobs(random),
      next_sequence(std::max<Sequence>(core_options.next_sequence, 1)),
      next_dispatch(std::max<std::uint64_t>(core_options.next_dispatch, 1)) {}

Core::Core(const CoreOptions& options, Prng prng) : state_(std::make_unique<State>(options, prng)) {}
Core::~Core() = default;
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;

}  // namespace rota::queue
