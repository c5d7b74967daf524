#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/prng.h"
#include "common/wire/message.h"

// Messages with random values that keep every rule of the protocol. The strings of a message live as long as its maker.
namespace rota::wire::test {

class RandomMessage {
 public:
  explicit RandomMessage(std::uint64_t seed) : random_(seed) {}

  // One of the kind at `index` in Body.
  [[nodiscard]] Message of_kind(std::size_t index);

  [[nodiscard]] Spec spec();
  [[nodiscard]] Report report(bool with_worker);
  [[nodiscard]] Selector selector();
  [[nodiscard]] std::string_view blob(std::size_t most);

 private:
  [[nodiscard]] bool coin() { return random_.below(2) == 0; }
  [[nodiscard]] std::uint64_t number();  // of every magnitude
  [[nodiscard]] std::uint32_t number32() { return static_cast<std::uint32_t>(number()); }
  [[nodiscard]] Millis duration();
  [[nodiscard]] Wall wall();
  [[nodiscard]] std::string_view keep(std::string text);
  [[nodiscard]] std::string_view text(std::size_t most);  // UTF-8 without control characters
  [[nodiscard]] std::string_view name();                  // of a queue or type
  [[nodiscard]] std::vector<Pair> pairs();
  [[nodiscard]] Uuid uuid();
  [[nodiscard]] JobId id(std::string_view queue);
  [[nodiscard]] TokenOf token();
  [[nodiscard]] Code code() { return static_cast<Code>(random_.below(kCodeCount)); }
  [[nodiscard]] JobState state() { return static_cast<JobState>(random_.below(kJobStateCount)); }
  [[nodiscard]] Durability durability() { return coin() ? Durability::fsync : Durability::memory; }
  [[nodiscard]] JobOptions options();
  [[nodiscard]] ItemResult result();
  [[nodiscard]] Hello hello();
  [[nodiscard]] Welcome welcome();
  [[nodiscard]] Submit submit();
  [[nodiscard]] NotifyItem notify_item();
  [[nodiscard]] JobInfo job_info();
  [[nodiscard]] List list_filters();
  [[nodiscard]] AdminReply admin_reply();
  [[nodiscard]] Dispatch dispatch();
  [[nodiscard]] Complete complete();
  [[nodiscard]] Renew renew();
  template <typename Make>
  [[nodiscard]] auto list(std::size_t most, Make&& make) {
    std::vector<decltype(make())> out(random_.below(most + 1));
    for (auto& value : out) value = make();
    return out;
  }
  void fill(Body& body);

  Prng random_;
  std::deque<std::string> strings_;
};

}  // namespace rota::wire::test
