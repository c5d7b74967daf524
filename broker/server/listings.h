#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/outbox.h"
#include "broker/server/parking.h"
#include "broker/server/pipeline.h"
#include "broker/server/store_port.h"
#include "broker/store/store.h"
#include "common/wire/message.h"

namespace rota::server {

// LISTs under way, one at a time. The order is by id, newest first, over three places: finished jobs in the store, what
// the core holds, finished memory jobs. The store is read first and the core looked over after: what had ended when the run
// was marked is on disk by then, and what ends later the core still holds, which it does for some seconds: a list that
// takes longer begins again. Then the store is asked for what the answer tells beside, names and outcomes, in the same way.
//
// Each step is bounded: a look into the store by limits::kListVisits, one over the core by a chunk of entries a turn.
class Listings {
 public:
  struct Filter {
    queue::SurveyFilter jobs;  // `most`: jobs wanted
    std::string ending;        // of the id, 32 hex digits; empty: any
    std::uint64_t mark = 0;    // of the request: see cursor.h
  };
  struct Answer {
    Route client = 0;
    wire::Request request = 0;
    Filter filter;
    std::vector<JobId> ids;  // newest first
    JobId reached;           // if more: every match at or above this id is among them
    bool more = false;
    bool is_unknown_queue = false;  // nothing was found, and no job of the queue is known at all
    std::shared_ptr<const Known> known;
  };

  Listings(queue::Core& core, store::Store& volatile_store, StorePort& port)
      : core_(core), volatile_store_(volatile_store), port_(port) {}

  // False: too many are under way. One that is under way already, sent again, is not begun again.
  [[nodiscard]] bool start(Route client, wire::Request request, Filter filter, const Pipeline& pipeline, Now now);
  // A bounded piece of work. Once a turn, until nothing is due.
  void step(const Pipeline& pipeline, Now now);
  [[nodiscard]] bool any_due(const Pipeline& pipeline) const;
  void on_read(std::unique_ptr<ReadTask> task);
  // The client is gone.
  void drop(Route client);
  // What is done, in the order it was asked for.
  [[nodiscard]] std::optional<Answer> take_done();

 private:
  enum class Stage : std::uint8_t { begin, reading, core, queue, reading_queue, details, reading_details, told };
  struct Run {
    Answer answer;
    Stage stage = Stage::begin;
    std::uint64_t behind_batch = 0;  // goes on when this batch is on disk
    std::vector<JobId> finished;     // as the store gave them
    store::ListPage page;            // how far it looked
    std::size_t visited = 0;         // records it looked at
    std::optional<queue::Survey> survey;
    Steady marked;  // when that batch was the newest
    int restarts = 0;
    bool dropped = false;
  };

  [[nodiscard]] static bool may_go_on(const Run& run, const Pipeline& pipeline);
  static void mark(Run& run, const Pipeline& pipeline, Now now);
  // The core may have dropped what ended since it was marked; at most kMostListRestarts times.
  [[nodiscard]] static bool is_old(const Run& run, Now now);
  void ask_store(Run& run);
  void survey_core(Run& run, const Pipeline& pipeline, Now now);
  void ask_for_queue(Run& run);
  void list_memory(Run& run, std::vector<JobId>& into, store::ListPage& page);
  void merge(Run& run, std::vector<JobId> live);
  void ask_details(Run& run, Now now);
  void tell(Run& run, const Pipeline& pipeline, Now now);
  void done();

  queue::Core& core_;
  store::Store& volatile_store_;
  StorePort& port_;
  std::deque<Run> runs_;
  std::deque<Answer> done_;
};

}  // namespace rota::server
