#include "broker/server/store_port.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "broker/server/brief_report.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/peer_limits.h"

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
  std::size_t copied = 0;
  return store.outlines(task.sequences, [&task, &copied](std::size_t index, store::Batch::Body body) {
    std::uint64_t ignored = 0;
    const std::string report = brief_report(body.report, ignored, copied <= limits::kMaxStderrPerReply);
    copied += report.size();
    body.report = report;
    task.bodies.put(index, body);
  });
}

// What was copied so far for the reader of each id.
class Shares {
 public:
  explicit Shares(const ReadTask& task) : readers_(task.readers) {
    for (const ReadTask::Reader& reader : readers_) most_ = std::max(most_, reader.number);
    copied_.resize(readers_.empty() ? 0 : most_ + 1);
  }
  // Whether the reader has room for that much more. The first for it always fits.
  [[nodiscard]] bool take(std::size_t index, std::size_t bytes) {
    std::size_t& copied = copied_[readers_[index].number];
    if (copied > 0 && copied + bytes > limits::kReaderBytes) return false;
    copied += bytes;
    return true;
  }
  // Whether it has room for the report without its result, or not even for the stderr tail in it.
  [[nodiscard]] bool take_brief(std::size_t index, std::size_t bytes) {
    std::size_t& copied = copied_[readers_[index].number];
    copied += std::min(bytes, limits::kMaxStderrTail);
    return copied <= limits::kReaderBytes + limits::kMaxStderrPerReply;
  }

 private:
  const std::vector<ReadTask::Reader>& readers_;
  std::uint32_t most_ = 0;
  std::vector<std::size_t> copied_;
};

void find_for_readers(store::Store& store, ReadTask& task) {
  Shares shares(task);
  std::vector<bool> left(task.ids.size());
  task.status = store.find(task.ids, store::FinishedQuery{false}, [&](std::size_t index, const queue::FinishedJob& job) {
    const ReadTask::Reader& reader = task.readers[index];
    if (reader.want == ReadTask::Want::facts) return task.found.add_brief(job, false);
    if (shares.take(index, job.outcome.report.size())) return task.found.add_without_payload(job);
    if (reader.want == ReadTask::Want::wait) {
      left[index] = true;
    } else {
      task.found.add_brief(job, shares.take_brief(index, job.outcome.report.size()));
    }
  });
  for (std::size_t index = 0; index < task.ids.size(); ++index) {
    if (!left[index]) task.found.asked(task.ids[index]);
  }
}

void find(store::Store& store, ReadTask& task) {
  const bool brief = task.brief;
  task.status = store.find(task.ids, store::FinishedQuery{false}, [&](std::size_t, const queue::FinishedJob& job) {
    brief ? task.found.add_brief(job, true) : task.found.add(job);
  });
}

void list(store::Store& store, ReadTask& task) {
  const bool copies = task.asker == ReadTask::Asker::bulk;
  const Result<store::ListPage> page = store.list(*task.list, [&task, copies](const queue::FinishedJob& job) {
    task.listed.push_back(job.job.id);
    if (copies) task.found.add_brief(job, true);
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
  const bool outlines = task.brief || task.asker == ReadTask::Asker::parking;
  if (!task.sequences.empty()) task.status = outlines ? read_outlines(store, task) : read_bodies(store, task);
  if (!task.readers.empty()) {
    if (task.status.ok()) find_for_readers(store, task);
  } else {
    for (const JobId& id : task.ids) task.found.asked(id);
    if (task.status.ok() && !task.ids.empty()) find(store, task);
  }
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
  local.readers = task.readers;
  local.brief = task.brief;
  carry_out(volatile_store, local);
  ROTA_CHECK(local.status.ok());
  std::size_t kept = 0;
  for (std::size_t index = 0; index < task.ids.size(); ++index) {
    const JobId id = task.ids[index];
    if (task.found.take_over(local.found, id)) {
      task.found.asked(id);
      continue;
    }
    // One that was found but not copied is not asked of the store, which would say that there is none.
    if (!task.readers.empty() && !local.found.was_asked(id)) continue;
    task.ids[kept] = id;
    if (!task.readers.empty()) task.readers[kept] = task.readers[index];
    ++kept;
  }
  task.ids.resize(kept);
  if (!task.readers.empty()) task.readers.resize(kept);
}

}  // namespace rota::server
