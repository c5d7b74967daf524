#include "common/program/options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/program/exit_code.h"

namespace rota::program {
namespace {

class OptionsTest : public testing::Test {
 protected:
  OptionsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rota-options-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    options_.add({.name = "store-limit", .placeholder = "SIZE", .help = "size"}, Options::size(size_));
    options_.add({.name = "lease", .placeholder = "DUR", .help = "duration"}, Options::duration(lease_, Millis{500}));
    options_.add({.name = "queue", .placeholder = "NAME", .help = "queues", .repeatable = true},
                 [this](std::string_view text) -> Status {
                   queues_.emplace_back(text);
                   return {};
                 });
    options_.flag({.name = "insecure", .help = "flag"}, insecure_);
  }
  ~OptionsTest() override {
    ::unsetenv("ROTA_STORE_LIMIT");
    ::unsetenv("ROTA_QUEUE");
    std::filesystem::remove_all(directory_);
  }

  std::optional<int> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "rota-test");
    return options_.parse(static_cast<int>(arguments.size()), arguments.data());
  }
  // What a refused parse printed.
  std::string refused(const std::vector<const char*>& arguments) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(parse(arguments), kExitUsage);
    return testing::internal::GetCapturedStderr();
  }
  std::string file(const std::string& text) {
    std::string path = directory_ + "/rota.toml";
    std::ofstream(path) << text;
    return path;
  }

  std::string directory_;
  Options options_{"rota-test", "A test"};
  std::uint64_t size_ = 1;
  Millis lease_{1000};
  std::vector<std::string> queues_;
  bool insecure_ = false;
};

TEST_F(OptionsTest, OptionBeatsEnvironmentBeatsFile) {
  const std::string path = file("store-limit = \"3MiB\"\nlease = \"9s\"\n");
  ::setenv("ROTA_STORE_LIMIT", "2MiB", 1);
  EXPECT_EQ(parse({"--config", path.c_str()}), std::nullopt);
  EXPECT_EQ(size_, 2U << 20U);
  EXPECT_EQ(lease_, Millis{9000});
}

TEST_F(OptionsTest, CommandLineBeatsAll) {
  const std::string path = file("store-limit = \"3MiB\"\n");
  ::setenv("ROTA_STORE_LIMIT", "2MiB", 1);
  EXPECT_EQ(parse({"--config", path.c_str(), "--store-limit", "1MiB", "--insecure"}), std::nullopt);
  EXPECT_EQ(size_, 1U << 20U);
  EXPECT_TRUE(insecure_);
}

TEST_F(OptionsTest, RepeatedOptionsAndArraysGiveEveryValue) {
  EXPECT_EQ(parse({"--queue", "a", "--queue", "b=2"}), std::nullopt);
  EXPECT_EQ(queues_, (std::vector<std::string>{"a", "b=2"}));
}

TEST_F(OptionsTest, FileArrayGivesEveryValue) {
  const std::string path = file("queue = [\"a\", \"b\"]\ninsecure = true\n");
  EXPECT_EQ(parse({"--config", path.c_str()}), std::nullopt);
  EXPECT_EQ(queues_, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(insecure_);
}

TEST_F(OptionsTest, ValueInFileThatIsNoPlainOneIsRefused) {
  for (const char* text : {"lease = 2026-11-22\n", "queue = [[\"a\"]]\n", "[submit.queue]\nname = \"a\"\n"}) {
    const std::string path = file(text);
    const std::string message = refused({"--config", path.c_str()});
    EXPECT_NE(message.find(" holds something that is not a plain value; give a text"), std::string::npos) << message;
  }
}

TEST_F(OptionsTest, FileThatIsNotThereHasNoLine) {
  const std::string message = refused({"--config", "/nowhere/rota.toml"});
  EXPECT_NE(message.find("cannot read /nowhere/rota.toml: "), std::string::npos) << message;
  EXPECT_EQ(message.find("line"), std::string::npos) << message;
}

TEST_F(OptionsTest, UnknownOptionIsNamed) {
  EXPECT_NE(refused({"--bogus"}).find("rota-test: unknown option or argument: --bogus"), std::string::npos);
}

TEST_F(OptionsTest, UnknownOptionIsNamedWithTheOneThatIsNear) {
  EXPECT_NE(refused({"--leese", "5s"}).find("unknown option or argument: --leese (did you mean '--lease'?)"),
            std::string::npos);
  EXPECT_NE(refused({"--leese=5s"}).find("--leese (did you mean '--lease'?)"), std::string::npos);
  EXPECT_EQ(refused({"--bogus"}).find("did you mean"), std::string::npos);
}

TEST_F(OptionsTest, BadValueNamesOptionAndWhatIsAllowed) {
  const std::string message = refused({"--lease=-5s"});
  EXPECT_NE(message.find("--lease"), std::string::npos) << message;
  EXPECT_NE(message.find("a duration like"), std::string::npos) << message;
}

TEST_F(OptionsTest, TooSmallDurationNamesTheLeast) {
  EXPECT_NE(refused({"--lease", "1ms"}).find("at least 500ms"), std::string::npos);
}

TEST_F(OptionsTest, BadEnvironmentNamesTheVariable) {
  ::setenv("ROTA_STORE_LIMIT", "much", 1);
  EXPECT_NE(refused({}).find("ROTA_STORE_LIMIT"), std::string::npos);
}

TEST_F(OptionsTest, MisspeltKeyNamesTheNearest) {
  const std::string path = file("store-limt = \"3MiB\"\n");
  EXPECT_NE(refused({"--config", path.c_str()}).find("did you mean 'store-limit'?"), std::string::npos);
}

TEST_F(OptionsTest, OptionOfTheCommandLineOnlyIsSaidToBeOne) {
  std::string name;
  options_.add({.name = "name", .placeholder = "TEXT", .help = "text", .environment = "", .in_file = false},
               Options::text(name));
  const std::string path = file("name = \"x\"\n");
  EXPECT_NE(refused({"--config", path.c_str()}).find("'name' is given on the command line only"), std::string::npos);
}

TEST_F(OptionsTest, SizeWithoutUpperBoundTellsTheLeastOnly) {
  std::uint64_t limit = 0;
  options_.add({.name = "limit", .placeholder = "SIZE", .help = "size"}, Options::size(limit, std::uint64_t{1} << 20U));
  EXPECT_NE(refused({"--limit", "1B"}).find("give a size of at least 1MiB\n"), std::string::npos);
}

TEST_F(OptionsTest, HelpDescribesOptionsAndFlags) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(parse({"--help"}), kExitOk);
  const std::string help = testing::internal::GetCapturedStdout();
  EXPECT_NE(help.find("duration"), std::string::npos) << help;
  EXPECT_NE(help.find("flag"), std::string::npos) << help;
}

TEST_F(OptionsTest, UnreadableFileIsNamed) {
  EXPECT_NE(refused({"--config", "/nonexistent/rota.toml"}).find("/nonexistent/rota.toml"), std::string::npos);
}

TEST_F(OptionsTest, BrokenFileNamesTheLine) {
  const std::string path = file("lease = \"1s\"\n= nonsense\n");
  EXPECT_NE(refused({"--config", path.c_str()}).find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace rota::program
