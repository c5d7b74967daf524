#pragma once

#include <string>
#include <utility>

#include "common/base/result.h"

namespace rota::cli {

// A refusal as people need it: NOT_FOUND says which queue is not known, and where the known ones stand.
[[nodiscard]] inline Error about_queue(Error error, const std::string& queue) {
  if (error.code != Code::not_found || queue.empty()) return error;
  std::string text = "no queue " + queue;
  text += ": the broker knows no job of it; 'rota queues' shows those that it knows";
  return Error{error.code, std::move(text)};
}

}  // namespace rota::cli
