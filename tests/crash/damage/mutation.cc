#include "tests/crash/damage/mutation.h"

#include <algorithm>

namespace rota::store::test {
namespace {

constexpr std::uint64_t kMetaBits = 152 * 8;   // LMDB's header and root of a first page
constexpr std::uint64_t kHeaderBits = 16 * 8;  // of any page

using Kind = Mutation::Kind;

std::vector<Mutation> sample(std::vector<Mutation> all, std::size_t most, std::mt19937_64& random) {
  std::shuffle(all.begin(), all.end(), random);
  if (all.size() > most) all.resize(most);
  return all;
}

}  // namespace

bool Mutation::apply(std::string& file) const {
  const std::string before = file;
  switch (kind) {
    case Kind::flip:
      file[at / 8] = static_cast<char>(static_cast<unsigned char>(file[at / 8]) ^ (1U << (at % 8)));
      break;
    case Kind::byte:
      file[at] = static_cast<char>(by);
      break;
    case Kind::zero:
      file.replace(at * kPage, kPage, kPage, '\0');
      break;
    case Kind::noise: {
      std::mt19937_64 random(by);
      for (std::uint64_t i = 0; i < kPage; ++i) file[at * kPage + i] = static_cast<char>(random());
      break;
    }
    case Kind::swap:
      for (std::uint64_t i = 0; i < kPage; ++i) std::swap(file[at * kPage + i], file[by * kPage + i]);
      break;
    case Kind::copy:
      file.replace(at * kPage, kPage, before, by * kPage, kPage);
      break;
    case Kind::cut:
      file.resize(at);
      break;
  }
  return file != before;
}

std::string Mutation::text() const {
  constexpr const char* kNames[] = {"flip", "byte", "zero", "noise", "swap", "copy", "cut"};
  std::string place = std::to_string(at);
  if (kind == Kind::flip) {
    place = "page " + std::to_string(at / 8 / kPage) + " byte " + std::to_string(at / 8 % kPage) + " bit " +
            std::to_string(at % 8);
  }
  return std::string(kNames[static_cast<std::size_t>(kind)]) + " " + place + " " + std::to_string(by);
}

std::vector<MutationGroup> make_mutations(std::uint64_t pages, std::size_t most, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  std::vector<Mutation> first, headers, zeros, noises, swaps, copies, bits, bytes, cuts;
  for (std::uint64_t page = 0; page < pages; ++page) {
    const std::uint64_t begin = page * kPage * 8;
    for (std::uint64_t bit = 0; bit < (page < 2 ? kMetaBits : kHeaderBits); ++bit) {
      (page < 2 ? first : headers).push_back({Kind::flip, begin + bit, 0});
    }
    // The places and the first fields of what lies in the page.
    for (std::uint64_t bit = kHeaderBits; bit < 4 * kHeaderBits; ++bit) bits.push_back({Kind::flip, begin + bit, 0});
    zeros.push_back({Kind::zero, page, 0});
    noises.push_back({Kind::noise, page, random()});
    for (std::uint64_t other = 0; other < pages; ++other) {
      if (other > page) swaps.push_back({Kind::swap, page, other});
      if (other != page) copies.push_back({Kind::copy, page, other});
    }
  }
  for (std::size_t i = 0; i < most; ++i) {
    bits.push_back({Kind::flip, below(pages * kPage * 8), 0});
    bytes.push_back({Kind::byte, below(pages * kPage), below(256)});
    cuts.push_back({Kind::cut, below(pages * kPage), 0});
  }
  for (std::uint64_t length = 0; length < pages * kPage; length += 512) cuts.push_back({Kind::cut, length, 0});
  std::vector<MutationGroup> groups;
  const auto add = [&](const char* name, std::vector<Mutation>& all) {
    groups.push_back({name, sample(std::move(all), most, random)});
  };
  add("a bit of a first page", first);
  add("a bit of a page's header", headers);
  add("a bit anywhere", bits);
  add("a byte overwritten", bytes);
  add("a page of zeros", zeros);
  add("a page of noise", noises);
  add("two pages swapped", swaps);
  add("a page over another", copies);
  add("the file cut", cuts);
  return groups;
}

}  // namespace rota::store::test
