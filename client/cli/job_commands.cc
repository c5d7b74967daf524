#include "client/cli/job_commands.h"

#include <unistd.h>

#include <cstdio>
#include <unordered_set>

#include "client/cli/bulk_commands.h"
#include "client/cli/ids_command.h"
#include "client/cli/job_json.h"
#include "client/cli/job_text.h"
#include "client/cli/job_waiter.h"
#include "client/cli/list_command.h"
#include "client/cli/session.h"
#include "client/cli/text_style.h"
#include "common/base/units.h"
#include "common/program/exit_code.h"

namespace rota::cli {

namespace {

int not_found(Session& session, const client::Job& job) {
  std::string text = "no job " + to_string(job.id);
  if (!job.message.empty()) text += ": " + job.message;
  return session.fail({job.code, std::move(text)});
}

class StatusCommand : public IdsCommand {
 public:
  StatusCommand() : IdsCommand("status", "Tell the facts of jobs") {}

 protected:
  int run_with(Session& session, const std::vector<JobId>& ids) override {
    const Result<std::vector<client::Job>> jobs = session.client().get(ids);
    if (!jobs) return session.fail_request(jobs.error());
    int code = 0;
    std::vector<client::Job> known;
    for (const client::Job& job : *jobs) {
      if (job.code != Code::ok) {
        code = not_found(session, job);
      } else if (session.output() == Output::json) {
        std::printf("%s\n", job_json(job).c_str());
      } else if (session.output() == Output::quiet) {
        std::printf("%s\n", std::string(job_state_name(job.state)).c_str());
      } else {
        known.push_back(job);
      }
    }
    if (session.output() != Output::text || known.empty()) return code;
    const TextStyle style = text_style(STDOUT_FILENO);
    std::fputs((ids.size() == 1 ? job_facts(known.front(), style) : job_table(known, style)).c_str(), stdout);
    return code;
  }
};

class WaitCommand : public IdsCommand {
 public:
  WaitCommand() : IdsCommand("wait", "Wait until jobs are final") {}

 protected:
  void prepare(Session& session) override {
    session.client_options.on_contact_lost = [&session](const std::string& reason) {
      session.notice("lost contact with the broker at " + session.broker() + ": " + reason);
    };
    session.client_options.on_contact_back = [&session] {
      session.notice("the broker at " + session.broker() + " is back");
    };
  }

  int run_with(Session& session, const std::vector<JobId>& ids) override {
    std::unordered_set<JobId> seen;
    std::vector<JobId> distinct;
    for (const JobId& id : ids) {
      if (seen.insert(id).second) distinct.push_back(id);
    }
    WaitOptions options;
    options.print_each = true;
    return JobWaiter(session, options).run(std::move(distinct));
  }
};

class ResultCommand : public IdsCommand {
 public:
  ResultCommand() : IdsCommand("result", "Write a job's result to stdout", 1) {}

 protected:
  int run_with(Session& session, const std::vector<JobId>& ids) override {
    if (ids.size() != 1) return session.usage("result takes one id");
    const Result<std::vector<client::Job>> jobs = session.client().get(ids, true);
    if (!jobs) return session.fail_request(jobs.error());
    const client::Job& job = jobs->front();
    if (job.code != Code::ok) return not_found(session, job);
    if (!is_final(job.state)) {
      const int code = session.fail({Code::retry_later, "job " + to_string(job.id) + " is not final yet: it is " +
                                                            std::string(job_state_name(job.state))});
      return code;
    }
    if (job.result.size() < job.result_size) {
      session.fail({Code::gone, "the result of job " + to_string(job.id) + ", " + format_size(job.result_size) +
                                    ", is not kept any longer; 'rota status' tells the other facts"});
      return program::kExitInternal;
    }
    if (session.output() == Output::json) {
      std::printf("%s\n", job_json(job, true).c_str());
    } else {
      session.write_output(job.result, stdout);
    }
    if (job.state == JobState::succeeded) return 0;
    std::string text = "job " + to_string(job.id) + " " + std::string(job_state_name(job.state));
    if (job.exit_code) text += " with exit code " + std::to_string(*job.exit_code);
    if (!job.error_code.empty()) text += ": " + job.error_code;
    if (!job.error_message.empty()) text += ": " + job.error_message;
    session.explain_end(end_code(job), text);
    return program::kExitJobFailed;
  }
};

class CancelCommand : public IdsCommand {
 public:
  CancelCommand() : IdsCommand("cancel", "Cancel jobs: queued ones at once, running ones are stopped by their worker") {}

 protected:
  int run_with(Session& session, const std::vector<JobId>& ids) override {
    return print_outcomes(session, session.client().cancel(ids), "cancel");
  }
};

}  // namespace

void add_job_commands(std::vector<std::unique_ptr<Command>>& commands) {
  commands.push_back(std::make_unique<StatusCommand>());
  commands.push_back(std::make_unique<WaitCommand>());
  commands.push_back(std::make_unique<ResultCommand>());
  commands.push_back(std::make_unique<ListCommand>());
  commands.push_back(std::make_unique<CancelCommand>());
  commands.push_back(std::make_unique<RetryCommand>());
  commands.push_back(std::make_unique<PurgeCommand>());
}

}  // namespace rota::cli
