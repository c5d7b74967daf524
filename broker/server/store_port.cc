#include "broker/server/store_port.h"

#include <utility>

#include "common/base/clock.h"

namespace rota::server {

void carry_out(store::Store& store, CommitTask& task) {
  const std::int64_t begun = monotonic_us();
  Result<store::CommitInfo> result = store.commit(*task.batch);
  if (result.ok()) {
    task.info = result.value();
  } else {
    task.status = result.error();
  }
  task.microseconds = monotonic_us() - begun;
}

void carry_out(store::Store& store, ReadTask& task) {
  task.bodies.reset(task.sequences.size());
  if (!task.sequences.empty()) {
    task.status = store.bodies(
        task.sequences, [&task](std::size_t index, const store::Batch::Body& body) { task.bodies.put(index, body); });
    if (!task.status.ok()) return;
  }
  for (const JobId& id : task.ids) task.found.asked(id);
  if (task.ids.empty()) return;
  task.status = store.find(task.ids, store::FinishedQuery{task.with_body},
                           [&task](std::size_t, const queue::FinishedJob& job) { task.found.add(job); });
}

}  // namespace rota::server
