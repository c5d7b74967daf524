#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "common/wire/codec.h"

// Stored specs: decoded or refused; what is decoded is stored and read back the same. Item bodies along with them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto spec = rota::wire::decode_spec(bytes); spec.ok()) {
    std::string stored;
    rota::wire::encode_spec(*spec, stored);
    const auto again = rota::wire::decode_spec(stored);
    ROTA_CHECK(again.ok() && *again == *spec);
  }
  if (const auto body = rota::wire::decode_item_body(bytes); body.ok()) {
    std::string stored;
    rota::wire::encode_item_body(body->selector, body->payload, stored);
    const auto again = rota::wire::decode_item_body(stored);
    ROTA_CHECK(again.ok() && again->selector == body->selector && again->payload == body->payload);
  }
  return 0;
}
