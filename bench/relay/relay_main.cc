// What ZeroMQ alone does with the hops of a job, to compare `rota bench` with in the same run:
//
//   client → relay (ack back) → worker → relay (ack back) → client
//
// Three processes on loopback TCP: this one is the client, and forks relay and worker. The relay copies every message once
// and knows no job. A message carries `--batch` jobs as plain bytes; `--window` jobs are in flight. Prints one JSON object.
//
//   rota-relay-bench [--jobs N] [--payload BYTES] [--batch N] [--window N] [--acks 0|1]
//
// One in flight (--batch 1 --window 1) is the floor of `rota bench latency --durability memory`.

#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Load {
  std::uint64_t jobs = 100'000;
  std::uint64_t payload = 100;
  std::uint64_t batch = 1;
  std::uint64_t window = 1;
  std::uint64_t acks = 1;
};

constexpr char kAck = 'a';
constexpr char kWork = 'w';
constexpr char kDone = 'd';
constexpr int kDrainBudget = 1000;  // messages from one socket before the other is looked at, as in the broker

std::int64_t now_ns() {
  timespec at{};
  ::clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1'000'000'000 + at.tv_nsec;
}

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "rota-relay-bench: %s: %s\n", what, zmq_strerror(zmq_errno()));
  std::exit(70);
}

void* open_socket(void* context, int type) {
  void* socket = zmq_socket(context, type);
  if (socket == nullptr) die("socket");
  const int none = 0;
  zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
  zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
  return socket;
}

void send(void* socket, const std::string& frame) {
  if (zmq_send(socket, frame.data(), frame.size(), 0) < 0) die("send");
}

// A whole ROUTER message: the peer's id and the body.
bool receive_from(void* router, std::string& peer, std::string& body) {
  std::array<char, 256> id{};
  const int id_size = zmq_recv(router, id.data(), id.size(), ZMQ_DONTWAIT);
  if (id_size < 0) return false;
  peer.assign(id.data(), static_cast<std::size_t>(id_size));
  zmq_msg_t message;
  zmq_msg_init(&message);
  if (zmq_msg_recv(&message, router, 0) < 0) die("receive");
  body.assign(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
  zmq_msg_close(&message);
  return true;
}

void send_to(void* router, const std::string& peer, const std::string& body) {
  if (zmq_send(router, peer.data(), peer.size(), ZMQ_SNDMORE) < 0) die("send");
  send(router, body);
}

std::string bound_endpoint(void* socket) {
  if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0) die("bind");
  std::array<char, 256> endpoint{};
  std::size_t size = endpoint.size();
  zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint.data(), &size);
  return endpoint.data();
}

// Learns a peer's id from its first message, and passes bodies on to it from then on.
struct Side {
  void* router = nullptr;
  std::string peer;
};

void pass_on(Side& from, Side& to, char as, bool acks) {
  std::string peer;
  std::string body;
  const std::string ack(1, kAck);
  for (int i = 0; i < kDrainBudget && receive_from(from.router, peer, body); ++i) {
    from.peer = peer;
    if (body.size() == 1) continue;  // a greeting
    if (acks) send_to(from.router, peer, ack);
    body[0] = as;
    send_to(to.router, to.peer, body);
  }
}

[[noreturn]] void run_relay(int endpoints_pipe, bool acks) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  void* context = zmq_ctx_new();
  Side clients{open_socket(context, ZMQ_ROUTER), {}};
  Side workers{open_socket(context, ZMQ_ROUTER), {}};
  const std::string endpoints = bound_endpoint(clients.router) + "\n" + bound_endpoint(workers.router) + "\n";
  if (::write(endpoints_pipe, endpoints.data(), endpoints.size()) < 0) die("pipe");
  std::array<zmq_pollitem_t, 2> items{{{workers.router, 0, ZMQ_POLLIN, 0}, {clients.router, 0, ZMQ_POLLIN, 0}}};
  for (;;) {
    // Clients are heard once the worker is there.
    zmq_poll(items.data(), workers.peer.empty() ? 1 : 2, -1);
    pass_on(workers, clients, kDone, acks);
    if (!workers.peer.empty()) pass_on(clients, workers, kWork, acks);
  }
}

[[noreturn]] void run_worker(const std::string& endpoint) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  void* context = zmq_ctx_new();
  void* socket = open_socket(context, ZMQ_DEALER);
  if (zmq_connect(socket, endpoint.c_str()) != 0) die("connect");
  send(socket, "g");
  zmq_msg_t message;
  zmq_msg_init(&message);
  for (;;) {
    if (zmq_msg_recv(&message, socket, 0) < 0) die("receive");
    const std::string_view body(static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message));
    if (body.front() != kWork) continue;
    // A completion: the jobs' numbers without their payloads.
    std::string done(1 + 16, kDone);
    std::memcpy(done.data() + 1, body.data() + 1, 16);
    send(socket, done);
  }
}

// Bytes 1–8 of a message: when it was sent; 9–16: how many jobs it holds.
void run_client(const std::string& endpoint, const Load& load) {
  void* context = zmq_ctx_new();
  void* socket = open_socket(context, ZMQ_DEALER);
  if (zmq_connect(socket, endpoint.c_str()) != 0) die("connect");
  std::vector<std::uint32_t> took;
  took.reserve(load.jobs);
  std::string frame;
  std::uint64_t sent = 0;
  std::uint64_t done = 0;
  zmq_msg_t message;
  zmq_msg_init(&message);
  const std::int64_t start = now_ns();
  while (done < load.jobs) {
    while (sent < load.jobs && sent - done + std::min(load.batch, load.jobs - sent) <= load.window) {
      const std::uint64_t count = std::min(load.batch, load.jobs - sent);
      frame.assign(17 + count * load.payload, kWork);
      const std::int64_t at = now_ns();
      std::memcpy(frame.data() + 1, &at, sizeof at);
      std::memcpy(frame.data() + 9, &count, sizeof count);
      send(socket, frame);
      sent += count;
    }
    if (zmq_msg_recv(&message, socket, 0) < 0) die("receive");
    const char* body = static_cast<const char*>(zmq_msg_data(&message));
    if (*body != kDone) continue;
    std::int64_t at = 0;
    std::uint64_t count = 0;
    std::memcpy(&at, body + 1, sizeof at);
    std::memcpy(&count, body + 9, sizeof count);
    const auto micros = static_cast<std::uint32_t>((now_ns() - at) / 1000);
    took.insert(took.end(), count, micros);
    done += count;
  }
  const double seconds = static_cast<double>(now_ns() - start) / 1e9;
  std::sort(took.begin(), took.end());
  const auto at = [&took](double share) {
    return took[std::min(took.size() - 1, static_cast<std::size_t>(share * static_cast<double>(took.size())))];
  };
  std::printf(
      "{\"workload\":\"relay\",\"jobs\":%llu,\"seconds\":%.6f,\"jobs_per_second\":%.0f,\"batch\":%llu,\"window\":%llu,"
      "\"payload\":%llu,\"acks\":%s,\"p50_us\":%u,\"p99_us\":%u,\"p999_us\":%u}\n",
      static_cast<unsigned long long>(load.jobs), seconds, static_cast<double>(load.jobs) / seconds,
      static_cast<unsigned long long>(load.batch), static_cast<unsigned long long>(load.window),
      static_cast<unsigned long long>(load.payload), load.acks != 0 ? "true" : "false", at(0.5), at(0.99), at(0.999));
}

bool parse(int argc, char** argv, Load& load) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    std::uint64_t* target = name == "--jobs"      ? &load.jobs
                            : name == "--payload" ? &load.payload
                            : name == "--batch"   ? &load.batch
                            : name == "--window"  ? &load.window
                            : name == "--acks"    ? &load.acks
                                                  : nullptr;
    if (target == nullptr || i + 1 >= argc) return false;
    const std::string_view value = argv[i + 1];
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *target);
    if (error != std::errc{} || end != value.data() + value.size()) return false;
  }
  return load.jobs > 0 && load.batch > 0 && load.window >= load.batch;
}

}  // namespace

int main(int argc, char** argv) {
  Load load;
  if (!parse(argc, argv, load)) {
    std::fputs("rota-relay-bench: options are --jobs, --payload, --batch, --window (not below the batch) and --acks 0|1\n",
               stderr);
    return 64;
  }
  // Children first: a context must not cross a fork.
  std::array<int, 2> pipe_ends{};
  if (::pipe(pipe_ends.data()) != 0) return 70;
  const pid_t relay = ::fork();
  if (relay == 0) run_relay(pipe_ends[1], load.acks != 0);
  std::array<char, 512> text{};
  std::string endpoints;
  while (std::count(endpoints.begin(), endpoints.end(), '\n') < 2) {
    const ssize_t got = ::read(pipe_ends[0], text.data(), text.size());
    if (got <= 0) return 70;
    endpoints.append(text.data(), static_cast<std::size_t>(got));
  }
  const std::size_t line = endpoints.find('\n');
  const std::string workers = endpoints.substr(line + 1, endpoints.find('\n', line + 1) - line - 1);
  const pid_t worker = ::fork();
  if (worker == 0) run_worker(workers);
  run_client(endpoints.substr(0, line), load);
  for (const pid_t child : {worker, relay}) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  return 0;
}
