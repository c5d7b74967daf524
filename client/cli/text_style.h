#pragma once

#include <cstddef>

#include "common/base/clock.h"

namespace rota::cli {

// How text for people may look where it goes to. The default is plain: for pipes, files and tests.
struct TextStyle {
  bool colour = false;
  std::size_t columns = 0;  // width of the terminal; 0: no limit, nothing is ever cut
  Wall now{};               // times are told as "5m ago" from here; 0: in full
};

// What a descriptor allows: everything on a terminal, colours only without NO_COLOR (set and not empty) and TERM=dumb;
// plain elsewhere.
[[nodiscard]] TextStyle text_style(int fd);

// Whether lines on this descriptor can be drawn again: a terminal other than a dumb one.
[[nodiscard]] bool can_redraw(int fd);

}  // namespace rota::cli
