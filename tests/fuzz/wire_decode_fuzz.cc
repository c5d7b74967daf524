#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "common/wire/codec.h"

// Any frame is decoded or refused with a sentence; what is decoded encodes to a frame that decodes to the same message.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rota::wire::Decoder decoder;
  const auto message = decoder.decode({reinterpret_cast<const char*>(data), size});
  if (!message.ok()) {
    ROTA_CHECK(!message.error().message.empty());
    return 0;
  }
  std::string frame;
  rota::wire::encode(*message, frame);
  rota::wire::Decoder second;
  const auto again = second.decode(frame);
  ROTA_CHECK(again.ok());
  std::string same;
  rota::wire::encode(*again, same);
  ROTA_CHECK(same == frame);
  return 0;
}
