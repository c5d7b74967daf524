#include "broker/server/store_port.h"

#include <utility>

#include "broker/server/brief_report.h"
#include "common/base/check.h"
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

namespace {

Status read_bodies(store::Store& store, ReadTask& task) {
  return store.bodies(task.sequences,
                      [&task](std::size_t index, const store::Batch::Body& body) { task.bodies.put(index, body); });
}

Status read_outlines(store::Store& store, ReadTask& task) {
  return store.outlines(task.sequences, [&task](std::size_t index, store::Batch::Body body) {
    std::uint64_t ignored = 0;
    const std::string report = brief_report(body.report, ignored);
    body.report = report;
    task.bodies.put(index, body);
  });
}

void find(store::Store& store, ReadTask& task) {
  const bool brief = task.brief;
  task.status = store.find(task.ids, store::FinishedQuery{task.with_body}, [&](std::size_t, const queue::FinishedJob& job) {
    brief ? task.found.add_brief(job) : task.found.add(job);
  });
}

void list(store::Store& store, ReadTask& task) {
  const bool copies = task.asker == ReadTask::Asker::bulk;
  const Result<store::ListPage> page = store.list(*task.list, [&task, copies](const queue::FinishedJob& job) {
    task.listed.push_back(job.job.id);
    if (copies) task.found.add_brief(job);
  });
  if (!page) {
    task.status = page.error();
    return;
  }
  task.page = *page;
}

}  // namespace

void carry_out(store::Store& store, ReadTask& task) {
  task.bodies.reset(task.sequences.size());
  if (!task.sequences.empty()) task.status = task.brief ? read_outlines(store, task) : read_bodies(store, task);
  for (const JobId& id : task.ids) task.found.asked(id);
  if (task.status.ok() && !task.ids.empty()) find(store, task);
  if (task.status.ok() && task.list) list(store, task);
}

store::ListQuery any_finished_of(std::string_view queue) {
  store::ListQuery query;
  query.queue = queue;
  query.most = 1;
  query.visits = limits::kListRequestVisits;
  return query;
}

void look_up_in_memory(store::Store& volatile_store, ReadTask& task) {
  ReadTask local;
  local.ids = task.ids;
  local.with_body = task.with_body;
  local.brief = task.brief;
  carry_out(volatile_store, local);
  ROTA_CHECK(local.status.ok());
  std::vector<JobId> rest;
  for (const JobId& id : task.ids) {
    if (task.found.take_over(local.found, id)) {
      task.found.asked(id);
    } else {
      rest.push_back(id);
    }
  }
  task.ids = std::move(rest);
}

}  // namespace rota::server
