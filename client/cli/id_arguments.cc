#include "client/cli/id_arguments.h"

#include <algorithm>
#include <cctype>
#include <iostream>

namespace rota::cli {

namespace {

Result<JobId> parse_id(const std::string& word) {
  if (const auto id = parse_uuid(word)) {
    if (is_job_id(*id)) return *id;
    return Error{Code::bad_message, "'" + word + "' is not a job's id: those are UUIDv7"};
  }
  const bool could_be_short = word.size() >= 8 && word.size() < 36 && std::all_of(word.begin(), word.end(), [](char c) {
                                return c == '-' || std::isxdigit(static_cast<unsigned char>(c)) != 0;
                              });
  if (could_be_short) {
    return Error{
        Code::bad_message,
        "'" + word + "' is not a whole id, and this broker does not look up shortened ones; give all 36 characters"};
  }
  return Error{Code::bad_message, "'" + word + "' is not an id: give one like 0193b2f0-6cf8-7656-8a2b-0123456789ab"};
}

}  // namespace

Result<std::vector<JobId>> parse_ids(const std::vector<std::string>& words) {
  std::vector<JobId> ids;
  for (const std::string& word : words) {
    if (word != "-") {
      const Result<JobId> id = parse_id(word);
      if (!id) return id.error();
      ids.push_back(*id);
      continue;
    }
    std::string line;
    while (std::getline(std::cin, line)) {
      if (line.empty()) continue;
      const Result<JobId> id = parse_id(line);
      if (!id) return id.error();
      ids.push_back(*id);
    }
  }
  if (ids.empty()) return Error{Code::bad_message, "no ids were given"};
  return ids;
}

}  // namespace rota::cli
