#include "broker/program/serve.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "broker/program/service_notify.h"
#include "broker/server/http.h"
#include "broker/server/load_buffer.h"
#include "broker/server/loop.h"
#include "broker/store/store.h"
#include "common/base/clock.h"
#include "common/base/entropy.h"
#include "common/base/peer_limits.h"
#include "common/net/socket.h"
#include "common/program/exit_code.h"
#include "common/program/version.h"

namespace rota::broker {
namespace {

int fail(int exit_code, std::string_view sentence) {
  std::fprintf(stderr, "rota-broker: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
  return exit_code;
}

int fail(const Error& error) {
  // An address or a directory that somebody else holds may be free later.
  const int code = error.code == Code::conflict      ? program::kExitTemporary
                   : error.code == Code::bad_message ? program::kExitUsage
                                                     : program::exit_for(error.code);
  return fail(code, error.message);
}

// A descriptor that becomes readable at SIGTERM or SIGINT. Called before any thread exists: all inherit the mask.
class StopSignals {
 public:
  StopSignals() {
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &stop, nullptr);
    (void)std::signal(SIGPIPE, SIG_IGN);
    fd_ = ::signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~StopSignals() { ::close(fd_); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// Every peer is a descriptor.
void raise_descriptor_limit(spdlog::logger& log) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  constexpr rlim_t kFew = 4096;
  if (limit.rlim_cur < kFew) {
    log.warn("only {} files may be open: no more peers than that can connect (ulimit -n, LimitNOFILE=)", limit.rlim_cur);
  }
}

// `asked` as the user wrote it, with the port that was bound.
std::string with_real_port(const std::string& asked, const std::string& bound) {
  const auto wanted = net::parse_tcp_endpoint(asked);
  const auto real = net::parse_tcp_endpoint(bound);
  if (!wanted || !real) return bound;
  return "tcp://" + wanted->host + ":" + std::to_string(real->port);
}

// What peers are told: the advertised host; "*" for a wildcard without one, in which peers put the host they reached.
std::string advertised(const std::string& endpoint, const std::string& host) {
  const auto parts = net::parse_tcp_endpoint(endpoint);
  if (!parts) return endpoint;
  std::string name = parts->host;
  if (!host.empty()) {
    name = host.find(':') != std::string::npos && !host.starts_with('[') ? "[" + host + "]" : host;
  } else if (name == "0.0.0.0" || name == "[::]") {
    name = "*";
  }
  return "tcp://" + name + ":" + std::to_string(parts->port);
}

struct Storage {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<store::Store> volatile_store;
  store::Opened opened;
  std::unique_ptr<queue::Core> core;
};

Result<Storage> open_storage(const BrokerOptions& options, spdlog::logger& log) {
  const std::int64_t begun = monotonic_us();
  store::StoreOptions store_options;
  store_options.store_limit = options.store_limit;
  store_options.finished_limit = options.finished_limit;
  store_options.dedup_window = options.dedup_window;
  Storage storage;
  storage.volatile_store = store::make_memory(store_options, options.memory_limit);
  server::LoadBuffer nothing;
  if (Result<store::Opened> loaded = storage.volatile_store->load(nothing); !loaded.ok()) return loaded.error();
  if (options.store == "memory") {
    storage.store = store::make_memory(store_options, options.memory_limit);
  } else {
    Result<std::unique_ptr<store::Store>> opened = store::open_lmdb(options.data, store_options);
    if (!opened.ok()) return opened.error();
    storage.store = std::move(opened).value();
  }
  server::LoadBuffer loaded;
  Result<store::Opened> opened = storage.store->load(loaded);
  if (!opened.ok()) return opened.error();
  storage.opened = opened.value();
  queue::CoreOptions core;
  core.epoch = storage.opened.epoch;
  core.next_sequence = storage.opened.next_sequence;
  core.next_dispatch = storage.opened.next_dispatch;
  core.last_id_clock = storage.opened.id_clock;
  core.lease = options.lease;
  core.reattach = options.reattach;
  core.dedup_window = options.dedup_window;
  storage.core = std::make_unique<queue::Core>(core, Prng(random_u64()));
  loaded.hand_over(*storage.core, read_clocks());
  log.info("{}: {} live jobs, epoch {}, loaded in {} ms", options.store == "memory" ? "memory store" : options.data,
           storage.opened.live_jobs, storage.opened.epoch, (monotonic_us() - begun) / 1000);
  return storage;
}

Result<net::Router> bind(net::Context& context, const std::string& endpoint, std::uint64_t max_payload,
                         const net::RouterOptions& marks) {
  net::RouterOptions options = marks;
  options.max_message_bytes = limits::max_message_bytes(static_cast<std::size_t>(max_payload));
  return net::Router::bind(context, endpoint, options);
}

std::string http_address(const BrokerOptions& options, const std::optional<server::HttpServer>& http) {
  if (!http) return "off";
  const bool is_v6 = options.http_host.find(':') != std::string::npos;
  return "http://" + (is_v6 ? "[" + options.http_host + "]" : options.http_host) + ":" + std::to_string(http->port());
}

}  // namespace

int serve(const BrokerOptions& options, spdlog::logger& log) {
  const StopSignals stop;
  raise_descriptor_limit(log);
  Result<Storage> storage = open_storage(options, log);
  if (!storage.ok()) return fail(storage.error());

  net::Context context;
  Result<net::Router> clients =
      bind(context, options.clients, options.max_payload, {limits::kClientSendMark, limits::kClientReceiveMark});
  if (!clients.ok()) return fail(clients.error());
  Result<net::Router> workers =
      bind(context, options.workers, options.max_payload, {limits::kWorkerSendMark, limits::kWorkerReceiveMark});
  if (!workers.ok()) return fail(workers.error());
  const std::string clients_endpoint = with_real_port(options.clients, clients->endpoint());
  const std::string workers_endpoint = with_real_port(options.workers, workers->endpoint());

  server::MetricsExchange metrics;
  std::optional<server::HttpServer> http;
  if (options.http != "off") {
    Result<server::HttpServer> started = server::HttpServer::start(options.http_host, options.http_port, metrics);
    if (!started.ok()) return fail(started.error());
    http.emplace(std::move(started).value());
  }

  server::EngineOptions engine;
  engine.software = "rota " + std::string(program::kVersion);
  engine.broker_id = storage->opened.broker_id;
  engine.epoch = storage->opened.epoch;
  engine.max_payload = options.max_payload;
  engine.lease = options.lease;
  engine.dedup_window = options.dedup_window;
  engine.clients_endpoint = advertised(clients_endpoint, options.advertise);
  engine.workers_endpoint = advertised(workers_endpoint, options.advertise);
  engine.keeps_on_disk = options.store != "memory";
  server::Loop loop(std::move(engine), {*storage->core, *storage->store, *storage->volatile_store, metrics, log},
                    std::move(clients).value(), std::move(workers).value(), stop.fd());

  std::printf("rota-broker ready clients=%s workers=%s http=%s\n", clients_endpoint.c_str(), workers_endpoint.c_str(),
              http_address(options, http).c_str());
  std::fflush(stdout);
  notify_service_manager("READY=1");
  const Status served = loop.run();
  notify_service_manager("STOPPING=1");
  if (!served.ok()) {
    log.critical("{}", served.error().message);
    return fail(program::kExitInternal, "stopping, because the store cannot be trusted any more: " +
                                            served.error().message + "; everything acknowledged is on disk");
  }
  log.info("stopped");
  return program::kExitOk;
}

}  // namespace rota::broker
