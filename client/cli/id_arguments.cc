#include "client/cli/id_arguments.h"

#include <iostream>
#include <unordered_map>

#include "common/base/limits.h"

namespace rota::cli {

namespace {

constexpr std::size_t kNamedCandidates = 4;  // of an ending that fits several jobs: enough to see which was meant

constexpr std::size_t kIdDigits = 32;

std::string with_dashes(std::string digits) {
  for (const std::size_t at : {20U, 16U, 12U, 8U}) digits.insert(at, 1, '-');
  return digits;
}

Result<GivenId> parse_id(const std::string& word) {
  GivenId given;
  given.word = word;
  std::optional<std::string> digits = parse_id_ending(word);
  if (!digits) {
    return Error{
        Code::bad_message,
        "'" + word +
            "' is not an id; give one like 0193b2f0-6cf8-7656-8a2b-0123456789ab, or its ending of 8 or more digits"};
  }
  if (digits->size() < kIdDigits) {
    given.ending = *std::move(digits);
    return given;
  }
  const auto whole = parse_uuid(with_dashes(*std::move(digits)));
  if (!whole || !is_job_id(*whole)) {
    return Error{Code::bad_message,
                 "'" + word + "' is not a job's id: those are UUIDv7; give one that 'rota submit' or 'rota list' printed"};
  }
  given.id = *whole;
  return given;
}

std::string without_blanks(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

Result<JobId> resolve(client::Client& client, const GivenId& given) {
  const Result<std::vector<client::Job>> found = client.find_by_ending(given.ending, kNamedCandidates + 1);
  if (!found) return found.error();
  if (found->size() == 1) return found->front().id;
  if (found->empty()) {
    return Error{Code::not_found, "no id of the newest " + std::to_string(limits::kShortIdSearch) + " jobs ends in '" +
                                      given.word + "'; give the whole id"};
  }
  std::string text = "'" + given.word + "' is the ending of several ids; give more of it: ";
  for (std::size_t i = 0; i < found->size() && i < kNamedCandidates; ++i) {
    const client::Job& job = (*found)[i];
    if (i > 0) text += ", ";
    text += to_string(job.id) + " (" + job.type + " on " + job.queue + ", " + std::string(job_state_name(job.state)) + ")";
  }
  if (found->size() > kNamedCandidates) text += " and more";
  return Error{Code::conflict, std::move(text)};
}

}  // namespace

Result<std::vector<GivenId>> parse_ids(const std::vector<std::string>& words) {
  std::vector<GivenId> ids;
  for (const std::string& word : words) {
    if (word != "-") {
      Result<GivenId> id = parse_id(word);
      if (!id) return id.error();
      ids.push_back(std::move(id).value());
      continue;
    }
    std::string line;
    while (std::getline(std::cin, line)) {
      line = without_blanks(line);
      if (line.empty()) continue;
      Result<GivenId> id = parse_id(line);
      if (!id) return id.error();
      ids.push_back(std::move(id).value());
    }
  }
  if (ids.empty())
    return Error{Code::bad_message, "no ids were given; give them as arguments, or one a line on stdin for -"};
  return ids;
}

Result<std::vector<JobId>> resolve_ids(client::Client& client, const std::vector<GivenId>& given) {
  std::vector<JobId> ids;
  ids.reserve(given.size());
  std::unordered_map<std::string, JobId> resolved;  // an ending that is given twice is asked for once
  for (const GivenId& one : given) {
    if (!one.id.is_nil()) {
      ids.push_back(one.id);
      continue;
    }
    const auto known = resolved.find(one.ending);
    if (known != resolved.end()) {
      ids.push_back(known->second);
      continue;
    }
    const Result<JobId> id = resolve(client, one);
    if (!id) return id.error();
    resolved.emplace(one.ending, *id);
    ids.push_back(*id);
  }
  return ids;
}

}  // namespace rota::cli
