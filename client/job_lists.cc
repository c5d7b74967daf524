#include <algorithm>
#include <utility>

#include "client/client.h"
#include "client/client_state.h"

// The requests of Client that go over many jobs: lists, shortened ids, purge and retry of a queue.
namespace rota::client {

namespace {

std::string names_of(std::uint32_t states) {
  std::string names;
  for (std::uint8_t number = 0; number < kJobStateCount; ++number) {
    const auto state = static_cast<JobState>(number);
    if ((states & state_bit(state)) == 0) continue;
    if (!names.empty()) names += ',';
    names += job_state_name(state);
  }
  return names;
}

std::uint64_t count_in(const AdminRow& row, std::string_view name) {
  return static_cast<std::uint64_t>(std::max(0.0, number_in(row, name)));
}

// Asks for slice after slice, each where the last one ended.
class SlicedCommand {
 public:
  SlicedCommand(Client& client, std::string_view verb, std::string_view counted)
      : client_(client), verb_(verb), counted_(counted) {}

  Result<BulkProgress> run(std::string_view queue, std::uint32_t states, const Client::BulkSink& on_slice) {
    BulkProgress so_far;
    std::string through, cursor;
    while (!so_far.complete) {
      std::vector<StringPair> arguments{{"queue", std::string(queue)}};
      if (states != 0) arguments.emplace_back("state", names_of(states));
      if (!through.empty()) {
        arguments.emplace_back("through", through);
        arguments.emplace_back("cursor", cursor);
      }
      const Result<std::vector<AdminRow>> rows = client_.admin(verb_, arguments);
      if (!rows) return rows.error();
      if (rows->size() != 1) return wrong_answer();
      const AdminRow& row = rows->front();
      const std::uint64_t done = count_in(row, counted_);
      so_far.done += done;
      so_far.refused += count_in(row, "refused");
      so_far.complete = number_in(row, "more") == 0;
      std::string next_through = integer_text(row, "through");
      std::string next_cursor(text_in(row, "cursor"));
      // A broker that stays where it is would be asked for ever.
      if (!so_far.complete && done == 0 && next_through == through && next_cursor == cursor) {
        return Error{Code::internal,
                     "the broker makes no progress with " + std::string(verb_) + " of queue " + std::string(queue)};
      }
      through = std::move(next_through);
      cursor = std::move(next_cursor);
      if (on_slice && !on_slice(so_far)) break;
    }
    return so_far;
  }

 private:
  // The number as it came: a double would lose digits.
  static std::string integer_text(const AdminRow& row, std::string_view name) {
    for (const auto& [key, value] : row) {
      if (key != name) continue;
      if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
    }
    return {};
  }

  Client& client_;
  std::string_view verb_, counted_;
};

Result<JobPage> ask(Client::State& state, const wire::List& list) {
  wire::Message message;
  message.body = list;
  JobPage page;
  bool understood = false;
  const Status asked = state.call(message, [&](const wire::Message& answer) {
    const auto* listed = std::get_if<wire::Listed>(&answer.body);
    if (listed == nullptr) return;
    understood = true;
    page.jobs.reserve(listed->jobs.size());
    for (const wire::JobInfo& info : listed->jobs) page.jobs.push_back(job_of(info));
    page.cursor = listed->cursor;
  });
  if (!asked) return asked.error();
  if (!understood) return wrong_answer();
  return page;
}

}  // namespace

Result<JobPage> Client::list_page(const JobFilter& filter, std::uint32_t limit, std::string_view cursor) {
  wire::List list;
  list.queue = filter.queue;
  list.type = filter.type;
  list.states = filter.states;
  list.since = filter.since;
  list.limit = std::clamp<std::uint32_t>(limit, 1, limits::kMaxListJobs);
  list.cursor = cursor;
  Result<JobPage> page = ask(*state_, list);
  if (page && !cursor.empty() && page->cursor == cursor) {
    return Error{Code::internal, "the broker makes no progress with a list"};
  }
  return page;
}

Result<JobPage> Client::list(const JobFilter& filter, std::size_t limit, std::string_view cursor) {
  limit = std::max<std::size_t>(limit, 1);
  JobPage all;
  all.cursor = cursor;
  do {
    const std::size_t wanted = std::min<std::size_t>(limit - all.jobs.size(), limits::kMaxListJobs);
    Result<JobPage> page = list_page(filter, static_cast<std::uint32_t>(wanted), all.cursor);
    if (!page) return page.error();
    all.jobs.insert(all.jobs.end(), std::make_move_iterator(page->jobs.begin()), std::make_move_iterator(page->jobs.end()));
    all.cursor = std::move(page->cursor);
  } while (all.jobs.size() < limit && !all.cursor.empty());
  return all;
}

Result<std::vector<Job>> Client::find_by_ending(std::string_view ending, std::uint32_t limit) {
  if (!is_id_ending(ending)) {
    std::string text(ending);
    text += " is not the ending of an id; give 8 to 32 of 0-9 a-f";
    return Error{Code::bad_message, std::move(text)};
  }
  wire::List list;
  list.ending = ending;
  list.limit = std::clamp<std::uint32_t>(limit, 1, limits::kMaxListJobs);
  Result<JobPage> page = ask(*state_, list);
  if (!page) return page.error();
  if (page->jobs.size() > list.limit) page->jobs.resize(list.limit);
  return std::move(page->jobs);
}

Result<BulkProgress> Client::purge(std::string_view queue, std::uint32_t states, const BulkSink& on_slice) {
  return SlicedCommand(*this, "purge", "forgotten").run(queue, states, on_slice);
}

Result<BulkProgress> Client::retry_queue(std::string_view queue, std::uint32_t states, const BulkSink& on_slice) {
  return SlicedCommand(*this, "retry", "retried").run(queue, states, on_slice);
}

}  // namespace rota::client
