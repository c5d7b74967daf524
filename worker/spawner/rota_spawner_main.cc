// rota-spawner: starts commands for a rota-worker, which begins it. Not for people. Descriptor 3 is the stream to the
// worker.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "common/program/standard_streams.h"
#include "worker/spawner/server.h"

namespace {

constexpr int kWorkerStream = 3;

void prepare_signals() {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &plain, nullptr);
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  // The worker decides when to stop; launch() gives commands these back.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) sigaction(number, &ignored, nullptr);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_SETMASK, &children, nullptr);
}

}  // namespace

int main() {
  rota::program::open_standard_streams();  // the ends of pipes must not get the numbers that launch() replaces
  struct stat about {};
  if (fstat(kWorkerStream, &about) != 0 || !S_ISSOCK(about.st_mode)) {
    std::fputs("rota-spawner: started by rota-worker only; run rota-worker --exec instead\n", stderr);
    return 64;
  }
  close_range(kWorkerStream + 1, ~0U, 0);  // whatever the worker's own starter left open
  setsid();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prepare_signals();
  rota::spawner::Server server{rota::spawner::Descriptor{kWorkerStream}};
  server.serve();
  return 0;
}
