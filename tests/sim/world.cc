#include "tests/sim/world.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rota::sim {
namespace {

constexpr Now kStart{Steady{1000}, Wall{1'800'000'000'000}};
constexpr Millis kFaultTick{100};
// Leases, backoffs, delays and everything else are over long before that.
constexpr Millis kPatience = std::chrono::minutes{10};
constexpr Millis kInspection{3000};
constexpr std::uint64_t kMostSteps = 3'000'000;

Weather weather_of(Dice& dice, Canary canary) {
  Weather weather = draw_weather(dice);
  suit(weather, canary);
  return weather;
}

Rules rules_of(const Weather& weather) {
  return {weather.lease,        weather.lease * 2,          weather.dedup_window,
          weather.memory_limit, weather.finished_limit > 0, weather.clock_steps > 0};
}

}  // namespace

World::World(std::uint64_t seed, Canary canary, bool prints)
    : dice_(seed),
      weather_(weather_of(dice_, canary)),
      timeline_(kStart),
      trace_(timeline_, prints),
      auditor_(timeline_, trace_, rules_of(weather_)),
      network_(timeline_, trace_, dice_.fork(), weather_.net_most),
      saboteur_(canary, seed),
      broker_({timeline_, trace_, network_, disk_, auditor_, saboteur_, weather_, rules_of(weather_)}, dice_.fork()) {
  network_.attach(broker_);
  for (std::size_t i = 0; i < weather_.workers; ++i) {
    workers_.push_back(
        std::make_unique<WorkerHost>(WorkerHost::Parts{timeline_, trace_, network_, auditor_, saboteur_, weather_},
                                     "w" + std::to_string(i + 1), i == 0, dice_.fork()));
  }
  const ClientHost::Parts parts{timeline_, trace_, network_, auditor_, weather_, catalogue_};
  for (std::size_t i = 0; i < weather_.clients; ++i) {
    clients_.push_back(std::make_unique<ClientHost>(parts, "c" + std::to_string(i + 1), dice_.fork()));
  }
  inspector_ = std::make_unique<ClientHost>(parts, "inspector", dice_.fork());
  busy_until_ = kStart.steady + weather_.busy;
}

World::~World() = default;

bool World::run() {
  broker_.start();
  for (auto& worker : workers_) worker->start();
  for (auto& client : clients_) client->start();
  for (std::size_t i = 0; i < clients_.size(); ++i) let_clients_act(i);
  let_faults_happen();
  pass_until(busy_until_);
  if (!auditor_.failed()) calm();
  if (!auditor_.failed()) settle();
  if (!auditor_.failed()) look_once_more();
  if (!auditor_.failed()) auditor_.judge_order();
  return !auditor_.failed();
}

void World::pass_until(Steady when) {
  bool reached = false;
  timeline_.at(when, [&reached] { reached = true; });
  while (!reached && !auditor_.failed()) {
    if (!timeline_.step()) return;
    if (timeline_.steps() > kMostSteps) auditor_.fail("the run does not come to an end: something goes in circles");
  }
  // A broken promise ends the run: nothing of the timeline happens any more.
}

void World::let_clients_act(std::size_t client) {
  const double pause = -weather_.client_pause * std::log(1 - static_cast<double>(dice_.between(0, 999)) / 1000);
  timeline_.after(Millis{static_cast<std::int64_t>(pause * 1000) + 1}, [this, client] {
    if (now() >= busy_until_) return;
    clients_[client]->act();
    let_clients_act(client);
  });
}

// --- faults -------------------------------------------------------------------------------------------------------------

bool World::happens(double rate) { return rate > 0 && dice_.chance(rate * static_cast<double>(kFaultTick.count()) / 1000); }

void World::let_faults_happen() {
  timeline_.after(kFaultTick, [this] {
    if (now() >= busy_until_) return;
    break_network();
    break_broker();
    break_peers();
    if (happens(weather_.clock_steps)) step_clock();
    let_faults_happen();
  });
}

void World::break_network() {
  if (happens(weather_.cuts)) network_.cut_any();
  if (happens(weather_.black_holes)) network_.block_any(dice_.skewed(100, 40'000));
  if (happens(weather_.partitions)) {
    const std::size_t who = dice_.below(workers_.size() + clients_.size());
    const std::string& name = who < workers_.size() ? workers_[who]->name() : clients_[who - workers_.size()]->name();
    network_.isolate(name, dice_.skewed(500, 30'000));
  }
}

void World::break_broker() {
  if (happens(weather_.broker_crashes)) {
    broker_.crash(dice_.chance(0.3) ? Network::Death::power : Network::Death::killed, dice_.skewed(50, 20'000));
  }
  if (happens(weather_.broker_stops)) broker_.stop(dice_.skewed(100, 10'000));
  if (happens(weather_.broker_stalls)) broker_.stall(dice_.skewed(100, 30'000));
  if (happens(weather_.disk_full)) broker_.fill_disk(dice_.skewed(100, 20'000));
  if (happens(weather_.disk_slow)) broker_.slow_disk(dice_.skewed(100, 20'000));
  if (happens(weather_.disk_fails)) broker_.fail_commit();
  if (happens(weather_.read_fails)) broker_.fail_read();
  if (happens(weather_.malformed)) broker_.take_garbage();
}

void World::break_peers() {
  WorkerHost& worker = *workers_[dice_.below(workers_.size())];
  if (happens(weather_.worker_crashes)) worker.crash(dice_.skewed(100, 20'000));
  if (happens(weather_.worker_stalls)) worker.stall(dice_.skewed(100, 40'000));
  if (happens(weather_.lease_stalls)) worker.stall(weather_.lease + dice_.millis(-300, 2500));
  if (happens(weather_.worker_drains)) {
    if (dice_.chance(0.7)) {
      worker.drain();
    } else {
      worker.kill();
    }
  }
  if (happens(weather_.client_crashes)) clients_[dice_.below(clients_.size())]->crash(dice_.skewed(10, 5000));
  if (happens(weather_.client_stalls)) clients_[dice_.below(clients_.size())]->stall(dice_.skewed(100, 30'000));
  if (happens(weather_.client_leaves)) clients_[dice_.below(clients_.size())]->leave(dice_.skewed(10, 5000));
}

void World::step_clock() {
  const Millis by = dice_.chance(0.5) ? dice_.millis(-3'600'000, 3'600'000) : dice_.millis(-3000, 3000);
  trace_.note("* the wall clock is set by " + std::to_string(by.count()) + " ms");
  timeline_.set_wall_by(by);
}

// --- the end ------------------------------------------------------------------------------------------------------------

void World::calm() {
  trace_.note("* from here on nothing goes wrong any more");
  network_.calm();
  broker_.calm();
  for (auto& worker : workers_) worker->calm();
  for (auto& client : clients_) client->calm();
  timeline_.set_wall_right();
  inspector_->start();
  // Everybody has had the time to come back.
  pass_until(now() + Millis{25'000});
  inspector_->resume_all();
}

bool World::is_settled() const {
  const auto idle = [](const auto& client) { return client->is_idle(); };
  return broker_.is_up() && std::all_of(clients_.begin(), clients_.end(), idle) && inspector_->is_idle() &&
         auditor_.unsettled().empty();
}

void World::settle() {
  const Steady deadline = now() + kPatience;
  while (!auditor_.failed() && !is_settled()) {
    if (now() >= deadline) return complain();
    std::vector<JobId> ids = auditor_.unsettled();
    if (ids.size() > 100) ids.resize(100);
    if (inspector_->is_idle()) inspector_->get(ids);
    pass_until(now() + kInspection);
  }
}

void World::complain() {
  std::string text = "no progress although nothing goes wrong any more:";
  const std::vector<JobId> unsettled = auditor_.unsettled();
  for (std::size_t i = 0; i < unsettled.size() && i < 5; ++i) text += " " + trace_.name_of(unsettled[i]) + " has no end;";
  if (unsettled.size() > 5) text += " " + std::to_string(unsettled.size() - 5) + " more have none;";
  for (auto& client : clients_) {
    if (!client->is_idle()) text += " " + client->what_is_open() + ";";
  }
  if (!inspector_->is_idle()) text += " " + inspector_->what_is_open() + ";";
  auditor_.fail(text);
}

// What was told must still hold after one more crash.
void World::look_once_more() {
  trace_.note("* one last crash, and a look at every job");
  broker_.crash(Network::Death::killed, Millis{100});
  pass_until(now() + Millis{20'000});
  std::vector<JobId> part;
  for (const Catalogue::Known& job : catalogue_.jobs) {
    part.push_back(job.ask.id);
    if (part.size() == 100) inspector_->get(std::exchange(part, {}));
  }
  inspector_->get(part);
  const Steady deadline = now() + kPatience;
  while (!auditor_.failed() && !inspector_->is_idle()) {
    if (now() >= deadline) return complain();
    pass_until(now() + Millis{500});
  }
}

}  // namespace rota::sim
