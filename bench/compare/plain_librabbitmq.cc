#include <amqp.h>
#include <amqp_tcp_socket.h>

#include <string_view>

#include "bench/compare/failure.h"
#include "bench/compare/monotonic_clock.h"
#include "bench/compare/payload.h"
#include "bench/compare/plain_client.h"

namespace rota::compare {

namespace {

constexpr const char* kQueue = "jobs";
constexpr amqp_channel_t kChannel = 1;

amqp_bytes_t bytes_of(std::string_view text) {
  // The library reads only, but its type is not const.
  return {text.size(), const_cast<char*>(text.data())};
}

class Connected {
 public:
  explicit Connected(const Load& load) : state_(amqp_new_connection()) {
    amqp_socket_t* socket = amqp_tcp_socket_new(state_);
    if (socket == nullptr || amqp_socket_open(socket, load.address.c_str(), load.port) != 0) fail("librabbitmq: connect");
    constexpr int kFrameBytes = 131072;
    check(amqp_login(state_, "/", 0, kFrameBytes, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"), "login");
    amqp_channel_open(state_, kChannel);
    check("channel");
  }
  ~Connected() { amqp_destroy_connection(state_); }
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;
  [[nodiscard]] amqp_connection_state_t state() const { return state_; }
  static void check(const amqp_rpc_reply_t& reply, const char* what) {
    if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(std::string("librabbitmq: ") + what);
  }
  void check(const char* what) const { check(amqp_get_rpc_reply(state_), what); }

 private:
  amqp_connection_state_t state_;
};

class PlainLibrabbitmq : public PlainClient {
 public:
  explicit PlainLibrabbitmq(const Load& load) {
    const Connected to(load);
    amqp_queue_declare(to.state(), kChannel, amqp_cstring_bytes(kQueue), 0, 1, 0, 0, amqp_empty_table);
    to.check("declare");
  }

  // With confirms, one by one: without them a publisher never learns whether the server has the job.
  void submit_all(const Load& load, Progress& progress) override {
    const Connected to(load);
    amqp_confirm_select(to.state(), kChannel);
    to.check("confirm");
    Payload payload(load.payload);
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    for (std::uint64_t job = 0; job < load.jobs; ++job) {
      progress.submitted(job, now_ns());
      if (amqp_basic_publish(to.state(), kChannel, amqp_cstring_bytes(""), amqp_cstring_bytes(kQueue), 0, 0, &properties,
                             bytes_of(payload.of(job))) != AMQP_STATUS_OK) {
        fail("librabbitmq: publish");
      }
      amqp_frame_t frame;
      if (amqp_simple_wait_frame(to.state(), &frame) != AMQP_STATUS_OK || frame.frame_type != AMQP_FRAME_METHOD ||
          frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        fail("librabbitmq: no confirm");
      }
      amqp_maybe_release_buffers(to.state());
      progress.acknowledged(job);
    }
  }

  void serve_all(const Load& load, const std::function<void()>& ready) override {
    const Connected to(load);
    amqp_basic_consume(to.state(), kChannel, amqp_cstring_bytes(kQueue), amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
    to.check("consume");
    ready();
    for (std::uint64_t done = 0; done < load.jobs; ++done) {
      amqp_maybe_release_buffers(to.state());
      amqp_envelope_t envelope;
      Connected::check(amqp_consume_message(to.state(), &envelope, nullptr, 0), "consume a message");
      if (amqp_basic_ack(to.state(), kChannel, envelope.delivery_tag, 0) != AMQP_STATUS_OK) fail("librabbitmq: ack");
      amqp_destroy_envelope(&envelope);
    }
  }
};

}  // namespace

std::unique_ptr<PlainClient> make_plain_librabbitmq(const Load& load) { return std::make_unique<PlainLibrabbitmq>(load); }

}  // namespace rota::compare
