#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"

// LMDB trusts the pages of its file: one that is damaged makes it crash, lead elsewhere, or overwrite what is in use. So
// the pages are walked before LMDB opens the file. The walk reads the file itself and survives any bytes.
namespace rota::store::lmdb {

// Fills `into` with the file's bytes from `offset` on. False if they cannot be read.
using ReadFile = std::function<bool(std::uint64_t offset, std::span<char> into)>;

// Walks every tree of the younger root page in a file of `file_bytes` with pages of `page_size` bytes: each page is the one
// that it is named as and is of its level's kind, its entries fit it and are in order, within the bounds that the page
// above gives; what trees count is there; and every page of the file is in one tree or free, once. Whether the younger root
// page is the younger one, the list of pages that were freed since the other one tells. Contents of values are not looked
// at. Gives what is wrong, at most `most` of it. Time: one read of each page, but for those of large values. Memory: one
// bit for each page of the file.
[[nodiscard]] std::vector<std::string> walk_pages(const ReadFile& read, std::uint64_t file_bytes, std::size_t page_size,
                                                  std::size_t most);

// The same for the store in `directory`, which nobody may write to meanwhile; nothing is wrong with one that has no file or
// is of another version of the layout. FORBIDDEN if the file cannot be read.
[[nodiscard]] Result<std::vector<std::string>> walk_file(const std::string& directory, std::size_t most);

}  // namespace rota::store::lmdb
