#include "bench/compare/resp.h"

#include <charconv>

#include "bench/compare/failure.h"

namespace rota::compare {

namespace {

void append_head(std::string& out, char kind, std::size_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out += kind;
  out.append(digits, end);
  out += "\r\n";
}

}  // namespace

void Resp::command(std::size_t words) { append_head(stream_.out(), '*', words); }

void Resp::word(std::string_view text) {
  append_head(stream_.out(), '$', text.size());
  stream_.out().append(text).append("\r\n");
}

bool Resp::next() {
  tokens_.clear();
  const std::string_view input = stream_.input();
  std::size_t at = 0;
  std::int64_t open = 1;  // values that are still to come
  while (open > 0) {
    const std::size_t end = input.find('\r', at);
    if (end == std::string_view::npos || end + 2 > input.size()) return false;
    const char kind = input[at];
    const std::string_view line = input.substr(at + 1, end - at - 1);
    at = end + 2;
    Token token;
    if (kind == '-') fail("Redis: " + std::string(line));
    if (kind != '+' && std::from_chars(line.data(), line.data() + line.size(), token.number).ec != std::errc{}) {
      fail("Redis sent what is no reply");
    }
    if (kind == '+') {
      token.kind = Token::Kind::text;
      token.text = line;
    } else if (kind == ':') {
      token.kind = Token::Kind::integer;
    } else if (token.number >= 0 && kind == '*') {
      token.kind = Token::Kind::array;
      open += token.number;
    } else if (token.number >= 0) {
      const auto size = static_cast<std::size_t>(token.number);
      if (input.size() < at + size + 2) return false;
      token.kind = Token::Kind::text;
      token.text = input.substr(at, size);
      at += size + 2;
    }
    tokens_.push_back(token);
    --open;
  }
  stream_.consume(at);
  return true;
}

bool Resp::await() {
  while (!next()) {
    if (!stream_.receive()) return false;
  }
  return true;
}

}  // namespace rota::compare
