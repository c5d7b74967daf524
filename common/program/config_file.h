#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace rota::program {

// Where an option stands in a file: top level (table "") or the table of its subcommand.
struct ConfigKey {
  std::string table;
  std::string name;
  auto operator<=>(const ConfigKey&) const = default;
};

// A TOML file of options: `store-limit = "64GiB"`, `queue = ["a", "b"]`; those of a subcommand stand in its table.
class ConfigFile {
 public:
  ConfigFile() = default;
  // Errors name the file, and the line where it is not TOML.
  [[nodiscard]] static Result<ConfigFile> read(const std::string& path);

  // The value's text, or one text an array element; empty if the key is not there.
  [[nodiscard]] std::vector<std::string> values(const std::string& table, const std::string& name) const;
  // An error for the first key that is not known, naming the nearest known one. `elsewhere`: options that no file gives.
  // `table`: that of the command which is run ("": none), the likeliest one for a key in a wrong table.
  [[nodiscard]] Status check_keys(const std::vector<ConfigKey>& known, const std::vector<ConfigKey>& elsewhere = {},
                                  const std::string& table = "") const;

 private:
  std::string path_;
  std::map<ConfigKey, std::vector<std::string>> values_;
};

}  // namespace rota::program
