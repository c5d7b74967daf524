#include "broker/program/store_commands.h"

#include <cinttypes>
#include <cstdio>
#include <string>

#include "broker/store/backup.h"
#include "broker/store/check.h"
#include "common/base/clock.h"
#include "common/base/units.h"
#include "common/program/exit_code.h"

namespace rota::broker {
namespace {

int fail(int exit_code, const std::string& sentence) {
  std::fflush(stdout);
  std::fprintf(stderr, "rota-broker: %s\n", sentence.c_str());
  return exit_code;
}

void print_number(const char* name, std::uint64_t number) { std::printf("%-14s %12" PRIu64 "\n", name, number); }
void print_size(const char* name, std::uint64_t bytes) { std::printf("%-14s %12s\n", name, format_size(bytes).c_str()); }

void print_contents(const store::CheckReport& report) {
  if (report.format != 0) print_number("format", report.format);
  if (!report.broker_id.is_nil()) std::printf("%-14s %s\n", "broker", to_string(report.broker_id).c_str());
  if (report.epoch != 0) print_number("epoch", report.epoch);
  print_number("live jobs", report.live_jobs);
  print_number("finished jobs", report.finished_jobs);
  print_number("paused queues", report.paused_queues);
  print_size("file", report.file_bytes);
  print_size("in use", report.used_bytes);
  std::printf("\n%-14s %12s %12s\n", "table", "records", "size");
  for (std::size_t i = 1; i <= store::kTableCount; ++i) {
    const store::TableReport& table = report.tables[i];
    std::printf("%-14s %12" PRIu64 " %12s\n", std::string(table_name(static_cast<store::Table>(i))).c_str(), table.records,
                format_size(table.bytes).c_str());
  }
  std::printf("\n");
}

void print(const store::CheckReport& report) {
  if (report.is_read) print_contents(report);
  for (const std::string& damage : report.listed) std::printf("%s\n", damage.c_str());
  if (report.damages > report.listed.size()) {
    std::printf("and %" PRIu64 " more\n", report.damages - report.listed.size());
  }
}

}  // namespace

int check_store(const std::string& directory) {
  const Result<store::CheckReport> report = store::check_lmdb(directory);
  if (!report) return fail(program::exit_for(report.error().code), report.error().message);
  print(*report);
  if (report->is_sound()) {
    std::printf("%s is sound\n", directory.c_str());
    return program::kExitOk;
  }
  return fail(program::kExitJobFailed, directory + " is damaged (" + std::to_string(report->damages) +
                                           (report->damages == 1 ? " finding" : " findings") +
                                           "); restore the store from a backup");
}

int back_up_store(const std::string& directory, const std::string& target) {
  const std::int64_t begun = monotonic_us();
  const Result<store::BackupReport> report = store::backup_lmdb(directory, target);
  if (!report) return fail(program::exit_for(report.error().code), report.error().message);
  if (!report->damage.empty()) return fail(program::kExitJobFailed, report->damage);
  std::printf("%s copied to %s: %s in %.1f s\n", directory.c_str(), target.c_str(), format_size(report->bytes).c_str(),
              static_cast<double>(monotonic_us() - begun) / 1e6);
  return program::kExitOk;
}

}  // namespace rota::broker
