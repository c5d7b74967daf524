#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/connection.h"
#include "client/job.h"

namespace rota::client {

using IdSet = absl::flat_hash_set<JobId, std::hash<Uuid>>;
using FinalSink = std::function<void(const FinishedJob&)>;

// The jobs whose end is awaited. Each is reported once, however often and by whatever way the broker tells it.
class WatchList {
 public:
  explicit WatchList(Connection& connection) : connection_(connection) {}

  // The broker will tell by itself, with the result: these go out in a SUBMIT with `notify`. After a new session they are
  // asked for like the others. `sink` must outlive the watch.
  void expect(std::span<const JobId> ids, const FinalSink* sink);
  // Asks for them with WAIT, now and after every new session. An id that is watched already gets this sink instead.
  void ask(std::span<const JobId> ids, bool with_result, const FinalSink* sink);
  // The job goes on after an end (a retry): what earlier questions are told of it is over.
  void restarted(const JobId& id);
  void forget(const JobId& id);
  // Forgets all that would go to this sink.
  void forget_all(const FinalSink* sink);
  [[nodiscard]] const FinalSink* sink_of(const JobId& id) const;

  void on_notify(wire::Request request, const wire::Notify& notify);
  // Whether the message refuses one of these WAITs. Refused for now: asked again by tick(); for good: its jobs are reported
  // with that code.
  bool on_error(wire::Request request, const wire::ErrorReply& error);
  // Repeats what was refused for now.
  void tick(Steady now);
  [[nodiscard]] Steady next_event() const { return refused_.empty() ? kNeverSteady : repeat_at_; }
  // A new session: asks for all again but those in `submitting`, which the repeated SUBMITs announce.
  void resume(const IdSet& submitting);
  [[nodiscard]] std::size_t size() const { return watched_.size(); }

 private:
  // An end that was told to an older question than the newest: without the result perhaps that the newest asks for, or of
  // the time before a retry.
  struct OlderEnd {
    FinishedJob job;
    std::deque<std::string> texts;  // what its views point into
  };
  struct Watched {
    const FinalSink* sink = nullptr;
    bool with_result = false;
    std::unique_ptr<OlderEnd> older;
  };
  // The newest WAIT for a job.
  struct Waiting {
    wire::Request request = 0;
    bool with_result = false;
  };
  // A WAIT that the broker has not answered whole.
  struct Asked {
    std::vector<JobId> ids;
    std::size_t left = 0;
    bool with_result = false;
  };
  void send_waits(std::span<const JobId> ids, bool with_result);
  void drop_unwanted(std::vector<JobId>& ids);
  void end(const JobId& id, const FinishedJob& job);
  void set_aside(const wire::NotifyItem& item);
  void refresh() { connection_.expect_notices(!watched_.empty()); }

  Connection& connection_;
  absl::flat_hash_map<JobId, Watched, std::hash<Uuid>> watched_;
  absl::flat_hash_map<wire::Request, Asked> asked_;
  // What the broker was asked in this session and has not told. Its answer to the newest question counts. Also of jobs no
  // longer watched, so that whoever waits for the same job again and again asks once.
  absl::flat_hash_map<JobId, Waiting, std::hash<Uuid>> waiting_;
  std::vector<wire::Request> refused_;
  Steady repeat_at_{0};
  std::uint32_t refusals_ = 0;  // in a row
};

}  // namespace rota::client
