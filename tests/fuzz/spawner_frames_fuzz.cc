#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "worker/spawner/protocol.h"

namespace {

using namespace rota::spawner;

// What was decoded is encoded to a frame of its kind that holds the same bytes.
template <typename Message>
void check_same(const Message& message, const Frame& frame) {
  std::string encoded;
  encode(message, encoded);
  const auto again = first_frame(encoded);
  ROTA_CHECK(again && again->size == encoded.size() && again->kind == frame.kind && again->body == frame.body);
}

void check_frame(const Frame& frame) {
  switch (frame.kind) {
    case Kind::run:
      if (const auto run = decode_run(frame.body)) check_same(*run, frame);
      break;
    case Kind::signal:
      if (const auto signal = decode_signal(frame.body)) check_same(*signal, frame);
      break;
    case Kind::ended:
      if (const auto ended = decode_ended(frame.body)) check_same(*ended, frame);
      break;
  }
}

}  // namespace

// A stream between worker and spawner: each frame is taken off and decoded or refused; none reaches beyond the stream.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view stream(reinterpret_cast<const char*>(data), size);
  while (const auto frame = first_frame(stream)) {
    ROTA_CHECK(frame->size > 0 && frame->size <= stream.size() && frame->body.size() < frame->size);
    check_frame(*frame);
    stream.remove_prefix(frame->size);
  }
  return 0;
}
