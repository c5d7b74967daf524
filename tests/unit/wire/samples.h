#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/wire/message.h"

// One message of each kind, with every field in use somewhere: what the golden files hold and the other tests start from.
namespace rota::wire::test {

struct Sample {
  std::string_view name;  // of the golden file
  std::string_view says;  // its comment line
  Message message;
};

[[nodiscard]] std::vector<Sample> samples();

// The pieces that are stored by themselves.
[[nodiscard]] Spec sample_spec();
[[nodiscard]] Report sample_report();

// A fixed UUIDv7 of queue `default`, told apart by its last byte.
[[nodiscard]] JobId sample_id(std::uint8_t last);

}  // namespace rota::wire::test
