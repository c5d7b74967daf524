#include "tests/crash/damage/store_contents.h"

#include <charconv>
#include <sstream>
#include <vector>

namespace rota::store::test {
namespace {

constexpr int kSlices = 300;  // of maintenance

std::string text_of(const queue::JobRecord& job) {
  std::ostringstream out;
  const queue::SharedRecord& shared = *job.shared;
  out << to_string(job.id) << ' ' << job.content_hash << ' ' << job.created_at.ms << ' ' << job.run_at.ms << ' '
      << job.expires_at.ms << ' ' << int{job.priority} << ' ' << job.key << ' ' << shared.queue << ' ' << shared.type << ' '
      << shared.policy.retries << ' ' << shared.policy.keep.count() << ' ' << shared.spec;
  return out.str();
}

class Sink final : public LoadSink {
 public:
  explicit Sink(Contents& into) : into_(into) {}
  void live_job(const queue::LiveJob& live) override {
    std::ostringstream out;
    out << text_of(live.job) << ' ' << live.body_size;
    if (live.state != nullptr) {
      out << " state " << live.state->attempts << ' ' << live.state->failures << ' ' << live.state->cancel_requested << ' '
          << live.state->run_at.ms << ' ' << live.state->report;
    }
    if (live.lease != nullptr) out << " lease " << live.lease->token.epoch << ' ' << live.lease->token.dispatch;
    into_["live " + std::to_string(live.job.sequence)] = out.str();
  }
  void paused_queue(std::string_view queue) override { into_["paused " + std::string(queue)] = "yes"; }

 private:
  Contents& into_;
};

std::string finished_text(const queue::FinishedJob& job, bool with_body) {
  std::ostringstream out;
  out << text_of(job.job) << ' ' << job.body_size << ' ' << static_cast<int>(job.outcome.state) << ' '
      << job.outcome.attempts << ' ' << job.outcome.failures << ' ' << job.outcome.finished_at.ms << ' '
      << job.outcome.forget_at.ms << ' ' << job.outcome.report;
  if (with_body) out << ' ' << job.job.body;
  return out.str();
}

void read_payloads(Store& store, const Contents& known, Contents& into) {
  for (const auto& [name, text] : known) {
    queue::Sequence sequence = 0;
    if (!name.starts_with("live ")) continue;
    std::from_chars(name.data() + 5, name.data() + name.size(), sequence);
    std::string& payload = into["payload " + std::to_string(sequence)];
    const Status status = store.bodies(std::span(&sequence, 1), [&](std::size_t, const Batch::Body& body) {
      payload = std::string(body.type).append(" ").append(body.spec).append(" ").append(body.body);
    });
    if (!status) payload = kUnreadable;
  }
}

void read_finished(Store& store, const Contents& known, Contents& into) {
  for (const auto& [name, text] : known) {
    if (!name.starts_with("finished ")) continue;
    const auto id = parse_uuid(std::string_view(name).substr(9));
    if (!id) continue;
    const Status status = store.find(std::span(&*id, 1), {true}, [&](std::size_t, const queue::FinishedJob& job) {
      into[name] = finished_text(job, true);
    });
    if (!status) into[name] = kUnreadable;
  }
}

void list_finished(Store& store, Contents& into) {
  ListQuery query;
  for (;;) {
    const auto page = store.list(
        query, [&](const queue::FinishedJob& job) { into["listed " + to_string(job.job.id)] = finished_text(job, false); });
    if (!page) {
      into["listed"] = kUnreadable;
      return;
    }
    if (!page->more) return;
    query.below = page->reached;
  }
}

void let_time_pass(Store& store) {
  Wall now{1'900'000'000'000};
  for (int i = 0; i < kSlices; ++i) {
    const auto info = store.maintain(now);
    if (!info) return;
    now = now + limits::kDropGraceStep;
  }
}

}  // namespace

Result<Contents> read_contents(const std::string& directory, const Contents& known) {
  StoreOptions options;
  options.store_limit = 16 * limits::MiB;
  auto store = open_lmdb(directory, options);
  if (!store) return store.error();
  Contents contents;
  Sink sink(contents);
  const auto opened = (*store)->load(sink);
  if (!opened) return opened.error();
  contents["broker"] = to_string(opened->broker_id);
  contents["numbers"] = std::to_string(opened->epoch) + " " + std::to_string(opened->next_sequence) + " " +
                        std::to_string(opened->next_dispatch);
  read_payloads(**store, known.empty() ? Contents(contents) : known, contents);
  // Of a store that nobody knows yet, the list tells what there is.
  list_finished(**store, contents);
  Contents names = known;
  if (known.empty()) {
    for (const auto& [name, text] : contents) {
      if (name.starts_with("listed ")) names["finished " + name.substr(7)];
    }
  }
  read_finished(**store, names, contents);
  let_time_pass(**store);
  return contents;
}

}  // namespace rota::store::test
