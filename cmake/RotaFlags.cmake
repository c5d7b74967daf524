# Warnings, hardening and instrumentation, as one interface target that every target of the project links.
add_library(rota_flags INTERFACE)
target_compile_options(rota_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fno-omit-frame-pointer)

if(ROTA_SANITIZE)
  target_compile_options(rota_flags INTERFACE -fsanitize=${ROTA_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(rota_flags INTERFACE -fsanitize=${ROTA_SANITIZE})
  # GCC 12 reports false maybe-uninitialized and tsan-fence warnings under instrumentation.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(rota_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND ROTA_SANITIZE MATCHES "thread")
    target_compile_options(rota_flags INTERFACE -Wno-tsan)
  endif()
else()
  target_compile_options(rota_flags INTERFACE -fstack-protector-strong -fstack-clash-protection)
  target_compile_definitions(rota_flags INTERFACE
    $<$<CONFIG:Release,RelWithDebInfo>:_GLIBCXX_ASSERTIONS>
    $<$<CONFIG:Release,RelWithDebInfo>:_FORTIFY_SOURCE=2>)
  target_link_options(rota_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(ROTA_COVERAGE)
  # Several threads count; torn counts would be refused when they are read.
  target_compile_options(rota_flags INTERFACE --coverage -O0 -fprofile-update=atomic)
  target_link_options(rota_flags INTERFACE --coverage)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
