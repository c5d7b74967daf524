#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

// The layout of LMDB's file: mdb.c of LMDB 0.9, MDB_page, MDB_node, MDB_db and MDB_meta on a 64-bit little-endian machine.
// What is read here may be damaged.
namespace rota::store::lmdb {

inline constexpr std::size_t kPageHeader = 16;  // number (8), unused (2), flags (2), lower (2) and upper (2) or pages (4)
inline constexpr std::size_t kNodeHeader =
    8;  // size or number, low 32 bits (4), flags or number's high 16 bits (2), key size (2)
inline constexpr std::size_t kTreeSize = 48;
inline constexpr std::size_t kMetaSize = 152;  // with the page header
inline constexpr std::uint64_t kMetaPages = 2;
inline constexpr std::uint64_t kNoPage = UINT64_MAX;  // root of an empty tree
inline constexpr std::size_t kMaxDepth = 32;          // of LMDB's cursors
inline constexpr std::size_t kMaxKeySize = 511;

inline constexpr std::uint16_t kBranchPage = 1, kLeafPage = 2, kOverflowPage = 4, kMetaPage = 8;
inline constexpr std::uint16_t kBigNode = 1, kTreeNode = 2;  // the value lies on overflow pages, or is a tree
inline constexpr std::uint16_t kIntegerKeys = 8;             // flag of the free list's tree

template <typename T>
[[nodiscard]] T read_at(std::string_view bytes, std::size_t offset) {
  T value{};
  if (offset + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

struct PageHeader {
  std::uint64_t number = 0;
  std::uint16_t flags = 0, lower = 0, upper = 0;
  std::uint32_t pages = 0;  // of an overflow page

  explicit PageHeader(std::string_view page)
      : number(read_at<std::uint64_t>(page, 0)),
        flags(read_at<std::uint16_t>(page, 10)),
        lower(read_at<std::uint16_t>(page, 12)),
        upper(read_at<std::uint16_t>(page, 14)),
        pages(read_at<std::uint32_t>(page, 12)) {}
};

struct TreeHeader {
  std::uint16_t flags = 0, depth = 0;
  std::uint64_t branch_pages = 0, leaf_pages = 0, overflow_pages = 0, entries = 0, root = kNoPage;

  TreeHeader() = default;
  explicit TreeHeader(std::string_view bytes)
      : flags(read_at<std::uint16_t>(bytes, 4)),
        depth(read_at<std::uint16_t>(bytes, 6)),
        branch_pages(read_at<std::uint64_t>(bytes, 8)),
        leaf_pages(read_at<std::uint64_t>(bytes, 16)),
        overflow_pages(read_at<std::uint64_t>(bytes, 24)),
        entries(read_at<std::uint64_t>(bytes, 32)),
        root(read_at<std::uint64_t>(bytes, 40)) {}
};

// One of the two first pages.
struct MetaHeader {
  PageHeader page;
  std::uint32_t magic, version, page_size;
  TreeHeader free, names;
  std::uint64_t last_page, txn;

  explicit MetaHeader(std::string_view bytes)
      : page(bytes),
        magic(read_at<std::uint32_t>(bytes, 16)),
        version(read_at<std::uint32_t>(bytes, 20)),
        page_size(read_at<std::uint32_t>(bytes, 40)),
        free(bytes.substr(40, kTreeSize)),
        names(bytes.substr(88, kTreeSize)),
        last_page(read_at<std::uint64_t>(bytes, 136)),
        txn(read_at<std::uint64_t>(bytes, 144)) {}
};

inline constexpr std::uint32_t kMagic = 0xBEEFC0DE;
inline constexpr std::uint32_t kLayoutVersion = 1;

// One entry of a branch or leaf page.
struct Node {
  std::string_view key;
  std::uint64_t child = 0;         // of a branch: the page below
  std::uint16_t flags = 0;         // of a leaf
  std::uint64_t size = 0;          // of a leaf: the value's bytes
  std::string_view value;          // of a leaf: those, or the number of the first overflow page
  std::size_t begin = 0, end = 0;  // of its bytes in the page
};
// False if it does not fit the page.
[[nodiscard]] inline bool read_node(std::string_view page, std::size_t begin, bool is_branch, Node& node) {
  if (begin + kNodeHeader > page.size()) return false;
  const std::uint64_t low = read_at<std::uint32_t>(page, begin);
  const std::uint64_t high = read_at<std::uint16_t>(page, begin + 4);
  const std::size_t key_size = read_at<std::uint16_t>(page, begin + 6);
  const std::size_t rest = page.size() - begin - kNodeHeader;
  if (key_size > rest) return false;
  node.key = page.substr(begin + kNodeHeader, key_size);
  node.begin = begin;
  std::size_t stored = 0;
  if (is_branch) {
    node.child = low | high << 32U;
  } else {
    node.flags = static_cast<std::uint16_t>(high);
    node.size = low;
    stored = (node.flags & kBigNode) != 0 ? sizeof(std::uint64_t) : static_cast<std::size_t>(low);
    if (stored > rest - key_size) return false;
    node.value = page.substr(begin + kNodeHeader + key_size, stored);
  }
  const std::size_t size = kNodeHeader + key_size + stored;
  node.end = begin + size + size % 2;  // nodes begin at even offsets
  return node.end <= page.size();
}

}  // namespace rota::store::lmdb
