#include "client/cli/table.h"

#include <gtest/gtest.h>

#include "client/cli/job_text.h"

namespace rota::cli {
namespace {

using Cell = Table::Cell;

Table sample() {
  Table table({{.title = "ID", .least = 5, .keep_end = true},
               {.title = "NAME", .least = 5},
               {.title = "COUNT", .right = true, .drop = 1},
               {.title = "STATE"}});
  table.add({"0123456789", "a long name", "7", Cell("failed", Colour::red)});
  table.add({"abcdefghij", "b", "12345", "ready"});
  return table;
}

TEST(TableTest, PlainTextIsNeverCut) {
  EXPECT_EQ(sample().render({}),
            "ID          NAME         COUNT  STATE\n"
            "0123456789  a long name      7  failed\n"
            "abcdefghij  b            12345  ready\n");
}

TEST(TableTest, NamesAreCutFirstThenColumnsGoThenIdsLoseTheirBeginning) {
  EXPECT_EQ(sample().render({.columns = 34}),
            "ID          NAME     COUNT  STATE\n"
            "0123456789  a long…      7  failed\n"
            "abcdefghij  b        12345  ready\n");
  EXPECT_EQ(sample().render({.columns = 27}),
            "ID          NAME     STATE\n"
            "0123456789  a long…  failed\n"
            "abcdefghij  b        ready\n");
  EXPECT_EQ(sample().render({.columns = 22}),
            "ID       NAME   STATE\n"
            "…456789  a lo…  failed\n"
            "…efghij  b      ready\n");
}

TEST(TableTest, ColumnsWithoutValuesAreLeftOutOnATerminalOnly) {
  Table table({{.title = "A"}, {.title = "B"}, {.title = "C"}});
  table.add({"1", "-", ""});
  EXPECT_EQ(table.render({}), "A  B  C\n1  -\n");
  EXPECT_EQ(table.render({.columns = 80}), "A\n1\n");
}

TEST(TableTest, ColumnsOfZerosGoFirstFromANarrowTerminal) {
  Table table(
      {{.title = "Q"}, {.title = "FAILED", .right = true, .drop = 1}, {.title = "EXPIRED", .right = true, .drop = 2}});
  table.add({"a", "3", "0"});
  table.add({"b", "0", "0"});
  EXPECT_EQ(table.render({.columns = 10}), "Q  FAILED\na       3\nb       0\n");
}

TEST(TableTest, ColoursDoNotShiftColumns) {
  Table table({{.title = "S"}, {.title = "N"}});
  table.add({Cell("failed", Colour::red), "x"});
  EXPECT_EQ(table.render({.colour = true}), "\x1b[1mS\x1b[0m       \x1b[1mN\x1b[0m\n\x1b[31mfailed\x1b[0m  x\n");
}

TEST(TableTest, CellsOfStrangersStayOneLine) {
  Table table({{.title = "NAME"}, {.title = "X"}});
  table.add({"a\x1b[2J\nb", "x"});
  table.add({"世界", "x"});
  EXPECT_EQ(table.render({}), "NAME         X\na\\x1b[2J\\nb  x\n世界         x\n");
}

client::Job sample_job() {
  client::Job job;
  job.queue = "default";
  job.type = "exec";
  job.state = JobState::failed;
  job.created_at = Wall{1'700'000'000'000};
  job.name = "evil\x1b]0;x\x07";
  job.error_message = "no\nsuch";
  job.stderr_tail = "one\n\x1b[31mtwo\n";
  return job;
}

TEST(JobTextTest, FactsAndTablesHoldNoControlCharacters) {
  const std::string facts = job_facts(sample_job());
  const std::string table = job_table({sample_job()});
  EXPECT_EQ((facts + table).find_first_of("\x1b\x07\r"), std::string::npos) << facts << table;
  EXPECT_NE(facts.find("no\\nsuch"), std::string::npos) << facts;
  EXPECT_NE(facts.find("one\n\\x1b[31mtwo\n"), std::string::npos) << facts;
}

TEST(JobTextTest, TimesAreToldInFullOrFromNow) {
  const Wall at{1'700'000'000'000};
  EXPECT_EQ(time_text(at, {}), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(time_text({}, {}), "-");
  const auto after = [&at](std::int64_t ms) { return time_text(at, {.now = Wall{at.ms + ms}}); };
  EXPECT_EQ(after(0), "0s ago");
  EXPECT_EQ(after(59'999), "59s ago");
  EXPECT_EQ(after(3'599'000), "59m ago");
  EXPECT_EQ(after(47 * 3'600'000L), "47h ago");
  EXPECT_EQ(after(48 * 3'600'000L), "2d ago");
  EXPECT_EQ(after(-90'000), "in 1m");
}

TEST(JobTextTest, NarrowTableOfAnIdleWorkerKeepsWhatRuns) {
  const std::vector<client::AdminRow> rows{{{"name", std::string("bee")},
                                            {"pid", std::int64_t{4711}},
                                            {"running", std::int64_t{0}},
                                            {"held", std::int64_t{0}},
                                            {"credit", std::int64_t{9}},
                                            {"connected", true},
                                            {"lease_left_ms", std::int64_t{12345}}}};
  const std::string text = row_table(rows, true, {.columns = 24});
  EXPECT_EQ(text, "NAME  RUNNING  HELD\nbee         0     0\n");
}

TEST(JobTextTest, WhatNeedsALookIsColoured) {
  const std::vector<client::AdminRow> rows{
      {{"queue", std::string("a")}, {"paused", true}, {"failed", std::int64_t{2}}, {"ready", std::int64_t{0}}}};
  const std::string text = row_table(rows, true, {.colour = true});
  EXPECT_NE(text.find("\x1b[33myes\x1b[0m"), std::string::npos) << text;
  EXPECT_NE(text.find("\x1b[31m2\x1b[0m"), std::string::npos) << text;
}

}  // namespace
}  // namespace rota::cli
