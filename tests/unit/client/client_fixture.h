#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "tests/unit/client/fake_broker.h"

namespace rota::client {

inline JobRequest noop_job() {
  JobRequest job;
  job.shared.type = "noop";
  job.payload = "payload";
  return job;
}

// Clients of a FakeBroker, and what they were told of their contact with it.
class ClientTest : public ::testing::Test {
 protected:
  Client connect(ClientOptions options = {}) {
    options.endpoint = broker.endpoint();
    options.on_contact_lost = [this](const std::string& reason) { lost.push_back(reason); };
    options.on_contact_back = [this] { ++back; };
    Result<Client> client = Client::connect(std::move(options));
    if (!client) ADD_FAILURE() << client.error().message;
    return std::move(client).value();
  }

  // A job that ends when the broker is told so, as a list of one.
  std::vector<JobId> unfinished_job(Client& client) {
    broker.finish_at_once = false;
    const Result<Submission> submitted = client.submit(noop_job());
    if (!submitted) ADD_FAILURE() << submitted.error().message;
    return {submitted->id};
  }

  FakeBroker broker;
  std::vector<std::string> lost;
  int back = 0;
};

}  // namespace rota::client
