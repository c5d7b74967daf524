#include "broker/store/new_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "broker/store/lmdb_env.h"
#include "broker/store/lmdb_meta.h"
#include "broker/store/store_files.h"

namespace rota::store::lmdb {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOpening = "open the store";

// Where the file system does not sync directories, or this user may not, names are as safe as they can be.
int sync_directory(const fs::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return 0;
  const int why = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return why == EINVAL || why == EROFS ? 0 : why;
}

// Any of them may have been made just now, or by a start that ended before it came here.
int sync_directories_above(const std::string& directory) {
  std::error_code ec;
  fs::path at = fs::absolute(directory, ec);
  if (ec) return ec.value();
  int why = sync_directory(at);
  while (why == 0 && at.has_relative_path()) {
    at = at.parent_path();
    why = sync_directory(at);
  }
  return why;
}

bool is_there(const std::string& directory) {
  struct stat file {};
  return ::stat(data_file(directory).c_str(), &file) == 0 || errno != ENOENT;
}

// The file gets its name when it is whole: one without bytes was a store.
bool is_empty(const std::string& directory) {
  struct stat file {};
  return ::stat(data_file(directory).c_str(), &file) == 0 && file.st_size == 0;
}

Status make_whole(const std::string& directory, std::uint64_t map_size, std::uint64_t least_map_size) {
  if (::mkdir(directory.c_str(), 0700) != 0) return failure(directory, kOpening, errno);
  const auto env = Env::open(directory, map_size, least_map_size);
  if (!env) return env.error();
  return prepare_tables(**env);
}

Status give_name(const std::string& young, const std::string& directory) {
  if (const int why = sync_directories_above(directory); why != 0) return failure(directory, kOpening, why);
  if (std::rename(data_file(young).c_str(), data_file(directory).c_str()) == 0) return {};
  return failure(directory, kOpening, errno);
}

}  // namespace

Status make_store(const std::string& directory, std::uint64_t map_size, std::uint64_t least_map_size) {
  const std::string young = directory + "/new";
  std::error_code ignored;
  fs::remove_all(young, ignored);
  if (is_empty(directory)) {
    return Error{Code::internal, directory + " is damaged (data.mdb is empty); restore the store from a backup"};
  }
  if (!is_there(directory)) {
    Status made = make_whole(young, map_size, least_map_size);
    if (made.ok()) made = give_name(young, directory);
    if (!made) fs::remove_all(young, ignored);
    if (!made) return made;
  }
  // Also the start that gave it its name may have ended before that was on disk.
  if (const int why = sync_directory(directory); why != 0) return failure(directory, kOpening, why);
  fs::remove_all(young, ignored);
  return {};
}

}  // namespace rota::store::lmdb
