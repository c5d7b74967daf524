#pragma once

#include <memory>
#include <string>

#include "tests/conformance/store_driver.h"

namespace rota::store::test {

enum class Engine { lmdb, memory };

// A test that is run against each engine behind the Store interface.
class EachEngine : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override { make({}); }
  void make(const StoreOptions& options, std::uint64_t memory_limit = limits::GiB) {
    store_.reset();
    if (GetParam() == Engine::lmdb) {
      store_ = open_store(directory_.path(), options);
    } else {
      store_ = make_memory(options, memory_limit);
    }
    ASSERT_NE(store_, nullptr);
    Loaded loaded;
    const auto opened = store_->load(loaded);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    opened_ = *opened;
  }

  TempDir directory_;
  std::unique_ptr<Store> store_;
  Opened opened_;
};

inline std::string engine_name(const testing::TestParamInfo<Engine>& engine) {
  return engine.param == Engine::lmdb ? "lmdb" : "memory";
}

}  // namespace rota::store::test
