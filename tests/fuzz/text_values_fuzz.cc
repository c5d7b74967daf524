#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "client/cli/option_takers.h"
#include "common/base/check.h"
#include "common/base/job_id.h"
#include "common/base/job_state.h"
#include "common/base/limits.h"
#include "common/base/names.h"
#include "common/base/units.h"
#include "common/base/uuid.h"
#include "common/net/endpoint.h"
#include "worker/program/words.h"

namespace {

void check_units(std::string_view text) {
  if (const auto duration = rota::parse_duration(text)) {
    ROTA_CHECK(duration->count() >= 0 && *duration <= rota::limits::kMaxDuration);
    ROTA_CHECK(rota::parse_duration(rota::format_duration(*duration)) == duration);
  }
  if (const auto size = rota::parse_size(text)) ROTA_CHECK(!rota::format_size(*size).empty());
  if (const auto time = rota::parse_time(text)) {
    // An offset can lead out of the years that have four digits.
    const auto again = rota::parse_time(rota::format_time(*time));
    ROTA_CHECK(!again || again->ms == time->ms);
  }
}

void check_ids(std::string_view text) {
  if (const auto uuid = rota::parse_uuid(text)) {
    ROTA_CHECK(rota::parse_uuid(to_string(*uuid)) == uuid);
    if (rota::is_job_id(*uuid)) ROTA_CHECK(rota::slot_of(*uuid) < 4096 && rota::time_of(*uuid).ms >= 0);
  }
  if (const auto ending = rota::parse_id_ending(text)) {
    ROTA_CHECK(rota::is_id_ending(*ending));
    ROTA_CHECK(rota::parse_id_ending(*ending) == ending);
  }
}

void check_names(std::string_view text) {
  if (rota::is_valid_queue_name(text)) {
    ROTA_CHECK(rota::is_valid_type_name(text) && rota::is_valid_worker_name(text));
    ROTA_CHECK(rota::slot_of_queue(text) < 4096);
  }
  if (rota::is_valid_worker_name(text)) ROTA_CHECK(rota::is_valid_text(text, rota::limits::kMaxWorkerName));
  if (const auto states = rota::parse_job_states(text)) ROTA_CHECK(*states != 0);
  if (const auto state = rota::parse_job_state(text)) ROTA_CHECK(rota::job_state_name(*state) == text);
  if (const auto durability = rota::parse_durability(text)) ROTA_CHECK(rota::durability_name(*durability) == text);
}

void check_endpoints(std::string_view text) {
  if (const auto parts = rota::net::parse_tcp_endpoint(text)) {
    ROTA_CHECK(!parts->host.empty());
    const auto again = rota::net::parse_tcp_endpoint("tcp://" + parts->host + ":" + std::to_string(parts->port));
    ROTA_CHECK(again && again->host == parts->host && again->port == parts->port);
  }
  const std::string advertised = rota::net::resolve_advertised(text, "tcp://broker:5555");
  ROTA_CHECK(advertised == text || rota::net::parse_tcp_endpoint(advertised));
}

void check_command_lines(std::string_view text) {
  const auto words = rota::worker::split_words(text);
  ROTA_CHECK(words ? !words->empty() : !words.error().message.empty());
  if (const auto range = rota::cli::parse_index_range(text)) {
    ROTA_CHECK(range->first >= 0 && range->first <= range->last && range->step >= 1 && range->count() >= 1);
  }
  std::string cursor;
  if (rota::cli::list_cursor(cursor)(text)) {
    std::string again;
    ROTA_CHECK(rota::cli::list_cursor(again)(rota::cli::hex_text(cursor)) && again == cursor);
  }
}

}  // namespace

// One value as people and files write it, read as every kind of value: taken or refused; what is taken is within its bounds
// and is written in a form that reads the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_units(text);
  check_ids(text);
  check_names(text);
  check_endpoints(text);
  check_command_lines(text);
  return 0;
}
