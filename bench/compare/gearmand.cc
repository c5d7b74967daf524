// gearmand's binary protocol: http://gearman.org/protocol/ (PROTOCOL in its source).
//
// At its best: a batch's SUBMIT_JOBs in one write; GRAB_JOBs too, with the WORK_COMPLETEs of the batch before. A worker
// that found nothing says PRE_SLEEP and waits for a NOOP. Completions of background jobs are not acknowledged by the
// server.

#include "bench/compare/gearmand.h"

#include <arpa/inet.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "bench/compare/appetite.h"
#include "bench/compare/failure.h"
#include "bench/compare/payload.h"
#include "bench/compare/stream.h"
#include "bench/compare/submit_order.h"

namespace rota::compare {

namespace {

constexpr std::string_view kFunction = "bench";

enum class Packet : std::uint32_t {
  can_do = 1,
  pre_sleep = 4,
  noop = 6,
  submit_job = 7,
  job_created = 8,
  grab_job = 9,
  no_job = 10,
  job_assign = 11,
  work_complete = 13,
  submit_job_background = 18,
  error = 19,
};

constexpr std::size_t kHead = 12;

void append_packet(std::string& out, Packet type, std::initializer_list<std::string_view> parts) {
  std::size_t size = parts.size() > 0 ? parts.size() - 1 : 0;  // a zero byte between two parts
  for (const std::string_view part : parts) size += part.size();
  const std::uint32_t head[2] = {htonl(static_cast<std::uint32_t>(type)), htonl(static_cast<std::uint32_t>(size))};
  out.append("\0REQ", 4);
  out.append(reinterpret_cast<const char*>(head), sizeof head);
  bool is_first = true;
  for (const std::string_view part : parts) {
    if (!is_first) out += '\0';
    out += part;
    is_first = false;
  }
}

struct Received {
  Packet type = Packet::error;
  std::string_view data;
};

// The next whole packet; its view dies with the next receive.
std::optional<Received> next_packet(Stream& stream) {
  const std::string_view input = stream.input();
  if (input.size() < kHead) return std::nullopt;
  std::uint32_t head[2];
  std::memcpy(head, input.data() + 4, sizeof head);
  const std::size_t size = ntohl(head[1]);
  if (input.size() < kHead + size) return std::nullopt;
  stream.consume(kHead + size);
  Received packet{static_cast<Packet>(ntohl(head[0])), input.substr(kHead, size)};
  if (packet.type == Packet::error) fail("gearmand: " + std::string(packet.data));
  return packet;
}

class GearmanProducer : public Producer {
 public:
  GearmanProducer(const Load& load, Progress& progress, bool foreground, int wake_fd)
      : Producer(progress),
        stream_(load.address, load.port),
        payload_(load.payload),
        type_(foreground ? Packet::submit_job : Packet::submit_job_background),
        wake_fd_(wake_fd) {}

  void submit(std::uint64_t first, std::size_t count, std::int64_t as_of_ns) override {
    for (std::uint64_t job = first; job < first + count; ++job) {
      append_packet(stream_.out(), type_, {kFunction, "", payload_.of(job)});  // no unique key
      note_submitted(job, as_of_ns);
    }
    order_.add(first, count);
    stream_.flush();
  }

  void await_answers() override {
    if (!stream_.receive(wake_fd_)) return;
    while (const std::optional<Received> packet = next_packet(stream_)) {
      if (packet->type == Packet::job_created) {
        note_acknowledged(order_.take());
      } else if (packet->type == Packet::work_complete) {
        // Handle, zero byte, result: the job's number.
        note_known(job_of(packet->data.substr(packet->data.find('\0') + 1)));
      }
    }
  }

 private:
  Stream stream_;
  Payload payload_;
  Packet type_;
  int wake_fd_;
  SubmitOrder order_;
};

class GearmanWorker : public Worker {
 public:
  GearmanWorker(const Load& load, Progress& progress)
      : stream_(load.address, load.port), progress_(progress), appetite_(load.batch) {
    append_packet(stream_.out(), Packet::can_do, {kFunction});
    stream_.flush();
  }

  void run() override {
    while (turn()) {
    }
  }
  void stop() override { stream_.stop(); }

 private:
  // Completes what is held and asks for a batch in the same write.
  bool turn() {
    const std::size_t done = held_.size();
    for (std::size_t i = 0; i < done; ++i) {
      const std::string_view number(reinterpret_cast<const char*>(&held_[i]), sizeof held_[i]);
      append_packet(stream_.out(), Packet::work_complete, {handles_[i], number});
    }
    for (std::size_t i = appetite_.ask(); i > 0; --i) append_packet(stream_.out(), Packet::grab_job, {});
    stream_.flush();
    for (const std::uint64_t job : held_) progress_.completed(job);
    held_.clear();
    handles_.clear();
    if (done > 0) progress_.completed_more(done);
    for (std::size_t answers = 0; answers < appetite_.ask();) {
      const std::optional<Received> packet = await_packet();
      if (!packet) return false;
      if (packet->type == Packet::noop) continue;
      ++answers;
      if (packet->type == Packet::job_assign) take(packet->data);
    }
    appetite_.got(held_.size());
    return !held_.empty() || sleep();
  }

  void take(std::string_view data) {  // handle, function, payload
    const std::size_t handle_end = data.find('\0');
    const std::size_t function_end = data.find('\0', handle_end + 1);
    handles_.emplace_back(data.substr(0, handle_end));
    held_.push_back(job_of(data.substr(function_end + 1)));
    progress_.had(held_.back());
  }

  bool sleep() {
    append_packet(stream_.out(), Packet::pre_sleep, {});
    stream_.flush();
    for (;;) {
      const std::optional<Received> packet = await_packet();
      if (!packet) return false;
      if (packet->type == Packet::noop) return true;
    }
  }

  std::optional<Received> await_packet() {
    for (;;) {
      if (const std::optional<Received> packet = next_packet(stream_)) return packet;
      if (!stream_.receive()) return std::nullopt;
    }
  }

  Stream stream_;
  Progress& progress_;
  Appetite appetite_;
  std::vector<std::string> handles_;
  std::vector<std::uint64_t> held_;
};

class Gearmand : public Peer {
 public:
  Gearmand(const Load& load, bool foreground) : load_(load), foreground_(foreground) {}
  bool tells_the_end() const override { return foreground_; }
  std::unique_ptr<Producer> producer(Progress& progress, bool /*told*/, int wake_fd) override {
    return std::make_unique<GearmanProducer>(load_, progress, foreground_, wake_fd);
  }
  std::unique_ptr<Worker> worker(Progress& progress) override { return std::make_unique<GearmanWorker>(load_, progress); }

 private:
  Load load_;
  bool foreground_;
};

}  // namespace

std::unique_ptr<Peer> make_gearmand(const Load& load, bool foreground) {
  return std::make_unique<Gearmand>(load, foreground);
}

}  // namespace rota::compare
