#include "common/wire/writer.h"

#include <bit>
#include <msgpack.hpp>

#include "common/base/names.h"

namespace rota::wire {
namespace {

// What msgpack::packer writes to.
struct StringStream {
  std::string& out;
  void write(const char* data, std::size_t size) { out.append(data, size); }
};

template <typename Pack>
void pack(std::string& out, Pack&& how) {
  StringStream stream{out};
  msgpack::packer<StringStream> packer(stream);
  how(packer);
}

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  if (static_cast<unsigned char>(text.front()) < 0x80) return 1;
  for (std::size_t length = 2; length <= 4 && length <= text.size(); ++length) {
    if (is_valid_text(text.substr(0, length), length)) return length;
  }
  return 0;
}

std::string with_valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      valid += '?';
      text.remove_prefix(1);
    } else {
      valid.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return valid;
}

}  // namespace

void Writer::envelope(MessageType type, Request request, std::uint32_t fields) {
  array(std::size_t{2} + fields);
  number(static_cast<std::uint64_t>(type));
  number(request);
}

void Writer::nil() { out_.push_back('\xC0'); }

void Writer::boolean(bool value) { out_.push_back(value ? '\xC3' : '\xC2'); }

void Writer::number(std::uint64_t value) {
  pack(out_, [&](auto& packer) { packer.pack_uint64(value); });
}

void Writer::integer(std::int64_t value) {
  pack(out_, [&](auto& packer) { packer.pack_int64(value); });
}

void Writer::real(double value) {
  // By hand: msgpack-c's pack_double writes whole numbers as integers, and overflows at 2^64.
  const auto bits = std::bit_cast<std::uint64_t>(value);
  out_.push_back('\xCB');
  for (unsigned shift = 64; shift > 0; shift -= 8) out_.push_back(static_cast<char>(bits >> (shift - 8)));
}

void Writer::array(std::size_t count) {
  pack(out_, [&](auto& packer) { packer.pack_array(static_cast<std::uint32_t>(count)); });
}

void Writer::map(std::size_t pairs) {
  pack(out_, [&](auto& packer) { packer.pack_map(static_cast<std::uint32_t>(pairs)); });
}

void Writer::str(std::string_view value) {
  pack(out_, [&](auto& packer) { packer.pack_str(static_cast<std::uint32_t>(value.size())); });
  out_.append(value);
}

void Writer::text(std::string_view value) {
  if (is_valid_text(value, value.size())) {
    str(value);
  } else {
    str(with_valid_utf8(value));
  }
}

void Writer::bytes(std::string_view value) {
  pack(out_, [&](auto& packer) { packer.pack_bin(static_cast<std::uint32_t>(value.size())); });
  out_.append(value);
}

void Writer::uuid(const Uuid& value) { bytes({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()}); }

}  // namespace rota::wire
