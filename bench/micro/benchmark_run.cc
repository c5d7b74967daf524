#include <benchmark/benchmark.h>

#include "bench/micro/instruction_counter.h"

// main() of every benchmark here: as Google Benchmark's own, and says whether instructions are counted.
int main(int argc, char** argv) {
  const rota::micro::InstructionCounter counter;
  benchmark::AddCustomContext("instructions",
                              counter.is_supported() ? "counted, in user space, for each job" : "not supported");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
