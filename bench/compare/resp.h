#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/compare/stream.h"

namespace rota::compare {

// Redis' protocol, version 2: https://redis.io/docs/reference/protocol-spec/
class Resp {
 public:
  // One value of a reply. An array is followed by its elements, nested ones in place.
  struct Token {
    enum class Kind : std::uint8_t { text, integer, nil, array };
    Kind kind = Kind::nil;
    std::string_view text;
    std::int64_t number = 0;  // of an integer; elements of an array
  };

  explicit Resp(Stream& stream) : stream_(stream) {}

  // Appends the head of a command of so many words, then each word; leaves with the stream's flush().
  void command(std::size_t words);
  void word(std::string_view text);
  void word(std::uint64_t number) { word(std::to_string(number)); }

  // Whether a whole reply is there: then tokens() holds it until the next call. An error reply ends the process.
  [[nodiscard]] bool next();
  // The same, waiting for it; false after Stream::stop().
  [[nodiscard]] bool await();
  [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }

 private:
  Stream& stream_;
  std::vector<Token> tokens_;
};

}  // namespace rota::compare
