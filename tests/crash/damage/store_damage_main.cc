// store_damage DIRECTORY SCRATCH CASES SEED: damages copies of the store in DIRECTORY and reads each through the real
// store, in a process of its own. CASES of each kind of damage at most, every other one with the store's sound lock.mdb
// beside it, which knows the last commit; the others without, as in a restored backup. Prints a row of a Markdown table for
// each kind, and on stderr every case that broke a promise. Exit 1 if there is any.
//
// A case is refused (a clear error instead of a store), reported (some jobs cannot be read for damage, all others are as
// they were), or right (the damage hit nothing that is used). Forbidden: another payload or field, a job that is missing
// without a word, a crash, a process that does not end, and a check that calls the file sound that is not right.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "broker/store/check.h"
#include "broker/store/page_layout.h"
#include "tests/crash/damage/mutation.h"
#include "tests/crash/damage/store_contents.h"

namespace rota::store::test {
namespace {

constexpr unsigned kPatienceSeconds = 120;

enum Verdict { kRight, kReported, kRefused, kWrong, kMissing, kBlindCheck, kCrash, kHang, kVerdicts };
constexpr std::array<const char*, kVerdicts> kNames = {"right",   "reported",    "refused", "WRONG",
                                                       "MISSING", "CHECK BLIND", "CRASH",   "HANG"};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The store's bytes up to the last page that is used.
std::string read_store(const std::string& directory) {
  std::string bytes = read_file(directory + "/data.mdb");
  const lmdb::MetaHeader first(std::string_view(bytes).substr(0, lmdb::kMetaSize));
  const lmdb::MetaHeader second(std::string_view(bytes).substr(kPage, lmdb::kMetaSize));
  bytes.resize(((first.txn > second.txn ? first : second).last_page + 1) * kPage);
  return bytes;
}

// What lies in the directory of a store. Without a lock.mdb where `lock` is empty.
struct Files {
  std::string data, lock;
};

void put_store(const std::string& directory, const Files& files) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/data.mdb", std::ios::binary) << files.data;
  if (!files.lock.empty()) std::ofstream(directory + "/lock.mdb", std::ios::binary) << files.lock;
}

Verdict judge(const std::string& directory, const Contents& sound) {
  const auto checked = check_lmdb(directory);
  const bool is_called_sound = checked.ok() && checked->is_sound();
  const auto contents = read_contents(directory, sound);
  Verdict verdict = kRight;
  if (!contents) {
    verdict = kRefused;
    if (contents.error().message.find(directory) == std::string::npos) {
      std::fprintf(stderr, "not a sentence: %s\n", contents.error().message.c_str());
      return kWrong;
    }
  } else {
    const bool list_stops = contents->contains("listed");
    for (const auto& [name, text] : sound) {
      const auto found = contents->find(name);
      if (found == contents->end() && name.starts_with("listed ") && list_stops) {
        verdict = kReported;
      } else if (found == contents->end()) {
        std::fprintf(stderr, "missing: %s\n", name.c_str());
        return kMissing;
      } else if (found->second == kUnreadable) {
        verdict = kReported;
      } else if (found->second != text) {
        std::fprintf(stderr, "%s is %.200s, not %.200s\n", name.c_str(), found->second.c_str(), text.c_str());
        return kWrong;
      }
    }
    for (const auto& [name, text] : *contents) {
      if (!sound.contains(name) && name != "listed") {
        std::fprintf(stderr, "invented: %s\n", name.c_str());
        return kWrong;
      }
    }
  }
  return verdict != kRight && is_called_sound ? kBlindCheck : verdict;
}

Verdict judge_in_child(const std::string& directory, const Contents& sound) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kPatienceSeconds);
    ::_exit(judge(directory, sound));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) < kCrash) return static_cast<Verdict>(WEXITSTATUS(status));
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? kHang : kCrash;
}

int run(const std::string& source, const std::string& scratch, std::size_t cases, std::uint64_t seed) {
  const std::string sound_bytes = read_store(source);
  const std::string sound_lock = read_file(source + "/lock.mdb");
  if (sound_lock.empty()) {
    std::fprintf(stderr, "%s has no lock.mdb\n", source.c_str());
    return 1;
  }
  put_store(scratch, {sound_bytes, sound_lock});
  const auto sound = read_contents(scratch, {});
  if (!sound) {
    std::fprintf(stderr, "the sound store: %s\n", sound.error().message.c_str());
    return 1;
  }
  bool is_good = true;
  for (const MutationGroup& group : make_mutations(sound_bytes.size() / kPage, cases, seed)) {
    std::array<std::uint64_t, kVerdicts> counts{};
    std::uint64_t total = 0;
    for (const Mutation& mutation : group.mutations) {
      Files files{sound_bytes, total % 2 == 0 ? sound_lock : ""};
      if (!mutation.apply(files.data)) continue;
      put_store(scratch, files);
      const Verdict verdict = judge_in_child(scratch, *sound);
      ++counts[verdict];
      ++total;
      if (verdict <= kRefused) continue;
      is_good = false;
      std::fprintf(stderr, "FOUND %s: %s, %s lock.mdb\n", kNames[verdict], mutation.text().c_str(),
                   files.lock.empty() ? "without" : "with its");
    }
    std::printf("| %s | %" PRIu64 " |", group.name.c_str(), total);
    for (const std::uint64_t count : counts) std::printf(" %" PRIu64 " |", count);
    std::printf("\n");
    std::fflush(stdout);
  }
  std::filesystem::remove_all(scratch);
  return is_good ? 0 : 1;
}

}  // namespace
}  // namespace rota::store::test

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: store_damage DIRECTORY SCRATCH CASES SEED\n");
    return 64;
  }
  return rota::store::test::run(arguments[1], arguments[2], std::strtoull(arguments[3], nullptr, 10),
                                std::strtoull(arguments[4], nullptr, 10));
}
