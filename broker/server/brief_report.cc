#include "broker/server/brief_report.h"

#include "broker/server/translate.h"
#include "common/wire/codec.h"

namespace rota::server {

std::string brief_report(std::string_view report, std::uint64_t& left_out, bool with_stderr) {
  left_out = 0;
  if (report.empty()) return {};
  wire::Report brief = to_report(report);
  left_out = brief.result.size();
  brief.result = {};
  if (!with_stderr) brief.stderr_tail = {};
  std::string bytes;
  wire::encode_report(brief, bytes);
  return bytes;
}

}  // namespace rota::server
