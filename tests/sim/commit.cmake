cmake_minimum_required(VERSION 3.20)
# Writes ${OUT}, the source of built_commit(); touches the file only if it differs.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=12 OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed OR NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUT} @ONLY CONTENT "#include \"tests/sim/commit.h\"

const char* rota::sim::built_commit() { return \"${commit}\"; }
")
