#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/queue/core.h"
#include "broker/server/engine.h"
#include "common/wire/codec.h"
#include "tests/sim/auditor.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/saboteur.h"
#include "tests/sim/weather.h"

namespace rota::sim {

// The broker's host: the real engine and core between the simulated network and disk. The process crashes, stops, stalls
// and starts again; the disk stays.
class BrokerHost final : public Network::Broker, private server::Outbox, private server::StorePort {
 public:
  struct Parts {
    Timeline& timeline;
    Trace& trace;
    Network& network;
    Disk& disk;
    Auditor& auditor;
    Saboteur& saboteur;
    const Weather& weather;
    Rules rules;
  };
  BrokerHost(const Parts& parts, Dice dice);
  ~BrokerHost() override;

  void start();
  void crash(Network::Death death, Millis down_for);
  void stop(Millis down_for);
  void stall(Millis how_long);
  void fill_disk(Millis how_long);
  void slow_disk(Millis how_long);
  // The next commit fails; whether it reached the disk nobody knows.
  void fail_commit() { fail_next_commit_ = true; }
  // The next look into the store fails.
  void fail_read() { fail_next_read_ = true; }
  // Something comes that is no message: of a connected peer, or of a stranger.
  void take_garbage();
  void calm();
  [[nodiscard]] bool is_up() const { return life_ != nullptr; }
  [[nodiscard]] const queue::Core* core() const;

  // Network::Broker
  void arrived(LineId line, server::Side side, std::string frame) override;
  void line_closed(LineId line) override;
  [[nodiscard]] bool answers() const override;

 private:
  struct Life;

  // server::Outbox
  void send(server::Side side, server::Route route, std::string_view frame) override;
  void forget(server::Side side, server::Route route) override;
  // server::StorePort
  void commit(std::unique_ptr<server::CommitTask> task) override;
  void read(std::unique_ptr<server::ReadTask> task) override;

  void commit_late(std::unique_ptr<server::CommitTask> task);
  void sync_commit();
  void finish_commit();
  void carry_out_read();
  void wake(Millis in);
  void turn();
  void say_goodbye();
  void take_done();
  void drain(server::Side side);
  void hand_in(server::Side side, LineId line, const std::string& frame);
  void tell_closed();
  void put_on_line(server::Side side, server::Route route, const std::string& frame);
  void maintain();
  void die(Network::Death death, Millis down_for);
  [[nodiscard]] Millis disk_delay();

  Parts parts_;
  Dice dice_;
  Uuid broker_id_;
  std::unique_ptr<Life> life_;
  std::uint64_t lives_ = 0;
  Steady stalled_until_, slow_until_, full_until_;
  bool fail_next_commit_ = false;
  bool fail_next_read_ = false;
  bool calm_ = false;
  Millis stop_down_for_{0};
  wire::Decoder decoder_;
};

}  // namespace rota::sim
