#include <gtest/gtest.h>

#include "common/wire/codec.h"
#include "tests/unit/wire/samples.h"

// The vectors stand in docs/protocol.md too, and were computed apart from this code from the definition there.
namespace rota::wire::test {
namespace {

SubmitShared typed() {
  SubmitShared shared;
  shared.queue = "default";
  shared.type = "thumbnail";
  return shared;
}

SubmitItem item(std::string_view payload) {
  SubmitItem out;
  out.id = sample_id(1);
  out.payload = payload;
  return out;
}

std::uint64_t content(const SubmitShared& shared, const SubmitItem& of) {
  return content_hash(shared_content_hash(shared), of);
}

TEST(ContentHash, OrderOfHeadersAndEnvironmentDoesNotCount) {
  SubmitShared one = typed();
  one.spec.headers = {{"a", "1"}, {"b", "2"}};
  one.spec.command = Command{{"x"}, {{"A", "1"}, {"B", "2"}}, ""};
  SubmitShared other = typed();
  other.spec.headers = {{"b", "2"}, {"a", "1"}};
  other.spec.command = Command{{"x"}, {{"B", "2"}, {"A", "1"}}, ""};
  EXPECT_EQ(shared_content_hash(one), shared_content_hash(other));
}

TEST(ContentHash, OptionsAndNameAreNotContent) {
  SubmitShared other = typed();
  other.options.priority = 9;
  other.options.delay = Millis{5};
  other.spec.name = "a name";
  EXPECT_EQ(shared_content_hash(typed()), shared_content_hash(other));
}

TEST(ContentHash, EverythingElseIsContent) {
  const std::uint64_t standard = content(typed(), item("a.png"));
  SubmitShared queue = typed();
  queue.queue = "defaul";
  queue.type = "tthumbnail";
  EXPECT_NE(content(queue, item("a.png")), standard);
  SubmitShared headers = typed();
  headers.spec.headers = {{"a", ""}};
  EXPECT_NE(content(headers, item("a.png")), standard);
  SubmitShared command = typed();
  command.spec.command = Command{{"x"}, {}, ""};
  EXPECT_NE(content(command, item("a.png")), standard);
  EXPECT_NE(content(typed(), item("b.png")), standard);
  SubmitItem keyed = item("a.png");
  keyed.key = "k";
  EXPECT_NE(content(typed(), keyed), standard);
  SubmitItem index = item("a.png");
  index.selector.kind = Selector::Kind::index;
  EXPECT_NE(content(typed(), index), standard);
  SubmitItem line = item("a.png");
  line.selector.kind = Selector::Kind::line;
  EXPECT_NE(content(typed(), line), standard);
}

TEST(ContentHash, MatchesThePublishedVectors) {
  EXPECT_EQ(shared_content_hash(typed()), 0xed8949c42596b050U);
  EXPECT_EQ(content(typed(), item("")), 0xb354a3980f249496U);
  EXPECT_EQ(content(typed(), item("a.png")), 0xcf2759720df7e727U);
  SubmitItem keyed = item("b.png");
  keyed.key = "b";
  EXPECT_EQ(content(typed(), keyed), 0x513de06ac647a5a0U);

  SubmitShared command;
  command.queue = "default";
  command.type = "exec";
  command.spec = sample_spec();
  EXPECT_EQ(shared_content_hash(command), 0xdc9fa7cca31344cbU);
  SubmitItem line = item("");
  line.selector.kind = Selector::Kind::line;
  line.selector.line = "photo 1.jpg";
  EXPECT_EQ(content(command, line), 0x7d0b36302764d2e4U);
  SubmitItem index = item("");
  index.selector.kind = Selector::Kind::index;
  index.selector.index = -3;
  EXPECT_EQ(content(command, index), 0x9f747c8ecd6aec43U);
}

}  // namespace
}  // namespace rota::wire::test
