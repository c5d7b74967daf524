#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/record.h"
#include "broker/server/held_bytes.h"
#include "broker/server/waiters.h"
#include "common/wire/message.h"

namespace rota::server {

// The ends of jobs that clients have to be told, gathered into one NOTIFY per client and request. A job's end is kept once,
// however many wait for it, and without a result that no notice will carry. A turn tells a bounded number: who else waits
// stays in Waiters and is told in later turns, the first ended job first. Those who alone wait for a job are a line of
// their own with half of each turn: they stand behind as many ends at most, and not behind all who wait for a few jobs. Not
// thread-safe.
class Notices {
 public:
  // Where the notices go.
  class Sink {
   public:
    virtual ~Sink() = default;
    // Bytes on their way to that client: unread, or held for a commit.
    [[nodiscard]] virtual std::size_t open_bytes(Route client) const = 0;
    // `at_once`: about memory jobs only. Returns the number of the batch whose commit holds it, 0 if none does. The frame
    // dies with the call.
    [[nodiscard]] virtual std::uint64_t send(Route client, std::string_view frame, bool at_once) = 0;
    // The last batch that was released.
    [[nodiscard]] virtual std::uint64_t released() const = 0;
  };

  // `waiters` must outlive it.
  explicit Notices(Waiters& waiters) : waiters_(waiters) {}

  // Ends every wait for that job; what has to be told of it is copied.
  void job_ended(const queue::OutcomeRecord& outcome, Durability durability);
  // The same for a job that is not known any more. `reason` must be a literal.
  void job_forgotten(const JobId& id, std::string_view reason, Durability durability);
  // One waiter that is in no list, told in this turn: the answer to its question.
  void add(const Waiters::Waiter& waiter, const queue::OutcomeRecord& outcome, Durability durability);
  void add_unknown(const Waiters::Waiter& waiter, const JobId& id, std::string_view reason, Durability durability);

  // The next flush() is of a new turn.
  void begin_turn();
  // Tells what the turn has left to tell, in frames cut at limits::kDispatchBytes and kMaxBatch. Results are left out for
  // clients that leave too much open.
  void flush(Sink& sink);

  // Nobody waits to be told.
  [[nodiscard]] bool empty() const { return lone_.ends.empty() && crowded_.ends.empty() && notices_.empty(); }
  // A further turn has somebody to tell, without waiting for a commit.
  [[nodiscard]] bool is_due(std::uint64_t released) const { return !empty() && may_tell(released); }
  // Bytes of reports that are kept for those who are not told yet.
  [[nodiscard]] std::size_t report_bytes() const { return lone_.report_bytes + crowded_.report_bytes; }

 private:
  struct End {
    JobId id;
    JobState state = JobState::succeeded;
    Code code = Code::ok;
    bool at_once = false;
    std::uint8_t losses = 0;
    std::uint32_t attempts = 0;
    Waiters::List waiters = Waiters::kNobody;
    std::uint64_t result_size = 0;  // whole
    std::string_view reason;
    std::string report;
  };
  struct Line {
    std::deque<End> ends;  // whose waiters are not all told
    std::size_t report_bytes = 0;
    std::size_t done = 0;  // of one flush: so many of the first have told all who waited
  };
  struct Notice {
    Waiters::Waiter waiter;
    std::uint32_t item = 0;  // in items_
    bool at_once = false;
  };
  [[nodiscard]] static End end_of(const queue::OutcomeRecord& outcome, Durability durability, bool with_result,
                                  std::size_t report_bytes);
  [[nodiscard]] static wire::NotifyItem item_of(const End& end);
  [[nodiscard]] bool may_tell(std::uint64_t released) const;
  // Gathers until the turn has told so many parts of two of what it may.
  void gather(Line& line, std::size_t halves, const Sink& sink);
  static void drop_done(Line& line);
  void add_for(const Waiters::Waiter& waiter, End end);
  void flush_range(std::size_t first, std::size_t last, Sink& sink);

  Waiters& waiters_;
  Line lone_, crowded_;               // one waits, many wait
  std::size_t told_ = 0, bytes_ = 0;  // in this turn
  HeldBytes held_;

  // Of one flush.
  std::deque<End> answers_;  // to single questions
  std::vector<wire::NotifyItem> items_;
  std::vector<Notice> notices_;
  std::string frame_;
  wire::Notify message_;
};

}  // namespace rota::server
