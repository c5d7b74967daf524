#pragma once

#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tests/conformance/store_driver.h"

namespace rota::store::test {

// A directory on a file system of its own, which a test can fill. Skips where mounting is not permitted.
class SmallDisk : public testing::Test {
 protected:
  // `size` as tmpfs takes it: "24m".
  explicit SmallDisk(const char* size) : options_(std::string("size=") + size) {}
  void SetUp() override {
    if (::mount("rota-test", directory_.path().c_str(), "tmpfs", 0, options_.c_str()) != 0) {
      GTEST_SKIP() << "cannot mount a small file system: " << std::strerror(errno);
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) ::umount2(directory_.path().c_str(), MNT_DETACH);
  }
  [[nodiscard]] std::string ballast() const { return directory_.path() + "/ballast"; }

  TempDir directory_;

 private:
  std::string options_;
  bool mounted_ = false;
};

}  // namespace rota::store::test
