// How an attempt ended, and the small lists that many messages share.
#include "common/wire/body_codec.h"

namespace rota::wire {
namespace {

// Fields of a report that are written: up to the last one that says something.
std::size_t report_fields(const Report& report, bool with_worker) {
  if (with_worker && !report.worker.empty()) return 7;
  if (report.signal) return 6;
  if (!report.error_message.empty()) return 5;
  if (!report.error_code.empty()) return 4;
  if (!report.stderr_tail.empty()) return 3;
  if (report.exit_code) return 2;
  return report.result.empty() ? 0 : 1;
}

}  // namespace

// [result, exit_code, stderr_tail, error_code, error_message, signal, worker], trailing nils cut.
void read_report(Reader& reader, Report& report) {
  Fields fields(reader, "report");
  if (fields.has("result")) report.result = reader.bytes(limits::kLargestMaxPayload);
  if (fields.has("exit_code")) report.exit_code = static_cast<std::int32_t>(reader.integer(INT32_MIN, INT32_MAX));
  if (fields.has("stderr_tail")) report.stderr_tail = reader.bytes(limits::kMaxStderrTail);
  if (fields.has("error_code")) report.error_code = reader.text(limits::kMaxErrorCode);
  if (fields.has("error_message")) report.error_message = reader.text(limits::kMaxErrorMessage);
  if (fields.has("signal")) report.signal = static_cast<std::int32_t>(reader.integer(INT32_MIN, INT32_MAX));
  if (fields.has("worker")) report.worker = reader.text(limits::kMaxWorkerName);
}

void write_report(Writer& writer, const Report& report, bool with_worker) {
  const std::size_t fields = report_fields(report, with_worker);
  const auto binary = [&](std::string_view value) { value.empty() ? writer.nil() : writer.bytes(value); };
  const auto text = [&](std::string_view value) { value.empty() ? writer.nil() : writer.text(value); };
  const auto number = [&](const std::optional<std::int32_t>& value) { value ? writer.integer(*value) : writer.nil(); };
  writer.array(fields);
  if (fields >= 1) binary(report.result);
  if (fields >= 2) number(report.exit_code);
  if (fields >= 3) binary(report.stderr_tail);
  if (fields >= 4) text(report.error_code);
  if (fields >= 5) text(report.error_message);
  if (fields >= 6) number(report.signal);
  if (fields >= 7) text(report.worker);
}

bool is_empty_report(const Report& report, bool with_worker) { return report_fields(report, with_worker) == 0; }

void encode_report(const Report& report, std::string& out) {
  Writer writer(out);
  write_report(writer, report, true);
}

Result<Report> decode_report(std::string_view bytes) {
  Tape tape;
  if (const Status parsed = tape.parse(bytes); !parsed)
    return Error{parsed.error().code, "report: " + parsed.error().message};
  Reader reader(tape.entries(), "report");
  Report report;
  read_report(reader, report);
  if (!reader.ok()) return reader.take_error();
  return report;
}

void read_token(Reader& reader, TokenOf& token) {
  Fields fields(reader, "token");
  token.id = fields.at("id").job_id();
  token.token.epoch = fields.at("epoch").number();
  token.token.dispatch = fields.at("dispatch").number();
}

void write_token(Writer& writer, const TokenOf& token) {
  writer.array(3);
  writer.uuid(token.id);
  writer.number(token.token.epoch);
  writer.number(token.token.dispatch);
}

void read_ids(Reader& reader, std::size_t most, std::vector<JobId>& ids) {
  read_list(reader, "id", most, ids, [&](JobId& id) {
    reader.set_field(nullptr);
    id = reader.job_id();
  });
}

void write_ids(Writer& writer, const std::vector<JobId>& ids) {
  writer.array(ids.size());
  for (const JobId& id : ids) writer.uuid(id);
}

void read_codes(Reader& reader, std::size_t most, std::vector<Code>& codes) {
  read_list(reader, "code", most, codes, [&](Code& code) {
    reader.set_field(nullptr);
    code = reader.code();
  });
}

void write_codes(Writer& writer, const std::vector<Code>& codes) {
  writer.array(codes.size());
  for (const Code code : codes) writer.number(static_cast<std::uint64_t>(code));
}

}  // namespace rota::wire
