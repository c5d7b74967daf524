#include <gtest/gtest.h>

#include <set>
#include <string>
#include <variant>

#include "common/base/peer_limits.h"
#include "tests/unit/server/engine_rig.h"

namespace rota::server {
namespace {

constexpr Route kClient = 1;
constexpr Route kFirstWorker = 10;

std::string numbered(std::string name, std::size_t number) { return name.append(std::to_string(number)); }

class AdminTest : public testing::Test {
 protected:
  void SetUp() override { rig_.connect_client(kClient); }

  Answer ask(std::string_view verb, std::vector<wire::Pair> arguments) {
    wire::Admin admin;
    admin.verb = verb;
    admin.arguments = std::move(arguments);
    rig_.turn(Side::client, kClient, {++request_, admin});
    rig_.settle();
    return rig_.answer(kClient);
  }
  // Sizes of all pages; `names` gets what the rows begin with.
  std::vector<std::size_t> pages_of(std::string_view verb, std::multiset<std::string>& names) {
    std::vector<std::size_t> sizes;
    std::string cursor;
    do {
      const Answer answer = cursor.empty() ? ask(verb, {}) : ask(verb, {{"cursor", cursor}});
      const auto* reply = answer.as<wire::AdminReply>();
      if (reply == nullptr) break;
      sizes.push_back(reply->rows.size());
      for (const auto& row : reply->rows) names.emplace(std::get<std::string_view>(row.at(0).value));
      cursor = reply->cursor;
    } while (!cursor.empty() && sizes.size() < 100);
    return sizes;
  }

  EngineRig rig_{store::make_memory({}, 64 * limits::MiB)};
  wire::Request request_ = 10;
};

TEST_F(AdminTest, QueuesComeInPagesAndEachOnce) {
  const std::size_t count = 2 * limits::kMaxAdminRows + 7;
  for (std::size_t i = 0; i < count; ++i) (void)ask("pause", {{"queue", numbered("q", i)}});
  std::multiset<std::string> names;
  EXPECT_EQ(pages_of("queues", names), (std::vector<std::size_t>{limits::kMaxAdminRows, limits::kMaxAdminRows, 7}));
  EXPECT_EQ(names.size(), count);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), count);
}

TEST_F(AdminTest, AFullPageOfAllQueuesHasNoCursor) {
  for (std::size_t i = 0; i < limits::kMaxAdminRows; ++i) (void)ask("pause", {{"queue", numbered("q", i)}});
  std::multiset<std::string> names;
  EXPECT_EQ(pages_of("queues", names), (std::vector<std::size_t>{limits::kMaxAdminRows}));
}

TEST_F(AdminTest, WorkersComeInPagesAndEachOnce) {
  const std::size_t count = limits::kMaxWorkerRows + 1;
  for (std::size_t i = 0; i < count; ++i) {
    rig_.connect_worker(kFirstWorker + static_cast<Route>(i), numbered("w", i), 1);
  }
  std::multiset<std::string> names;
  EXPECT_EQ(pages_of("workers", names), (std::vector<std::size_t>{limits::kMaxWorkerRows, 1}));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), count);
}

TEST_F(AdminTest, ACursorThatNobodyHandedOutIsRefused) {
  for (const std::string_view cursor : {"x", "-1", "1x", "99999999999999999999"}) {
    const Answer answer = ask("queues", {{"cursor", cursor}});
    const auto* error = answer.as<wire::ErrorReply>();
    ASSERT_NE(error, nullptr) << cursor;
    EXPECT_EQ(error->code, Code::bad_message) << cursor;
  }
}

TEST_F(AdminTest, ACursorBehindTheLastQueueEndsTheList) {
  const Answer answer = ask("queues", {{"cursor", "4000000000"}});
  const auto* reply = answer.as<wire::AdminReply>();
  ASSERT_NE(reply, nullptr);
  EXPECT_TRUE(reply->rows.empty());
  EXPECT_TRUE(reply->cursor.empty());
}

}  // namespace
}  // namespace rota::server
