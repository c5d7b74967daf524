// What clients ask and are told.
#include <algorithm>

#include "common/base/code.h"
#include "common/wire/codec.h"
#include "tests/sim/auditor.h"

namespace rota::sim {

void Auditor::received_from_client(server::Route route, const wire::Message& message) {
  Question question;
  question.at = event_;
  question.type = wire::type_of(message.body);
  if (const auto* submit = std::get_if<wire::Submit>(&message.body)) return note_submit(route, message, *submit);
  if (const auto* admin = std::get_if<wire::Admin>(&message.body)) return note_admin(route, message, *admin);
  if (const auto* list = std::get_if<wire::List>(&message.body)) return note_list(route, message, *list);
  if (std::holds_alternative<wire::Goodbye>(message.body)) departed_.try_emplace(route, event_);
  if (std::holds_alternative<wire::Hello>(message.body)) departed_.erase(route);
  if (const auto* cancel = std::get_if<wire::Cancel>(&message.body)) {
    question.ids = cancel->ids;
    for (const JobId& id : cancel->ids) {
      if (Job* job = job_of(id); job != nullptr) job->cancel_asked = true;
    }
  } else if (const auto* retry = std::get_if<wire::Retry>(&message.body)) {
    for (const wire::Retry::Item& item : retry->items) {
      question.ids.push_back(item.id);
      Job* job = job_of(item.id);
      if (job == nullptr) continue;
      note_retry(*job);
      job->purged_at = 0;
    }
  } else if (const auto* wait = std::get_if<wire::Wait>(&message.body)) {
    question.ids = wait->ids;
  } else if (const auto* get = std::get_if<wire::Get>(&message.body)) {
    question.ids = get->ids;
  } else {
    return;
  }
  ask(route, message, std::move(question));
}

void Auditor::note_submit(server::Route route, const wire::Message& message, const wire::Submit& submit) {
  Question question;
  question.at = event_;
  question.type = wire::MessageType::submit;
  question.notify = submit.notify;
  for (const wire::SubmitItem& item : submit.items) {
    const wire::SubmitShared& shared = submit.shared[item.shared];
    question.ids.push_back(item.id);
    question.payloads.emplace_back(item.payload);
    question.keys.emplace_back(item.key);
    question.durabilities.push_back(shared.options.durability);
    Job* job = job_of(item.id);
    if (job == nullptr) continue;
    if (job->received_at == 0) {
      job->received_at = event_;
      job->received_when = timeline_.now().steady;
      job->received_life = life_;
      job->restarts = totals_.restarts;
    }
    ++job->submits;
    job->told_life = job->purged_at = 0;
    if (purges_open_[job->ask.queue] > 0 || may_be_gone(*job)) job->may_be_forgotten = true;
    // A retry that stands in line behind its client's other requests may be carried out after this.
    if (retries_open_[job->ask.queue] > 0) note_retry(*job);
    // Forgotten at once, or soon: its id is new again.
    if (job->may_be_forgotten) job->told.reset();
  }
  ask(route, message, std::move(question));
}

void Auditor::sent_to_client(server::Route route, const wire::Message& message) {
  const auto at = questions_.find({route, message.request});
  const Question* asked = at == questions_.end() ? nullptr : &at->second;
  if (const auto* notify = std::get_if<wire::Notify>(&message.body)) return judge_notify(route, asked, *notify);
  if (const auto* jobs = std::get_if<wire::Jobs>(&message.body)) return judge_jobs(asked == nullptr ? 0 : asked->at, *jobs);
  if (asked == nullptr) return;
  if (const auto* submitted = std::get_if<wire::Submitted>(&message.body)) {
    judge_submitted(*asked, *submitted);
  } else if (const auto* results = std::get_if<wire::Results>(&message.body)) {
    judge_results(*asked, *results);
  } else if (const auto* reply = std::get_if<wire::AdminReply>(&message.body)) {
    judge_admin(*asked, *reply);
  } else if (const auto* listed = std::get_if<wire::Listed>(&message.body)) {
    judge_listed(*asked, *listed);
  }
}

void Auditor::judge_submitted(const Question& asked, const wire::Submitted& answer) {
  if (answer.items.size() != asked.ids.size()) return fail("a SUBMITTED answers another number of items than were asked");
  for (std::size_t i = 0; i < answer.items.size(); ++i) {
    const wire::ItemResult& result = answer.items[i];
    const JobId told = result.plain ? asked.ids[i] : result.id;
    if (result.code != Code::ok && result.code != Code::duplicate) continue;
    Job* job = job_of(told);
    if (job == nullptr) return fail("an acknowledgement names a job that nobody asked for");
    if (told != asked.ids[i]) {
      // The holder of its key.
      if (asked.keys[i].empty() || job->ask.key != asked.keys[i]) {
        return fail(name(asked.ids[i]) + " was answered with " + name(told) + ", which has another key");
      }
      continue;
    }
    judge_accepted(asked, i, *job, result);
    if (failed()) return;
  }
}

void Auditor::judge_accepted(const Question& asked, std::size_t item, Job& job, const wire::ItemResult& result) {
  const Durability durability = result.plain ? asked.durabilities[item] : result.durability;
  if (job.ask.options.durability == Durability::fsync && durability != Durability::fsync) {
    return fail(name(job.ask.id) + " is kept in memory only, but was to be synced");
  }
  if (asked.payloads[item] != job.ask.payload) {
    return fail(name(job.ask.id) + " was accepted again with another content");
  }
  if (result.code == Code::ok) {
    ++job.accepted_times;
    const bool once_more = job.accepted_times > 1 && !may_be_gone(job);
    if (once_more) return fail(name(job.ask.id) + " was accepted as new twice");
    // Its earlier life counts no more, although it is young again.
    if (job.accepted_times > 1) job.may_be_forgotten = true;
    job.accepted_request = event_;
    job.accepted_item = item;
  }
  if (!result.plain && is_final(result.state)) {
    told_end(job, result.state, "submitted again", {});
  }
  if (job.acked_at != 0) return;
  job.acked_at = event_;
  job.acked_life = life_;
  job.acked_when = timeline_.now().steady;
  ++totals_.acknowledged;
  if (job.ask.options.keep.count() == 0) job.may_be_forgotten = true;
  if (durability == Durability::memory) judge_memory();
}

// Jobs that were taken and given to nobody yet are held somewhere. What comes while there is room is taken whole: one
// SUBMIT may go beyond the limit.
void Auditor::judge_memory() {
  if (rules_.memory_limit == 0) return;
  std::uint64_t held = 0, largest = 0;
  std::map<std::uint64_t, std::uint64_t> by_submit;
  for (const auto& [id, job] : jobs_) {
    const bool is_queued = job.ask.options.durability == Durability::memory && job.acked_life == life_ &&
                           job.sent.empty() && !job.told && !job.cancel_asked && !job.may_be_forgotten &&
                           job.ask.options.expires.count() == 0;
    if (!is_queued) continue;
    held += job.ask.payload.size();
    std::uint64_t& bytes = by_submit[job.acked_at];
    bytes += job.ask.payload.size();
    largest = std::max(largest, bytes);
  }
  if (held - largest > rules_.memory_limit) {
    fail("memory jobs of " + std::to_string(held) + " bytes were accepted, and " + std::to_string(rules_.memory_limit) +
         " are allowed");
  }
}

void Auditor::judge_results(const Question& asked, const wire::Results& answer) {
  if (answer.items.size() != asked.ids.size()) return fail("a RESULTS answers another number of items than were asked");
  for (std::size_t i = 0; i < answer.items.size(); ++i) {
    const wire::ItemResult& result = answer.items[i];
    Job* job = job_of(asked.ids[i]);
    if (job == nullptr) {
      if (result.code == Code::ok) return fail("a job that nobody asked for was found");
      continue;
    }
    if (asked.type == wire::MessageType::retry) {
      if (result.code != Code::ok && job->retries_open > 0) --job->retries_open;
      if (result.code == Code::not_found) told_unknown(*job, asked.at, "RETRY");
      continue;
    }
    if (result.code == Code::ok) job->cancel_acked = true;
    if (result.code == Code::ok && !result.plain && result.state == JobState::cancelled) {
      told_end(*job, JobState::cancelled, "CANCEL", {});
    }
    if (result.code == Code::not_found) told_unknown(*job, asked.at, "CANCEL");
  }
}

void Auditor::judge_notify(server::Route route, const Question* asked, const wire::Notify& answer) {
  for (const wire::NotifyItem& item : answer.items) {
    Job* job = job_of(item.id);
    if (job == nullptr) return fail("a NOTIFY of a job that nobody asked for");
    const auto among = [](const auto& all, const auto& one) { return std::find(all.begin(), all.end(), one) != all.end(); };
    const bool awaited =
        asked != nullptr && (among(asked->ids, item.id) || (!job->ask.key.empty() && among(asked->keys, job->ask.key)));
    if (!awaited) return fail("a NOTIFY of " + name(item.id) + " that nobody waits for");
    if (item.code != Code::ok) {
      told_unknown(*job, asked->at, "NOTIFY");
      continue;
    }
    // What workers report after its goodbye is nothing to it.
    const auto departed = departed_.find(route);
    const auto came_later = [&](const Sent& one) { return one.completed_at > departed->second; };
    if (departed != departed_.end() && item.state == JobState::succeeded && !job->sent.empty() &&
        std::all_of(job->sent.begin(), job->sent.end(), came_later)) {
      return fail("the end of " + name(item.id) + " is told to a client that had said goodbye");
    }
    if (is_of_the_past(*job, asked->at)) continue;
    Details details{std::nullopt, item.losses};
    if (item.state == JobState::succeeded && !item.report.result.empty()) details.result = item.report.result;
    told_end(*job, item.state, "NOTIFY", details);
    if (failed()) return;
  }
}

void Auditor::judge_jobs(std::uint64_t asked_at, const wire::Jobs& answer) {
  for (const wire::JobInfo& info : answer.jobs) {
    Job* job = job_of(info.id);
    if (job == nullptr) continue;
    if (info.code == Code::ok) {
      judge_job(asked_at, info, "GET");
    } else {
      told_unknown(*job, asked_at, "GET");
    }
    if (failed()) return;
  }
}

void Auditor::judge_job(std::uint64_t asked_at, const wire::JobInfo& info, std::string_view why) {
  Job* job = job_of(info.id);
  if (job == nullptr || job->received_at == 0) return fail(name(info.id) + " is known, but nobody submitted it");
  if (info.queue != job->ask.queue || info.type != job->ask.type) return fail(name(info.id) + " changed its queue or type");
  if (job->purged_at != 0 && job->purged_at < asked_at) return fail(name(info.id) + " is known although it was purged");
  if (job->ask.options.keep.count() == 0 && job->told_life != 0 && job->told_life < life_ &&
      job->ask.options.durability == Durability::fsync && job->submits == 1 && !job->retried) {
    return fail(name(info.id) + " was not to be kept, had ended before the last restart, and is known");
  }
  if (!is_final(info.state)) return told_alive(*job, info.state, why);
  if (is_of_the_past(*job, asked_at)) return;
  Details details{std::nullopt, info.losses};
  if (info.state == JobState::succeeded && !info.report.result.empty()) details.result = info.report.result;
  told_end(*job, info.state, why, details);
}

}  // namespace rota::sim
