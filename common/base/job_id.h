#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/prng.h"
#include "common/base/uuid.h"

namespace rota {

// A job's id is a UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then 12 bits `rand_a` that hold the slot of
// the job's queue, then 62 random bits. So an id says by itself when it was made and which shard holds the job.
using JobId = Uuid;

// 0 … 4095.
using Slot = std::uint16_t;

// CRC-16/XMODEM (poly 0x1021, init 0, no reflection) of the queue's name, low 12 bits. "default" gives 0x656.
[[nodiscard]] Slot slot_of_queue(std::string_view queue);

[[nodiscard]] JobId make_job_id(Wall made_at, Slot slot, Prng& random);

// Whether `id` has the version and variant bits of a UUIDv7.
[[nodiscard]] bool is_job_id(const Uuid& id);
[[nodiscard]] Slot slot_of(const JobId& id);
[[nodiscard]] Wall time_of(const JobId& id);

// A shortened id: the ending of an id's hex digits, without dashes. limits::kMinEnding to 32 of 0-9 a-f.
[[nodiscard]] bool is_id_ending(std::string_view digits);
// The digits of an ending as people write it: of either case, with dashes where the whole form has them or without.
[[nodiscard]] std::optional<std::string> parse_id_ending(std::string_view text);

}  // namespace rota
