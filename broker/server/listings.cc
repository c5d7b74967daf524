#include "broker/server/listings.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "common/base/check.h"
#include "common/base/limits.h"

namespace rota::server {
namespace {

bool ends_with(const JobId& id, std::string_view ending) {
  std::string digits = to_string(id);
  std::erase(digits, '-');
  return digits.ends_with(ending);
}

store::ListQuery to_query(const queue::SurveyFilter& filter) {
  store::ListQuery query;
  query.below = filter.below;
  query.since = filter.since;
  query.queue = filter.queue;
  query.type = filter.type;
  query.states = filter.states & kFinalStates;
  query.most = filter.most;
  query.visits = std::max(limits::kListVisits, filter.most);
  return query;
}

}  // namespace

bool Listings::start(Route client, wire::Request request, Filter filter, const Pipeline& pipeline, Now now) {
  std::size_t of_client = 0;
  for (const Run& run : runs_) {
    if (run.answer.client != client) continue;
    if (run.answer.request == request) return true;
    ++of_client;
  }
  if (runs_.size() >= limits::kMaxListings || of_client >= limits::kMaxListingsOfPeer) return false;
  Run run;
  run.answer.client = client;
  run.answer.request = request;
  run.answer.filter = std::move(filter);
  mark(run, pipeline, now);
  runs_.push_back(std::move(run));
  return true;
}

void Listings::mark(Run& run, const Pipeline& pipeline, Now now) {
  run.behind_batch = pipeline.number();
  run.marked = now.steady;
}

bool Listings::is_old(const Run& run, Now now) {
  return now.steady - run.marked >= limits::kRecentHorizon && run.restarts < limits::kMostListRestarts;
}

bool Listings::may_go_on(const Run& run, const Pipeline& pipeline) {
  return run.behind_batch <= pipeline.released() || pipeline.idle();
}

bool Listings::any_due(const Pipeline& pipeline) const {
  if (runs_.empty()) return false;
  const Run& run = runs_.front();
  switch (run.stage) {
    case Stage::begin:
    case Stage::details:
      return may_go_on(run, pipeline);
    case Stage::core:
    case Stage::queue:
    case Stage::told:
      return true;
    case Stage::reading:
    case Stage::reading_queue:
    case Stage::reading_details:
      return false;
  }
  return false;
}

void Listings::step(const Pipeline& pipeline, Now now) {
  if (!runs_.empty() && runs_.front().stage == Stage::told) tell(runs_.front(), pipeline, now);
  if (!any_due(pipeline)) return;
  Run& run = runs_.front();
  if (run.dropped) {
    runs_.pop_front();
  } else if (run.stage == Stage::begin) {
    ask_store(run);
  } else if (run.stage == Stage::core) {
    survey_core(run, pipeline, now);
  } else if (run.stage == Stage::queue) {
    ask_for_queue(run);
  } else {
    ask_details(run, now);
  }
}

void Listings::ask_store(Run& run) {
  if ((run.answer.filter.jobs.states & kFinalStates) == 0) {
    run.stage = Stage::core;
    return;
  }
  auto task = std::make_unique<ReadTask>();
  task->asker = ReadTask::Asker::listings;
  task->list = to_query(run.answer.filter.jobs);
  if (run.visited > 0) task->list->below = run.page.reached;
  task->list->most -= run.finished.size();
  run.stage = Stage::reading;
  port_.read(std::move(task));
}

void Listings::on_read(std::unique_ptr<ReadTask> task) {
  ROTA_CHECK(!runs_.empty());
  Run& run = runs_.front();
  if (run.stage == Stage::reading) {
    run.finished.insert(run.finished.end(), task->listed.begin(), task->listed.end());
    run.page = task->page;
    run.visited += std::max<std::size_t>(1, run.page.visited);
    const bool enough = run.finished.size() >= run.answer.filter.jobs.most || run.visited >= limits::kListRequestVisits;
    if (run.page.more && !enough) return ask_store(run);
    // Below what the store told of nothing is told: there is no need to look.
    if (run.page.more) run.answer.filter.jobs.from = run.page.reached;
    run.stage = Stage::core;
    return;
  }
  if (run.stage == Stage::reading_queue) {
    run.answer.is_unknown_queue = task->listed.empty() && !task->page.more;
    return done();
  }
  ROTA_CHECK(run.stage == Stage::reading_details);
  run.answer.known = std::make_shared<const Known>(std::move(task), 0);
  run.stage = Stage::told;
}

void Listings::drop(Route client) {
  std::erase_if(runs_, [&](const Run& run) { return run.answer.client == client && &run != &runs_.front(); });
  // What the first one has asked for comes back to it.
  if (!runs_.empty() && runs_.front().answer.client == client) runs_.front().dropped = true;
}

void Listings::survey_core(Run& run, const Pipeline& pipeline, Now now) {
  if (!run.survey) run.survey.emplace(run.answer.filter.jobs);
  core_.survey(*run.survey);
  if (!run.survey->is_done()) return;
  // What was not on disk when the store was asked must still be known to the core.
  if (is_old(run, now)) {
    ++run.restarts;
    run.finished.clear();
    run.survey.reset();
    run.visited = 0;
    run.page = {};
    run.answer.filter.jobs.from = {};
    mark(run, pipeline, now);
    run.stage = Stage::begin;
    return;
  }
  merge(run, run.survey->take());
  mark(run, pipeline, now);
  const queue::SurveyFilter& filter = run.answer.filter.jobs;
  const bool nothing = run.answer.ids.empty() && !run.answer.more && filter.below.is_nil();
  run.stage = nothing && !filter.queue.empty() && !core_.knows_queue(filter.queue) ? Stage::queue : Stage::details;
}

// Memory does not fault; one bounded look.
void Listings::list_memory(Run& run, std::vector<JobId>& into, store::ListPage& page) {
  if ((run.answer.filter.jobs.states & kFinalStates) == 0) return;
  const Result<store::ListPage> listed = volatile_store_.list(
      to_query(run.answer.filter.jobs), [&](const queue::FinishedJob& job) { into.push_back(job.job.id); });
  ROTA_CHECK(listed.ok());
  page = *listed;
}

// Three lists, each complete down to some id: together they are complete down to the highest of these.
void Listings::merge(Run& run, std::vector<JobId> live) {
  Answer& answer = run.answer;
  const auto limit = [&answer](const JobId& reached) {
    answer.reached = std::max(answer.reached, reached);
    answer.more = true;
  };
  std::vector<JobId>& ids = answer.ids;
  ids = std::move(live);
  if (run.survey->is_cut()) limit(ids.back());
  store::ListPage memory;
  list_memory(run, ids, memory);
  if (memory.more) limit(memory.reached);
  if (run.page.more) limit(run.page.reached);
  ids.insert(ids.end(), run.finished.begin(), run.finished.end());
  std::sort(ids.begin(), ids.end(), std::greater<>());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (answer.more) std::erase_if(ids, [&answer](const JobId& id) { return id < answer.reached; });
  if (ids.size() > answer.filter.jobs.most) {
    ids.resize(answer.filter.jobs.most);
    answer.reached = ids.back();
    answer.more = true;
  }
  if (!answer.filter.ending.empty()) {
    std::erase_if(ids, [&answer](const JobId& id) { return !ends_with(id, answer.filter.ending); });
    answer.more = false;
    if (ids.size() > limits::kMaxListJobs) ids.resize(limits::kMaxListJobs);
  }
}

void Listings::ask_details(Run& run, Now now) {
  auto task = std::make_unique<ReadTask>();
  task->asker = ReadTask::Asker::listings;
  task->brief = true;
  for (const JobId& id : run.answer.ids) {
    const std::optional<queue::JobView> view = core_.view(id, now);
    if (!view || is_final(view->state)) {
      task->ids.push_back(id);
    } else if (view->policy.durability != Durability::memory) {
      task->sequences.push_back(view->sequence);
    }
  }
  look_up_in_memory(volatile_store_, *task);
  run.stage = Stage::reading_details;
  if (task->ids.empty() && task->sequences.empty()) {
    run.answer.known = std::make_shared<const Known>(std::move(task), 0);
    return done();
  }
  port_.read(std::move(task));
}

// What ended since it was marked may be gone from the core without having been on disk when the store was asked.
void Listings::tell(Run& run, const Pipeline& pipeline, Now now) {
  const auto is_in_neither = [&](const JobId& id) { return !core_.view(id, now) && run.answer.known->find(id) == nullptr; };
  const std::vector<JobId>& ids = run.answer.ids;
  if (run.dropped || !is_old(run, now) || std::none_of(ids.begin(), ids.end(), is_in_neither)) return done();
  ++run.restarts;
  mark(run, pipeline, now);
  run.stage = Stage::details;
}

// After a restart the core may not know a queue whose jobs have ended.
void Listings::ask_for_queue(Run& run) {
  auto task = std::make_unique<ReadTask>();
  task->asker = ReadTask::Asker::listings;
  task->list = any_finished_of(run.answer.filter.jobs.queue);
  run.stage = Stage::reading_queue;
  port_.read(std::move(task));
}

void Listings::done() {
  done_.push_back(std::move(runs_.front().answer));
  runs_.pop_front();
}

std::optional<Listings::Answer> Listings::take_done() {
  if (done_.empty()) return std::nullopt;
  Answer answer = std::move(done_.front());
  done_.pop_front();
  return answer;
}

}  // namespace rota::server
