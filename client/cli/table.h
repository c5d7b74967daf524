#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/text_style.h"

namespace rota::cli {

enum class Colour : std::uint8_t { none, bold, dim, red, green, yellow, blue, cyan };

// `text` in that colour, where the style has colours.
[[nodiscard]] std::string coloured(std::string text, Colour colour, const TextStyle& style);

// Rows with a header, as people read them: aligned columns two blanks apart. Unprintable characters of the cells are shown
// as escapes. In a style without width nothing is cut and every column is there. On a terminal that is too narrow
// the columns that may be cut get an ellipsis, widest first; then whole columns go, those of zeros first, otherwise as
// their `drop` says, and the vital ones last; then those that keep their end are cut. Columns without any value are left
// out there.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;     // numbers
    std::size_t least = 0;  // may be cut to so many columns; 0: never
    bool keep_end = false;  // cut off the beginning: ids, whose ending names them
    unsigned drop = 0;      // goes before those with a greater number; 0: never
    bool vital = false;     // goes after all others, zeros or not
  };
  struct Cell {
    Cell(std::string value, Colour look = Colour::none) : text(std::move(value)), colour(look) {}  // NOLINT
    Cell(const char* value) : Cell(std::string(value)) {}                                          // NOLINT
    std::string text;                                                                              // empty or "-": no value
    Colour colour;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns.
  void add(std::vector<Cell> row);
  // Header and rows, each with its line end.
  [[nodiscard]] std::string render(const TextStyle& style) const;

 private:
  // Width of each column; kLeftOut: it is not shown.
  [[nodiscard]] std::vector<std::size_t> layout(const TextStyle& style) const;
  [[nodiscard]] bool is_blank(std::size_t column) const;
  [[nodiscard]] bool tells_something(std::size_t column) const;  // something other than zeros

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace rota::cli
