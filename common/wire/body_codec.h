#pragma once

#include <string_view>

#include "common/wire/codec.h"
#include "common/wire/message.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

// The wire form of every message and of the pieces they share, as docs/protocol.md gives it. Internal to common/wire.
namespace rota::wire {

// --- pieces: each reads or writes one msgpack value -------------------------------------------------------------------

void read_options(Reader& reader, JobOptions& options);
void write_options(Writer& writer, const JobOptions& options);
void read_spec(Reader& reader, Spec& spec);
void write_spec(Writer& writer, const Spec& spec);
void read_selector(Reader& reader, Selector& selector);
void write_selector(Writer& writer, const Selector& selector);
void read_report(Reader& reader, Report& report);
void write_report(Writer& writer, const Report& report, bool with_worker);
[[nodiscard]] bool is_empty_report(const Report& report, bool with_worker);
void read_strings(Reader& reader, std::size_t most_pairs, std::size_t most_bytes, std::vector<Pair>& pairs);
void write_strings(Writer& writer, const std::vector<Pair>& pairs);
void read_token(Reader& reader, TokenOf& token);  // [id, epoch, dispatch]
void write_token(Writer& writer, const TokenOf& token);
void read_ids(Reader& reader, std::size_t most, std::vector<JobId>& ids);
void write_ids(Writer& writer, const std::vector<JobId>& ids);
void read_job_info(Reader& reader, JobInfo& job);  // of JOBS and LISTED
void write_job_info(Writer& writer, const JobInfo& job);
void read_codes(Reader& reader, std::size_t most, std::vector<Code>& codes);
void write_codes(Writer& writer, const std::vector<Code>& codes);

// --- bodies: read_body takes the fields behind [type, request]; write_message appends the whole frame -----------------

// Refuses with VERSION where [min, max] and this side's range have nothing in common.
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Hello& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Welcome& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, ErrorReply& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Ping& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Pong& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Goodbye& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Submit& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Submitted& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Wait& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Notify& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Get& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Jobs& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Cancel& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Retry& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Results& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, List& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Listed& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Admin& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, AdminReply& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Dispatch& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Complete& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Completed& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Renew& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Renewed& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Reclaim& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Released& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, CancelJobs& body);
void read_body(Reader& reader, Fields& fields, const DecodeLimits& limits, Drain& body);

void write_message(Writer& writer, Request request, const Hello& body);
void write_message(Writer& writer, Request request, const Welcome& body);
void write_message(Writer& writer, Request request, const ErrorReply& body);
void write_message(Writer& writer, Request request, const Ping& body);
void write_message(Writer& writer, Request request, const Pong& body);
void write_message(Writer& writer, Request request, const Goodbye& body);
void write_message(Writer& writer, Request request, const Submit& body);
void write_message(Writer& writer, Request request, const Submitted& body);
void write_message(Writer& writer, Request request, const Wait& body);
void write_message(Writer& writer, Request request, const Notify& body);
void write_message(Writer& writer, Request request, const Get& body);
void write_message(Writer& writer, Request request, const Jobs& body);
void write_message(Writer& writer, Request request, const Cancel& body);
void write_message(Writer& writer, Request request, const Retry& body);
void write_message(Writer& writer, Request request, const Results& body);
void write_message(Writer& writer, Request request, const List& body);
void write_message(Writer& writer, Request request, const Listed& body);
void write_message(Writer& writer, Request request, const Admin& body);
void write_message(Writer& writer, Request request, const AdminReply& body);
void write_message(Writer& writer, Request request, const Dispatch& body);
void write_message(Writer& writer, Request request, const Complete& body);
void write_message(Writer& writer, Request request, const Completed& body);
void write_message(Writer& writer, Request request, const Renew& body);
void write_message(Writer& writer, Request request, const Renewed& body);
void write_message(Writer& writer, Request request, const Reclaim& body);
void write_message(Writer& writer, Request request, const Released& body);
void write_message(Writer& writer, Request request, const CancelJobs& body);
void write_message(Writer& writer, Request request, const Drain& body);

}  // namespace rota::wire
