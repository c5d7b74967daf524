#pragma once

#include <string>
#include <vector>

#include "client/job.h"

// What people read: several lines, each with its end.
namespace rota::cli {

[[nodiscard]] std::string job_facts(const client::Job& job);
[[nodiscard]] std::string job_table(const std::vector<client::Job>& jobs);
// Rows with the columns of the first; a single row stands upright unless `as_table`.
[[nodiscard]] std::string row_table(const std::vector<client::AdminRow>& rows, bool as_table);

}  // namespace rota::cli
