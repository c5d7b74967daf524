#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/check.h"
#include "common/wire/codec.h"

// Stored reports: decoded or refused; what is decoded is stored and read back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto report = rota::wire::decode_report({reinterpret_cast<const char*>(data), size});
  if (!report.ok()) return 0;
  std::string stored;
  rota::wire::encode_report(*report, stored);
  const auto again = rota::wire::decode_report(stored);
  ROTA_CHECK(again.ok());
  std::string same;
  rota::wire::encode_report(*again, same);
  ROTA_CHECK(same == stored);
  return 0;
}
