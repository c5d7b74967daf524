#include "broker/store/page_walk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "broker/store/meta_pages.h"
#include "broker/store/page_layout.h"
#include "broker/store/record_format.h"
#include "broker/store/store_files.h"

namespace rota::store::lmdb {
namespace {

enum class Kind { free_list, names, table };

// Pages are walked depth first; the keys that bound a page lie in the pages above it, which stay in memory.
class Walk {
 public:
  Walk(const ReadFile& read, std::uint64_t file_bytes, std::size_t page_size, std::size_t most)
      : read_(read), file_bytes_(file_bytes), page_size_(page_size), most_(most) {}

  std::vector<std::string> run() {
    const auto first = read_meta(0);
    const auto second = read_meta(1);
    if (!first || !second) {
      report("data.mdb is damaged in its first pages, or no store");
      return std::move(found_);
    }
    const bool is_first = first->txn > second->txn;
    const MetaHeader& root = is_first ? *first : *second;
    const MetaHeader& other = is_first ? *second : *first;
    if (root.last_page < 1 || root.last_page >= file_bytes_ / page_size_) {
      report("data.mdb was cut: it has " + std::to_string(file_bytes_) + " bytes of at least " +
             std::to_string(needed(root)));
      return std::move(found_);
    }
    end_ = root.last_page + 1;
    used_.assign(end_, false);
    used_[0] = used_[1] = true;
    last_txn_ = root.txn;
    replaced_root_ = other.names.root;
    // Every commit replaces the root of the names and frees the one before. If the other first page is not of the commit
    // before, its root is not among those pages.
    is_freed_ = replaced_root_ == kNoPage || replaced_root_ == root.names.root;
    walk_tree(root.free, Kind::free_list, "the list of free pages");
    walk_tree(root.names, Kind::names, "the list of tables");
    if (!found_.empty()) return std::move(found_);
    if (!is_freed_) report("data.mdb has lost a commit: its first pages do not follow each other");
    if (known_ != end_) {
      report("the file has " + std::to_string(end_) + " pages, but tables and free pages are " + std::to_string(known_));
    }
    return std::move(found_);
  }

 private:
  // What is counted in one tree.
  struct Count {
    std::uint64_t branch_pages = 0, leaf_pages = 0, overflow_pages = 0, entries = 0;
  };
  struct Tree {
    Kind kind;
    std::string_view name;
    std::size_t depth = 0;
    Count count{};
  };
  // Keys of a page are at or above `low` and below `high`, where there are such.
  struct Bounds {
    std::optional<std::string_view> low, high;
  };

  [[nodiscard]] bool is_done() const { return found_.size() >= most_; }
  void report(std::string what) {
    if (!is_done()) found_.push_back(std::move(what));
  }
  // Of a page.
  void report(std::uint64_t page, const Tree& tree, std::string_view why) {
    report("page " + std::to_string(page) + " of " + std::string(tree.name) + " is damaged: " + std::string(why));
  }
  [[nodiscard]] std::uint64_t needed(const MetaHeader& root) const {
    return root.last_page >= UINT64_MAX / page_size_ - 1 ? UINT64_MAX : (root.last_page + 1) * page_size_;
  }

  std::optional<MetaHeader> read_meta(std::uint64_t number) {
    std::array<char, kMetaSize> bytes{};
    if (file_bytes_ < kMetaPages * page_size_ || !read_(number * page_size_, bytes)) return std::nullopt;
    const MetaHeader meta(std::string_view(bytes.data(), bytes.size()));
    if (!is_meta_page(meta, number, page_size_)) return std::nullopt;
    return meta;
  }

  // Notes that `count` pages from `page` on are in use. False: they cannot be, or are so already.
  bool take(std::uint64_t page, std::uint64_t count) {
    if (page < kMetaPages || page >= end_ || count == 0 || count > end_ - page) return false;
    for (std::uint64_t i = page; i < page + count; ++i) {
      if (used_[i]) return false;
      used_[i] = true;
    }
    known_ += count;
    return true;
  }

  [[nodiscard]] static int compare(Kind kind, std::string_view a, std::string_view b) {
    if (kind != Kind::free_list) return a.compare(b);
    const auto x = read_at<std::uint64_t>(a, 0);
    const auto y = read_at<std::uint64_t>(b, 0);
    return x < y ? -1 : x > y ? 1 : 0;
  }

  void walk_tree(const TreeHeader& header, Kind kind, std::string_view name) {
    Tree tree{kind, name, header.depth};
    if (header.flags != (kind == Kind::free_list ? kIntegerKeys : 0) || header.depth > kMaxDepth ||
        (header.root == kNoPage) != (header.depth == 0)) {
      report(std::string(name) + " has a damaged root");
      return;
    }
    const std::size_t found = found_.size();
    if (header.depth > 0) walk_page(header.root, 1, Bounds{}, tree);
    if (is_done() || found_.size() != found) return;
    const Count& count = tree.count;
    if (count.branch_pages != header.branch_pages || count.leaf_pages != header.leaf_pages ||
        count.overflow_pages != header.overflow_pages || count.entries != header.entries) {
      report(std::string(name) + " has " + std::to_string(header.entries) + " records on " +
             std::to_string(header.branch_pages + header.leaf_pages + header.overflow_pages) + " pages, but " +
             std::to_string(count.entries) + " on " +
             std::to_string(count.branch_pages + count.leaf_pages + count.overflow_pages) + " can be found");
    }
  }

  void walk_page(std::uint64_t number, std::size_t level, const Bounds& bounds, Tree& tree) {
    if (is_done()) return;
    if (!take(number, 1)) return report(number, tree, "it is past the last one, or used twice");
    std::vector<char>& bytes = pages_of(tree.kind)[level - 1];
    bytes.resize(page_size_);
    if (!read_(number * page_size_, bytes)) return report(number, tree, "it cannot be read");
    const std::string_view page(bytes.data(), bytes.size());
    const bool is_branch = level < tree.depth;
    std::vector<std::uint16_t> places;
    if (const std::string_view wrong = check_page(page, number, is_branch, tree.kind, bounds, places); !wrong.empty()) {
      return report(number, tree, wrong);
    }
    if (!is_branch) {
      ++tree.count.leaf_pages;
      tree.count.entries += places.size();
      for (const std::uint16_t place : places) walk_value(number, page, place, tree);
      return;
    }
    ++tree.count.branch_pages;
    for (std::size_t i = 0; i < places.size(); ++i) {
      Node node;
      Node next;
      (void)read_node(page, places[i], true, node);
      const bool has_next = i + 1 < places.size() && read_node(page, places[i + 1], true, next);
      walk_page(node.child, level + 1,
                {i == 0 ? bounds.low : std::optional(node.key), has_next ? std::optional(next.key) : bounds.high}, tree);
    }
  }

  // Names may be damaged, or of a newer format.
  [[nodiscard]] static std::string_view known_name(std::string_view key) {
    for (std::size_t i = 1; i <= kTableCount; ++i) {
      if (table_name(static_cast<Table>(i)) == key) return key;
    }
    return "of another name";
  }

  // The tree of names is walked while the trees of tables are. Both and the free list have their own.
  std::array<std::vector<char>, kMaxDepth>& pages_of(Kind kind) { return pages_[kind == Kind::table ? 1 : 0]; }

  // What is wrong with a page by itself and within its bounds; else `places` are those of its entries.
  [[nodiscard]] std::string_view check_page(std::string_view page, std::uint64_t number, bool is_branch, Kind kind,
                                            const Bounds& bounds, std::vector<std::uint16_t>& places) {
    const PageHeader header(page);
    if (header.number != number) return "it bears another number";
    if (header.flags != (is_branch ? kBranchPage : kLeafPage)) return "it is of another kind";
    if (header.lower < kPageHeader || header.lower % 2 != 0 || header.lower > header.upper || header.upper > page.size()) {
      return "its bounds are wrong";
    }
    const std::size_t count = (header.lower - kPageHeader) / 2;
    // While LMDB shrinks the free list, a branch of that may have one entry.
    if (count < (is_branch && kind != Kind::free_list ? 2U : 1U)) return "it has too few records";
    places.resize(count);
    taken_.resize(count);
    std::optional<std::string_view> last = bounds.low;
    for (std::size_t i = 0; i < count; ++i) {
      places[i] = read_at<std::uint16_t>(page, kPageHeader + 2 * i);
      Node node;
      if (places[i] < header.upper || places[i] % 2 != 0 || !read_node(page, places[i], is_branch, node)) {
        return "a record does not fit it";
      }
      taken_[i] = {node.begin, node.end};
      if (is_branch && i == 0) continue;  // LMDB does not look at that key
      if (node.key.size() > kMaxKeySize || node.key.empty()) return "a key is damaged";
      if (kind == Kind::free_list && node.key.size() != sizeof(std::uint64_t)) return "a key is damaged";
      if (last) {
        const int order = compare(kind, *last, node.key);
        // The lower bound itself belongs to the page: to its first record, or in a branch to all behind the first.
        const bool is_bound = i == 0;
        if (order > 0 || (order == 0 && !is_bound)) return "its keys are out of order";
      }
      if (bounds.high && compare(kind, node.key, *bounds.high) >= 0) return "its keys are out of order";
      last = node.key;
    }
    return fill_page(header.upper, page.size()) ? std::string_view() : "its records overlap";
  }

  // Whether the records of `taken_` fill a page from `at` to its end without gaps, as LMDB keeps them.
  [[nodiscard]] bool fill_page(std::size_t at, std::size_t size) {
    std::sort(taken_.begin(), taken_.end());
    for (const auto& [begin, end] : taken_) {
      if (begin != at) return false;
      at = end;
    }
    return at == size;
  }

  void walk_value(std::uint64_t number, std::string_view page, std::size_t place, Tree& tree) {
    if (is_done()) return;
    Node node;
    (void)read_node(page, place, false, node);
    if (node.flags != 0 && node.flags != kBigNode && !(tree.kind == Kind::names && node.flags == kTreeNode)) {
      return report(number, tree, "a record is of another kind");
    }
    if (tree.kind == Kind::names) {
      if (node.flags != kTreeNode || node.value.size() != kTreeSize) return report(number, tree, "a table is damaged");
      return walk_tree(TreeHeader(node.value), Kind::table, "table " + std::string(known_name(node.key)));
    }
    std::uint64_t offset = 0;
    if (node.flags == kBigNode) {
      const auto first = read_at<std::uint64_t>(node.value, 0);
      const auto pages = check_overflow(first, node.size, tree);
      if (!pages) return;
      tree.count.overflow_pages += *pages;
      offset = first * page_size_ + kPageHeader;
    }
    if (tree.kind == Kind::free_list) walk_free(number, node, offset, tree);
  }

  // The value of `size` bytes that begins on page `first`: its pages, unless something is wrong.
  std::optional<std::uint64_t> check_overflow(std::uint64_t first, std::uint64_t size, const Tree& tree) {
    std::array<char, kPageHeader> bytes{};
    if (first < kMetaPages || first >= end_) {
      report(first, tree, "it is past the last one, or used twice");
      return std::nullopt;
    }
    if (!read_(first * page_size_, bytes)) {
      report(first, tree, "it cannot be read");
      return std::nullopt;
    }
    const PageHeader header(std::string_view(bytes.data(), bytes.size()));
    const std::uint64_t least = (kPageHeader - 1 + size) / page_size_ + 1;
    if (header.number != first || header.flags != kOverflowPage || header.pages < least) {
      report(first, tree, header.number != first ? "it bears another number" : "it is of another kind");
      return std::nullopt;
    }
    if (!take(first, header.pages)) {
      report(first, tree, "it is past the last one, or used twice");
      return std::nullopt;
    }
    return header.pages;
  }

  // A record of the free list, under the number of the transaction that freed them: their count, then the pages. It lies in
  // its leaf, or at `offset` of the file.
  void walk_free(std::uint64_t number, const Node& node, std::uint64_t offset, const Tree& tree) {
    std::vector<char> apart;
    std::string_view value = node.value;
    if (offset != 0) {
      apart.resize(static_cast<std::size_t>(node.size));
      if (!read_(offset, apart)) return report(number, tree, "it cannot be read");
      value = {apart.data(), apart.size()};
    }
    constexpr std::size_t kNumber = sizeof(std::uint64_t);
    const auto count = read_at<std::uint64_t>(value, 0);
    const auto txn = read_at<std::uint64_t>(node.key, 0);
    if (value.size() < kNumber || count > value.size() / kNumber - 1 || txn > last_txn_) {
      return report(number, tree, "a record is damaged");
    }
    for (std::uint64_t i = 1; i <= count; ++i) {
      const auto page = read_at<std::uint64_t>(value, static_cast<std::size_t>(i) * kNumber);
      if (!take(page, 1)) return report(page, tree, "it is past the last one, or used twice");
      if (page == replaced_root_ && txn == last_txn_) is_freed_ = true;
    }
  }

  const ReadFile& read_;
  std::uint64_t file_bytes_;
  std::size_t page_size_;
  std::size_t most_;
  std::vector<std::string> found_;
  std::uint64_t end_ = 0;  // one above the last page
  std::vector<bool> used_;
  std::uint64_t known_ = kMetaPages;  // pages that are used
  std::uint64_t last_txn_ = 0;
  std::uint64_t replaced_root_ = kNoPage;  // root of the names one commit ago
  bool is_freed_ = false;
  std::array<std::array<std::vector<char>, kMaxDepth>, 2> pages_;
  std::vector<std::pair<std::size_t, std::size_t>> taken_;  // where the records of the last checked page begin and end
};

}  // namespace

std::vector<std::string> walk_pages(const ReadFile& read, std::uint64_t file_bytes, std::size_t page_size,
                                    std::size_t most) {
  return Walk(read, file_bytes, page_size, most).run();
}

Result<std::vector<std::string>> walk_file(const std::string& directory, std::size_t most) {
  const std::string path = data_file(directory);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::vector<std::string>();
    return Error{Code::forbidden, path + " cannot be read: " + std::strerror(errno) + "; run this as the broker's user"};
  }
  const ReadFile read = [fd](std::uint64_t offset, std::span<char> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t size = ::pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) return false;
      done += static_cast<std::size_t>(size);
    }
    return true;
  };
  struct stat file {};
  std::vector<std::string> found;
  if (::fstat(fd, &file) == 0 && file.st_size > 0 && !is_of_another_version(fd)) {
    found =
        walk_pages(read, static_cast<std::uint64_t>(file.st_size), static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), most);
  }
  ::close(fd);
  return found;
}

}  // namespace rota::store::lmdb
