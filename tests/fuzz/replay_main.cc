// Runs a fuzz target without libFuzzer: every file of the given folders, and seeded mutations of them. The inputs are run
// in a child process, so that one which stops it can be named and kept.
//   replay_wire_decode [--mutations N] [--seed S] FOLDER|FILE...
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/base/prng.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);
// A target may say here, behind the last input, that they came far enough.
extern "C" __attribute__((weak)) void rota_replayed();

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxInput = 64 * 1024;  // mutations do not grow beyond; files of the corpus are taken as they are

struct Seeds {
  std::vector<std::string> names;
  std::vector<std::string> inputs;
};

struct Arguments {
  std::uint64_t mutations = 0;
  std::uint64_t seed = 1;
  std::vector<fs::path> paths;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--mutations" && i + 1 < argc) {
      arguments.mutations = std::strtoull(argv[++i], nullptr, 10);
    } else if (word == "--seed" && i + 1 < argc) {
      arguments.seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      arguments.paths.emplace_back(word);
    }
  }
  return arguments;
}

Seeds read_seeds(const std::vector<fs::path>& paths) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());  // the mutations depend on the order
  Seeds seeds;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    seeds.names.push_back(file.string());
    seeds.inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return seeds;
}

// One small change, of the kinds that libFuzzer makes without a dictionary.
void mutate_once(std::string& input, const Seeds& seeds, rota::Prng& random) {
  constexpr std::string_view kTelling("\x00\xFF\x7F\x80\x01\xC1\xDF\xDD\xC6\n=-", 12);
  const std::size_t at = random.below(input.size() + 1);
  const std::size_t length = std::min<std::size_t>(input.size() - at, random.below(16) + 1);
  const std::string& other = seeds.inputs[random.below(seeds.inputs.size())];
  const std::size_t from = random.below(other.size() + 1);
  switch (random.below(7)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
      break;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(random.below(256));
      break;
    case 2:
      if (at < input.size()) input[at] = kTelling[random.below(kTelling.size())];
      break;
    case 3:
      input.erase(at, length);
      break;
    case 4:
      input.insert(at, 1, static_cast<char>(random.below(256)));
      break;
    case 5:
      input.insert(at, input.substr(at, length));
      break;
    default:
      input = input.substr(0, at) + other.substr(from);
      break;
  }
  if (input.size() > kMaxInput) input.resize(kMaxInput);
}

// Input `number`: first the corpus itself, then mutations, each of which follows from the seed and its number alone.
std::string make_input(const Seeds& seeds, std::uint64_t seed, std::uint64_t number) {
  if (number < seeds.inputs.size()) return seeds.inputs[number];
  rota::Prng random(seed + number);
  std::string input = seeds.inputs[random.below(seeds.inputs.size())];
  for (std::uint64_t changes = random.below(8) + 1; changes > 0; --changes) mutate_once(input, seeds, random);
  return input;
}

int run_all(const Seeds& seeds, std::uint64_t seed, std::uint64_t count, volatile std::uint64_t& current) {
  for (std::uint64_t number = 0; number < count; ++number) {
    current = number;
    const std::string input = make_input(seeds, seed, number);
    const int kept = LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    ROTA_CHECK(kept == 0);
  }
  if (rota_replayed != nullptr) rota_replayed();
  return EXIT_SUCCESS;
}

int report(const Seeds& seeds, std::uint64_t seed, std::uint64_t number, int status) {
  std::string what;
  if (number < seeds.names.size()) {
    what = seeds.names[number];
  } else {
    const std::string input = make_input(seeds, seed, number);
    what = "finding-" + std::to_string(seed) + "-" + std::to_string(number);
    std::ofstream(what, std::ios::binary).write(input.data(), static_cast<std::streamsize>(input.size()));
  }
  std::fprintf(stderr, "input %s: the target ended with %s %d\n", what.c_str(),
               WIFSIGNALED(status) ? "signal" : "exit code", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const Seeds seeds = read_seeds(arguments.paths);
  if (seeds.inputs.empty()) {
    std::fprintf(stderr, "%s: no inputs; give files or folders of them\n", argv[0]);
    return EXIT_FAILURE;
  }
  const std::uint64_t count = seeds.inputs.size() + arguments.mutations;
  void* shared = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ROTA_CHECK(shared != MAP_FAILED);
  auto& current = *static_cast<volatile std::uint64_t*>(shared);
  const pid_t child = ::fork();
  ROTA_CHECK(child >= 0);
  if (child == 0) {
    if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
    return run_all(seeds, arguments.seed, count, current);
  }
  int status = 0;
  ROTA_CHECK(::waitpid(child, &status, 0) == child);
  if (status != 0) return report(seeds, arguments.seed, current, status);
  std::printf("%llu inputs: %zu of the corpus, %llu mutations\n", static_cast<unsigned long long>(count),
              seeds.inputs.size(), static_cast<unsigned long long>(arguments.mutations));
  return EXIT_SUCCESS;
}
