#include "client/cli/job_json.h"

#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "common/base/names.h"
#include "common/base/units.h"
#include "common/base/uuid.h"

namespace rota::cli {

namespace {

using Json = nlohmann::ordered_json;

// Bytes that are no UTF-8 become U+FFFD instead of an exception.
std::string line_of(const Json& object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace); }

void add_text(Json& object, const char* name, std::string_view text) {
  if (!text.empty()) object[name] = text;
}

void add_time(Json& object, const char* name, Wall at) {
  if (at.ms != 0) object[name] = format_time(at);
}

void add_error(Json& object, std::string_view code, std::string_view message) {
  if (!code.empty() || !message.empty()) object["error"] = {{"code", code}, {"message", message}};
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8U | (j < count ? static_cast<std::uint8_t>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= count ? kDigits[group >> (18 - 6 * j) & 0x3FU] : '=';
    }
  }
  return text;
}

// Control characters are fine in JSON; only the encoding counts here.
bool is_utf8(std::string_view bytes) {
  std::string printable(bytes);
  for (char& c : printable) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return is_valid_text(printable, printable.size());
}

}  // namespace

std::string error_json(const Error& error) {
  Json body;
  body["code"] = code_name(error.code);
  body["message"] = error.message;
  body["retryable"] = is_retryable(error.code);
  return line_of(Json{{"error", body}});
}

std::string end_code(const client::Job& job) {
  if (!job.error_code.empty()) return job.error_code;
  std::string name(job_state_name(job.state));
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

std::string end_error_json(std::string_view code, std::string_view message) {
  Json body;
  body["code"] = code;
  body["message"] = message;
  body["retryable"] = false;
  return line_of(Json{{"error", body}});
}

std::string submit_json(const client::SubmitResult& result) {
  Json object;
  object["id"] = to_string(result.id);
  object["state"] = job_state_name(result.state);
  object["duplicate"] = result.code == Code::duplicate;
  object["durability"] = durability_name(result.durability);
  add_time(object, "created_at", result.created_at);
  add_time(object, "run_at", result.run_at);
  return line_of(object);
}

std::string job_json(const client::Job& job, bool with_result) {
  Json object;
  object["id"] = to_string(job.id);
  add_text(object, "name", job.name);
  object["queue"] = job.queue;
  object["type"] = job.type;
  object["state"] = job_state_name(job.state);
  object["cancel_requested"] = job.cancel_requested;
  object["priority"] = job.priority;
  object["attempt"] = job.attempts;
  object["losses"] = job.losses;
  object["retries"] = job.retries;
  add_text(object, "key", job.key);
  add_time(object, "created_at", job.created_at);
  add_time(object, "run_at", job.run_at);
  add_time(object, "started_at", job.started_at);
  add_time(object, "finished_at", job.finished_at);
  add_text(object, "worker", job.worker);
  if (job.progress) {
    object["progress"]["fraction"] = *job.progress;
    add_text(object["progress"], "message", job.progress_message);
  }
  if (job.exit_code) object["exit_code"] = *job.exit_code;
  if (job.signal) object["signal"] = *job.signal;
  add_error(object, job.error_code, job.error_message);
  if (is_final(job.state)) object["result_size"] = job.result_size;
  add_text(object, "stderr_tail", job.stderr_tail);
  object["durability"] = durability_name(job.durability);
  add_text(object, "waiting_for", job.waiting_for);
  if (with_result && is_utf8(job.result)) {
    object["result"] = job.result;
  } else if (with_result) {
    object["result_base64"] = base64(job.result);
  }
  return line_of(object);
}

std::string finished_json(const client::FinishedJob& job) {
  Json object;
  object["id"] = to_string(job.id);
  if (job.code != Code::ok) {
    object["error"] = {{"code", code_name(job.code)}, {"message", job.message}, {"retryable", is_retryable(job.code)}};
    return line_of(object);
  }
  object["state"] = job_state_name(job.state);
  object["attempt"] = job.attempts;
  object["losses"] = job.losses;
  add_text(object, "worker", job.worker);
  if (job.exit_code) object["exit_code"] = *job.exit_code;
  if (job.signal) object["signal"] = *job.signal;
  add_error(object, job.error_code, job.error_message);
  object["result_size"] = job.result_size;
  add_text(object, "stderr_tail", job.stderr_tail);
  return line_of(object);
}

std::string outcome_json(const client::ItemOutcome& outcome) {
  Json object;
  object["id"] = to_string(outcome.id);
  object["state"] = job_state_name(outcome.state);
  return line_of(object);
}

std::string row_json(const client::AdminRow& row) {
  Json object = Json::object();
  for (const auto& [name, value] : row) {
    std::visit([&object, &key = name](const auto& held) { object[key] = held; }, value);
  }
  return line_of(object);
}

std::string more_json(std::string_view cursor) { return line_of(Json{{"more", {{"from", std::string(cursor)}}}}); }

std::string object_json(std::string_view name, std::string_view value) {
  return line_of(Json{{std::string(name), std::string(value)}});
}

}  // namespace rota::cli
