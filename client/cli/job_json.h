#pragma once

#include <string>
#include <string_view>

#include "client/job.h"
#include "client/job_request.h"
#include "common/base/result.h"

// The objects that scripts read: each function gives one line without its end.
namespace rota::cli {

[[nodiscard]] std::string error_json(const Error& error);
// Of an end that was no success: the code of its error, otherwise its state.
[[nodiscard]] std::string end_code(const client::Job& job);
[[nodiscard]] std::string end_error_json(std::string_view code, std::string_view message);
[[nodiscard]] std::string submit_json(const client::SubmitResult& result);
// A job as `status` tells it. `with_result`: its result as "result", or "result_base64" if that is not UTF-8.
[[nodiscard]] std::string job_json(const client::Job& job, bool with_result = false);
[[nodiscard]] std::string finished_json(const client::FinishedJob& job);
[[nodiscard]] std::string outcome_json(const client::ItemOutcome& outcome);
[[nodiscard]] std::string row_json(const client::AdminRow& row);
// A list goes on at this cursor.
[[nodiscard]] std::string more_json(std::string_view cursor);
[[nodiscard]] std::string object_json(std::string_view name, std::string_view value);

}  // namespace rota::cli
