#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/asked.h"
#include "broker/server/bulk_run.h"
#include "broker/server/counters.h"
#include "broker/server/engine_options.h"
#include "broker/server/listings.h"
#include "broker/server/notices.h"
#include "broker/server/outbox.h"
#include "broker/server/parking.h"
#include "broker/server/pipeline.h"
#include "broker/server/progress_notes.h"
#include "broker/server/sessions.h"
#include "broker/server/store_port.h"
#include "broker/server/translate.h"
#include "broker/server/waiters.h"
#include "broker/store/store.h"
#include "common/wire/codec.h"

namespace rota::server {

// The broker without sockets, threads and clocks: frames in; frames out through an Outbox, commits and reads through a
// StorePort. The program drives it from its loop, tests by hand, a simulator in simulated time.
//
// A turn: any number of on_frame(), on_committed(), on_read() and on_closed() calls, then one end_turn(). Nothing leaves
// before what it says is on disk: see Pipeline. One thread.
class Engine final : private DispatchGate {
 public:
  // `store` holds fsync jobs, `volatile_store` memory jobs. All references must outlive the engine.
  Engine(EngineOptions options, queue::Core& core, store::Store& store, store::Store& volatile_store, Outbox& outbox,
         StorePort& port);
  ~Engine() override;

  void on_frame(Side side, Route route, std::string_view frame, Now now);
  // A message that was not one body frame.
  void on_malformed(Side side, Route route, Now now);
  // The peer cannot be reached, or does not read what it is sent.
  void on_closed(Route route, Now now);
  // A frame to a worker certainly never left: the jobs of a DISPATCH go to somebody else.
  void on_undelivered(std::string_view frame, Now now);
  // The task's status must be ok: after a failed commit nothing can be trusted and the process must end.
  void on_committed(std::unique_ptr<CommitTask> task);
  void on_read(std::unique_ptr<ReadTask> task, Now now);
  void end_turn(Now now);

  // When end_turn() has something to do even if nothing comes in.
  [[nodiscard]] Steady next_deadline(Now now) const;

  void begin_shutdown();                  // from now on submits get SHUTTING_DOWN and nothing is dispatched
  [[nodiscard]] bool is_settled() const;  // everything decided is on disk, told and sent
  void say_goodbye();
  [[nodiscard]] const ServerCounters& counters() const { return counters_; }
  [[nodiscard]] ServerCounters& counters() { return counters_; }
  [[nodiscard]] const EngineOptions& options() const { return options_; }
  [[nodiscard]] const queue::Core& core() const { return core_; }
  [[nodiscard]] const Sessions& sessions() const { return sessions_; }
  [[nodiscard]] const Pipeline& pipeline() const { return pipeline_; }
  [[nodiscard]] const Parking& parking() const { return parking_; }
  [[nodiscard]] const Waiters& waiters() const { return waiters_; }
  [[nodiscard]] const Status& fault() const { return fault_; }  // a look into the store failed: the process must end

 private:
  // engine.cc
  void handle(Asked& asked);
  void handle_client(Asked& asked, const wire::Message& message);
  void handle_worker(Asked& asked, const wire::Message& message);
  void resume(Now now);
  void hand_over(Now now);
  void commit_volatile();
  void maintain_volatile(Now now);
  void refuse(const Asked& asked, Code code, std::string_view text, Millis retry_after = Millis{0});
  void send_now(Side side, Route route, std::string_view frame);
  void reply(Route route, Peer& peer, bool at_once);  // frame_, with the batch that gathers

  // client_requests.cc
  void on_client_hello(Asked& asked, const wire::Hello& hello);
  void on_submit(Asked& asked, const wire::Submit& submit);
  [[nodiscard]] std::optional<Error> refuses_submit(const wire::Submit& submit);
  void wait_for_finals(Asked& asked);
  void on_cancel(Asked& asked, const wire::Cancel& cancel);
  void on_retry(Asked& asked, const wire::Retry& retry);
  [[nodiscard]] std::vector<JobId> dropped(const wire::Retry& retry, Now now);
  // True: parked, because ids have to be looked up first. Otherwise found_ holds what is known of them.
  template <typename Items, typename IdOf>
  [[nodiscard]] bool parked_for(Asked& asked, const Items& items, IdOf id_of);

  // look_ups.cc
  // Parks it for what wants_ says. `decides`: it may change jobs.
  void park(Asked& asked, bool decides);
  void park_behind(Asked& asked, const wire::Message& message);  // what its peer has parked already
  // Add to wants_ what the store may know of a job: how it ended, its body.
  void want_final(const JobId& id, Now now);
  void want_body(const JobId& id, Now now);

  // job_reads.cc
  void on_wait(Asked& asked, const wire::Wait& wait);
  void on_get(Asked& asked, const wire::Get& get);
  [[nodiscard]] bool must_look_again(const Asked& asked, const wire::Get& get);
  void answer_get(Asked& asked, const wire::Get& get);
  // False: nothing is known of it. `texts` keeps what the views of `info` point into.
  [[nodiscard]] bool describe(const JobId& id, const Known* known, Now now, bool with_result,
                              std::deque<std::string>& texts, wire::JobInfo& info);
  // list_requests.cc
  void on_list(Asked& asked, const wire::List& list);
  void answer_lists(Now now);
  void answer_list(const Listings::Answer& answer, Now now);

  // worker_requests.cc
  void on_worker_hello(Asked& asked, const wire::Hello& hello);
  void on_complete(Asked& asked, const wire::Complete& complete);
  void on_renew(Asked& asked, const wire::Renew& renew);
  void on_released(Asked& asked, const wire::Released& released);
  [[nodiscard]] wire::Welcome make_welcome(Now now) const;

  // admin.cc
  void on_admin(Asked& asked, const wire::Admin& admin);
  void on_admin_command(Asked& asked, const wire::Admin& admin);
  using AdminRows = std::vector<std::vector<wire::AdminValue>>;
  // One page; where the next one begins, 0 if that was all. `texts`: what the rows' views point into.
  std::uint32_t queue_rows(queue::Page page, Now now, AdminRows& rows, std::deque<std::string>& texts) const;
  std::uint32_t worker_rows(queue::Page page, Now now, AdminRows& rows, std::deque<std::string>& texts) const;
  [[nodiscard]] std::vector<wire::AdminValue> stats_row(std::deque<std::string>& texts) const;

  // bulk.cc
  void start_bulk(Asked& asked, const wire::Admin& admin);
  [[nodiscard]] bool bulk_is_due() const;
  void bulk_slice(Now now);
  void on_bulk_read(const ReadTask& task, Now now);
  void ask_for_queue(BulkRun& run);
  void count_bulk(std::span<const queue::ItemReply> items);
  void end_bulk();

  // effects.cc
  void process();
  void stage(queue::Change& change);
  void tell(const queue::Message& message);
  void tell(const queue::ItemReplies& replies, bool at_once);
  void tell(const queue::PurgeReply& reply, bool at_once);
  void tell(const queue::SimpleReply& reply, bool at_once);
  void tell(const queue::WorkerWelcomed& answer, bool at_once);
  void tell(const queue::Dispatch& dispatch, bool at_once);
  void tell(const queue::CompleteReply& reply, bool at_once);
  void tell(const queue::ReclaimRequest& request, bool at_once);
  void tell(const queue::CancelRequest& request, bool at_once);
  void tell(const queue::DrainRequest& request, bool at_once);
  void tell(const queue::SessionEnded& ended, bool at_once);
  void tell_session(queue::SessionRef session, bool at_once);
  [[nodiscard]] bool leaves(const Departure& departure) override;
  [[nodiscard]] Peer* peer_of(queue::SessionRef session, Route& route);

  EngineOptions options_;
  queue::Core& core_;
  store::Store& store_;
  store::Store& volatile_store_;
  Outbox& outbox_;
  StorePort& port_;
  Pipeline pipeline_;
  std::unique_ptr<store::Batch> volatile_batch_;
  Parking parking_;
  Listings listings_;
  Sessions sessions_;
  Waiters waiters_;
  ProgressNotes progress_;
  Notices notices_{waiters_};
  wire::Decoder decoder_;
  Inbound inbound_;
  Outbound outbound_;
  queue::Effects effects_;
  ServerCounters counters_;
  Current current_;
  bool stopping_ = false;
  Status fault_;
  std::deque<BulkRun> bulk_;
  std::uint64_t forgotten_in_ = 0;  // the last batch in which finished jobs were forgotten on demand

  // Scratch, kept for its capacity.
  std::string frame_, report_;
  std::vector<JobId> asked_ids_, finals_;
  std::vector<queue::TokenOf> undelivered_;
  std::vector<queue::FinishedJob> found_;
  std::vector<Route> routes_;
  Parking::Wants wants_;
  PendingDispatch dispatch_;
  // Of this turn; asked of the store at its first submit.
  std::optional<store::Usage> usage_;
  std::size_t staged_then_ = 0;  // bytes uncommitted when usage_ was asked for
};

}  // namespace rota::server
