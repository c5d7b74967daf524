#include "tests/sim/trace.h"

#include <cstdio>
#include <type_traits>
#include <variant>

#include "common/base/code.h"
#include "common/base/job_state.h"
#include "common/wire/codec.h"

namespace rota::sim {
namespace {

std::string_view end_name(AttemptEnd end) {
  static constexpr std::string_view kNames[] = {"succeeded", "failed", "rejected", "timed_out",
                                                "cancelled", "lost",   "expired"};
  return kNames[static_cast<std::size_t>(end)];
}

// Appends what is worth seeing of each kind of message.
class Describer {
 public:
  Describer(Trace& trace, std::string& out) : trace_(trace), out_(out) {}

  template <typename Body>
  void operator()(const Body&) {}
  void operator()(const wire::Hello& hello) {
    if (hello.session.is_nil()) return;
    add(hello.name);
    add("connection " + std::to_string(hello.connection));
    add("credit " + std::to_string(hello.credit));
    tokens("started", hello.started);
    tokens("held", hello.held);
    tokens("finished", hello.finished);
  }
  void operator()(const wire::Welcome& welcome) {
    for (const auto* codes : {&welcome.started, &welcome.held, &welcome.finished}) {
      if (!codes->empty()) list(*codes);
    }
  }
  void operator()(const wire::ErrorReply& error) {
    add(code_name(error.code));
    add(error.message);
  }
  void operator()(const wire::Submit& submit) {
    if (submit.notify) add("notify");
    for (const wire::SubmitItem& item : submit.items) {
      add(trace_.name_of(item.id) + (item.key.empty() ? "" : " key " + std::string(item.key)));
    }
    if (!submit.shared.empty()) options(submit.shared.front());  // the others have other headers
  }
  void operator()(const wire::Submitted& submitted) { results(submitted.items); }
  void operator()(const wire::Results& answer) { results(answer.items); }
  void operator()(const wire::Wait& wait) { ids(wait.ids); }
  void operator()(const wire::Get& get) { ids(get.ids); }
  void operator()(const wire::Cancel& cancel) { ids(cancel.ids); }
  void operator()(const wire::Retry& retry) {
    for (const wire::Retry::Item& item : retry.items) {
      add(trace_.name_of(item.id) + (item.attempt_seen ? " seen " + std::to_string(*item.attempt_seen) : ""));
    }
  }
  void operator()(const wire::Notify& notify) {
    for (const wire::NotifyItem& item : notify.items) told(item.id, item.code, item.state);
  }
  void operator()(const wire::Jobs& jobs) {
    for (const wire::JobInfo& job : jobs.jobs) told(job.id, job.code, job.state);
  }
  void operator()(const wire::List& list) {
    if (!list.queue.empty()) add(std::string("on ").append(list.queue));
    if (!list.type.empty()) add(list.type);
    if (list.states != 0) add("states " + std::to_string(list.states));
    add("limit " + std::to_string(list.limit) + (list.cursor.empty() ? "" : ", on from where it stopped"));
  }
  void operator()(const wire::Listed& listed) {
    for (const wire::JobInfo& job : listed.jobs) told(job.id, job.code, job.state);
    if (!listed.cursor.empty()) add("and more");
  }
  void operator()(const wire::Admin& admin) {
    add(admin.verb);
    for (const wire::Pair& pair : admin.arguments) add(pair.second);
  }
  void operator()(const wire::AdminReply& reply) { add(code_name(reply.code)); }
  void operator()(const wire::Dispatch& dispatch) {
    for (const wire::DispatchItem& item : dispatch.items) {
      add(trace_.name_of(item.id) + " " + text_of({dispatch.epoch, item.dispatch}) + " try " +
          std::to_string(item.attempt));
    }
  }
  void operator()(const wire::Complete& complete) {
    add("through " + std::to_string(complete.started_through) + " credit " + std::to_string(complete.credit));
    for (const wire::CompleteItem& item : complete.items) {
      add(trace_.name_of(item.job.id) + " " + text_of(item.job.token) + " " + std::string(end_name(item.end)));
    }
  }
  void operator()(const wire::Completed& completed) { list(completed.codes); }
  void operator()(const wire::Renew& renew) {
    add("through " + std::to_string(renew.started_through) + " credit " + std::to_string(renew.credit));
  }
  void operator()(const wire::Reclaim& reclaim) { tokens("", reclaim.jobs); }
  void operator()(const wire::Released& released) { tokens("", released.jobs); }
  void operator()(const wire::CancelJobs& cancel) { tokens("", cancel.jobs); }

 private:
  void add(std::string_view text) {
    if (text.empty()) return;
    out_ += first_ ? " " : ", ";
    out_ += text;
    first_ = false;
  }
  void options(const wire::SubmitShared& shared) {
    const wire::JobOptions& options = shared.options;
    add(std::string("on ").append(shared.queue));
    if (options.durability == Durability::memory) add("in memory");
    if (options.priority != 0) add("priority " + std::to_string(options.priority));
    if (options.retries > 0) add("retries " + std::to_string(options.retries));
    if (options.losses != limits::kDefaultLosses) add("losses " + std::to_string(options.losses));
    if (options.delay.count() > 0) add("delay " + std::to_string(options.delay.count()));
    if (options.run_at.ms > 0) add("at " + std::to_string(options.run_at.ms));
    if (options.expires.count() > 0) add("expires " + std::to_string(options.expires.count()));
    if (options.keep.count() >= 0) add("keep " + std::to_string(options.keep.count()));
    if (options.time_limit.count() > 0) add("limit " + std::to_string(options.time_limit.count()));
  }
  void tokens(std::string_view what, const std::vector<wire::TokenOf>& tokens) {
    if (tokens.empty()) return;
    std::string text(what);
    for (const wire::TokenOf& one : tokens) text += " " + trace_.name_of(one.id) + " " + text_of(one.token);
    add(text);
  }
  void ids(const std::vector<JobId>& ids) {
    for (const JobId& id : ids) add(trace_.name_of(id));
  }
  void list(const std::vector<Code>& codes) {
    for (const Code code : codes) add(code_name(code));
  }
  void results(const std::vector<wire::ItemResult>& items) {
    for (const wire::ItemResult& item : items) {
      if (item.plain) {
        add("OK");
      } else {
        add(trace_.name_of(item.id) + " " + std::string(code_name(item.code)) + " " +
            std::string(job_state_name(item.state)));
      }
    }
  }
  void told(const JobId& id, Code code, JobState state) {
    add(trace_.name_of(id) + " " + std::string(code == Code::ok ? job_state_name(state) : code_name(code)));
  }

  Trace& trace_;
  std::string& out_;
  bool first_ = true;
};

}  // namespace

std::string text_of(Token token) { return std::to_string(token.epoch) + "." + std::to_string(token.dispatch); }

void Trace::note(std::string_view text) {
  mix(text);
  if (!prints_) return;
  const std::int64_t ms = timeline_.now().steady.ms;
  std::printf("%6lld.%03lld  %.*s\n", static_cast<long long>(ms / 1000), static_cast<long long>(ms % 1000),
              static_cast<int>(text.size()), text.data());
}

void Trace::mix(std::string_view bytes) {
  digest_ ^= static_cast<std::uint64_t>(timeline_.now().steady.ms);
  for (const char byte : bytes) digest_ = (digest_ ^ static_cast<unsigned char>(byte)) * 1099511628211U;
}

std::string Trace::name_of(const JobId& id) {
  const auto [at, is_new] = names_.try_emplace(id, names_.size() + 1);
  return "j" + std::to_string(at->second);
}

std::string Trace::describe(const wire::Message& message) {
  std::string out(wire::message_name(wire::type_of(message.body)));
  if (message.request != 0) out += " " + std::to_string(message.request) + ":";
  std::visit(Describer(*this, out), message.body);
  return out;
}

}  // namespace rota::sim
