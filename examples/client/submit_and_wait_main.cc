// Submits a thousand jobs for the handler "echo", waits for them and counts what came back.
//
//   example-submit-and-wait [ENDPOINT]
//
// Needs a worker that serves "echo".

#include <cstdio>
#include <string>
#include <vector>

#include "client/client.h"

int main(int argc, char** argv) {
  using namespace rota;

  client::ClientOptions options;
  if (argc > 1) options.endpoint = argv[1];
  Result<client::Client> connected = client::Client::connect(options);
  if (!connected) {
    std::fprintf(stderr, "%s\n", connected.error().message.c_str());
    return 1;
  }
  client::Client& broker = *connected;

  std::vector<JobId> accepted;
  broker.on_submitted([&accepted](const client::SubmitResult& result) {
    if (result.accepted()) accepted.push_back(result.id);
  });

  // What all jobs share stands in the template; each item adds its own part. Submits return at once and leave in batches.
  client::JobTemplate shared;
  shared.type = "echo";
  shared.options.retries = 2;
  for (int i = 0; i < 1000; ++i) {
    const std::string payload = "hello " + std::to_string(i);
    client::JobItem item;
    item.payload = payload;
    const Result<client::Ticket> ticket = broker.submit_async(shared, item);
    if (!ticket) {
      std::fprintf(stderr, "%s\n", ticket.error().message.c_str());
      return 1;
    }
  }
  // From here on every accepted job is on the broker's disk.
  const Result<client::Client::Flushed> flushed = broker.flush();
  if (!flushed) {
    std::fprintf(stderr, "%s\n", flushed.error().message.c_str());
    return 1;
  }
  if (flushed->first_refusal) std::fprintf(stderr, "refused: %s\n", flushed->first_refusal->message.c_str());

  int succeeded = 0;
  const Status waited = broker.wait(accepted, std::chrono::minutes{1}, true, [&succeeded](const client::FinishedJob& job) {
    if (job.succeeded()) ++succeeded;
  });
  if (!waited) std::fprintf(stderr, "%s\n", waited.error().message.c_str());
  std::printf("%zu accepted, %d succeeded\n", accepted.size(), succeeded);
  return waited && succeeded == 1000 ? 0 : 1;
}
