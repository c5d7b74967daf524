#include "client/cli/table.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include "client/cli/shown_text.h"
#include "common/base/check.h"

namespace rota::cli {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLeftOut = SIZE_MAX;

std::string_view sequence_of(Colour colour) {
  switch (colour) {
    case Colour::none:
      return "";
    case Colour::bold:
      return "\x1b[1m";
    case Colour::dim:
      return "\x1b[2m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::green:
      return "\x1b[32m";
    case Colour::yellow:
      return "\x1b[33m";
    case Colour::blue:
      return "\x1b[34m";
    case Colour::cyan:
      return "\x1b[36m";
  }
  return "";
}

std::size_t total(const std::vector<std::size_t>& widths) {
  std::size_t sum = 0;
  for (const std::size_t width : widths) sum += width == kLeftOut ? 0 : width + kGap;
  return sum < kGap ? 0 : sum - kGap;
}

// Takes what is too much from the widest columns that may be cut; false if that is not enough.
bool shrink(std::vector<std::size_t>& widths, const std::vector<Table::Column>& columns, std::size_t room, bool keep_end) {
  while (total(widths) > room) {
    std::size_t widest = columns.size();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::size_t least = std::max(columns[i].least, columns[i].title.size());
      const bool can =
          columns[i].least > 0 && columns[i].keep_end == keep_end && widths[i] != kLeftOut && widths[i] > least;
      if (can && (widest == columns.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == columns.size()) return false;
    --widths[widest];
  }
  return true;
}

}  // namespace

std::string coloured(std::string text, Colour colour, const TextStyle& style) {
  if (!style.colour || colour == Colour::none) return text;
  return std::string(sequence_of(colour)) + text + "\x1b[0m";
}

void Table::add(std::vector<Cell> row) {
  ROTA_CHECK(row.size() == columns_.size());
  for (Cell& cell : row) cell.text = shown_line(cell.text);
  rows_.push_back(std::move(row));
}

bool Table::is_blank(std::size_t column) const {
  return std::all_of(rows_.begin(), rows_.end(), [column](const std::vector<Cell>& row) {
    return row[column].text.empty() || row[column].text == "-";
  });
}

bool Table::tells_something(std::size_t column) const {
  return std::any_of(rows_.begin(), rows_.end(), [column](const std::vector<Cell>& row) {
    return row[column].text.find_first_not_of("-0.") != std::string::npos;
  });
}

std::vector<std::size_t> Table::layout(const TextStyle& style) const {
  std::vector<std::size_t> natural;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_[i].title.size();
    for (const std::vector<Cell>& row : rows_) width = std::max(width, display_width(row[i].text));
    natural.push_back(style.columns > 0 && is_blank(i) ? kLeftOut : width);
  }
  if (style.columns == 0) return natural;
  for (;;) {
    std::vector<std::size_t> widths = natural;
    if (shrink(widths, columns_, style.columns, false)) return widths;
    std::size_t first = columns_.size();  // to go
    const auto rank = [this](std::size_t i) { return std::tuple(columns_[i].vital, tells_something(i), columns_[i].drop); };
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].drop == 0 || natural[i] == kLeftOut) continue;
      if (first == columns_.size() || rank(i) < rank(first)) first = i;
    }
    if (first == columns_.size()) {
      (void)shrink(widths, columns_, style.columns, true);
      return widths;
    }
    natural[first] = kLeftOut;
  }
}

std::string Table::render(const TextStyle& style) const {
  const std::vector<std::size_t> widths = layout(style);
  std::string out;
  const auto line = [&](const auto& text_of, const auto& colour_of) {
    std::string blanks;  // before the next cell: none at the end of a line
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (widths[i] == kLeftOut) continue;
      const std::string text = cut_to_width(text_of(i), widths[i], columns_[i].keep_end);
      const std::size_t rest = widths[i] - std::min(widths[i], display_width(text));
      if (columns_[i].right) blanks.append(rest, ' ');
      if (!text.empty()) {
        out += blanks + coloured(text, colour_of(i), style);
        blanks.clear();
      }
      blanks.append((columns_[i].right ? 0 : rest) + kGap, ' ');
    }
    out += '\n';
  };
  line([this](std::size_t i) -> const std::string& { return columns_[i].title; }, [](std::size_t) { return Colour::bold; });
  for (const std::vector<Cell>& row : rows_) {
    line([&row](std::size_t i) -> const std::string& { return row[i].text; },
         [&row](std::size_t i) { return row[i].colour; });
  }
  return out;
}

}  // namespace rota::cli
