#include <type_traits>
#include <utility>
#include <variant>

#include "broker/server/engine.h"
#include "common/base/limits.h"

// Requests that wait for a look into the store.
namespace rota::server {

void Engine::park(Asked& asked, bool decides) {
  Parking::Frame frame;
  frame.side = asked.side;
  frame.bytes.assign(asked.frame);
  frame.decides = decides;
  if (asked.resumed) {
    frame.looks = asked.looks;
    parking_.look_again(asked.route, std::move(frame), wants_, pipeline_.number());
    asked.parked = true;
    return;
  }
  if (!parking_.park(asked.route, std::move(frame), wants_, pipeline_.number())) {
    refuse(asked, Code::retry_later, "too many requests wait for the store; try again", limits::kRetryLaterHint);
    return;
  }
  ++asked.peer->parked;
  asked.parked = true;
  if (asked.side != Side::worker || asked.peer->session == queue::kNoSession) return;
  // Its lease does not wait for the store.
  effects_.clear();
  core_.apply(queue::WorkerHeard{asked.peer->session, {}}, asked.now, effects_);
}

void Engine::park_behind(Asked& asked, const wire::Message& message) {
  wants_.clear();
  bool decides = true;
  if (const auto* wait = std::get_if<wire::Wait>(&message.body)) {
    decides = false;
    if (parking_.may_look_ahead(asked.route)) {
      wants_.want = ReadTask::Want::wait;
      for (const JobId& id : wait->ids) want_final(id, asked.now);
    }
  } else if (const auto* get = std::get_if<wire::Get>(&message.body)) {
    decides = false;
    if (parking_.may_look_ahead(asked.route)) {
      wants_.want = ReadTask::Want::get;
      for (const JobId& id : get->ids) {
        want_final(id, asked.now);
        want_body(id, asked.now);
      }
    }
  }
  park(asked, decides);
}

void Engine::want_final(const JobId& id, Now now) {
  const std::optional<queue::JobView> view = core_.view(id, now);
  if (view ? is_final(view->state) : core_.must_look_up(id, now)) wants_.ids.push_back(id);
}

void Engine::want_body(const JobId& id, Now now) {
  const std::optional<queue::JobView> view = core_.view(id, now);
  if (!view || is_final(view->state) || view->policy.durability == Durability::memory) return;
  if (!pipeline_.batch().find(view->sequence)) wants_.sequences.push_back(view->sequence);
}

}  // namespace rota::server
