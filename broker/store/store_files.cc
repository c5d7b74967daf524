#include "broker/store/store_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace rota::store {

std::string data_file(const std::string& directory) { return directory + "/data.mdb"; }

Status must_hold_store(const std::string& directory) {
  struct stat file {};
  if (::stat(data_file(directory).c_str(), &file) == 0) {
    if (S_ISREG(file.st_mode) && file.st_size > 0) return {};
  } else if (errno != ENOENT && errno != ENOTDIR) {
    return Error{Code::forbidden,
                 data_file(directory) + " cannot be read: " + std::strerror(errno) + "; run this as the broker's user"};
  }
  return Error{Code::not_found, directory + " holds no store (it has no data.mdb); name a broker's directory with --data"};
}

}  // namespace rota::store
