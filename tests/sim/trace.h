#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/job_id.h"
#include "common/wire/message.h"
#include "tests/sim/timeline.h"

namespace rota::sim {

// What happens in a run: printed line by line on request, and always mixed into one number, by which two runs of a seed are
// known to be the same.
class Trace {
 public:
  Trace(const Timeline& timeline, bool prints) : timeline_(timeline), prints_(prints) {}

  [[nodiscard]] bool prints() const { return prints_; }
  void note(std::string_view text);
  void mix(std::string_view bytes);
  [[nodiscard]] std::uint64_t digest() const { return digest_; }

  // "j17": jobs are called by the order in which they appear.
  [[nodiscard]] std::string name_of(const JobId& id);
  // "DISPATCH j17 2.41 try 1", as a line of the trace has it.
  [[nodiscard]] std::string describe(const wire::Message& message);

 private:
  const Timeline& timeline_;
  bool prints_;
  std::uint64_t digest_ = 14695981039346656037U;
  std::map<JobId, std::size_t> names_;
};

[[nodiscard]] std::string text_of(Token token);

}  // namespace rota::sim
