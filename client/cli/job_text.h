#pragma once

#include <string>
#include <vector>

#include "client/cli/table.h"
#include "client/cli/text_style.h"
#include "client/job.h"

// What people read: several lines, each with its end. Nothing in it can act on a terminal.
namespace rota::cli {

// Facts of one job, one a line, and the end of its stderr.
[[nodiscard]] std::string job_facts(const client::Job& job, const TextStyle& style = {});
// One job a line under a header.
[[nodiscard]] std::string job_table(const std::vector<client::Job>& jobs, const TextStyle& style = {});
// Rows with the columns of all of them; upright, one name and value a line, unless `as_table`.
[[nodiscard]] std::string row_table(const std::vector<client::AdminRow>& rows, bool as_table, const TextStyle& style = {});

// A state's colour wherever it is shown.
[[nodiscard]] Colour state_colour(JobState state);
// "-" where it does not apply; in full, or how long ago.
[[nodiscard]] std::string time_text(Wall at, const TextStyle& style);

}  // namespace rota::cli
