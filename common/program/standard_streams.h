#pragma once

namespace rota::program {

// Opens /dev/null in the place of each of descriptors 0, 1 and 2 that is closed. Otherwise the next sockets and files of
// the program would get these numbers, and what it prints would be written into them. Call first in main(), before threads
// and before anything else opens a descriptor. Reading and writing fail with EBADF as they did. Never fails; where
// /dev/null cannot be opened the places are taken all the same.
void open_standard_streams();

}  // namespace rota::program
