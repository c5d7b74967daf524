#include "broker/server/waiters.h"

#include "common/base/limits.h"

namespace rota::server {

bool Waiters::has_room(Route client, std::size_t more) const {
  const auto it = clients_.find(client);
  const std::size_t held = it == clients_.end() ? 0 : it->second.count;
  return held + more <= limits::kMaxWaits && used_ + more <= limits::kMaxWaitsTotal;
}

bool Waiters::add(const JobId& job, const Waiter& waiter) {
  const auto [at, is_new] = jobs_.try_emplace(job, kNone);
  // A second wait of the same request is nearly always among the newest; one that is missed only costs a second notice.
  // Each look is a cache miss, and a message brings thousands of jobs.
  int looks = 8;
  for (std::uint32_t index = at->second; index != kNone && looks > 0; index = nodes_[index].job_next, --looks) {
    Node& node = nodes_[index];
    if (node.client == waiter.client && node.request == waiter.request) {
      node.with_result = node.with_result || waiter.with_result;
      return true;
    }
  }
  if (!has_room(waiter.client, 1)) {
    if (is_new) jobs_.erase(at);
    return false;
  }
  std::uint32_t index = free_;
  if (index == kNone) {
    index = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back();
  } else {
    free_ = nodes_[index].job_next;
  }
  OfClient& client = clients_[waiter.client];
  Node& node = nodes_[index];
  node = Node{job, waiter.request, waiter.client, at->second, kNone, client.first, kNone, waiter.with_result};
  if (at->second != kNone) nodes_[at->second].job_before = index;
  if (client.first != kNone) nodes_[client.first].client_before = index;
  at->second = index;
  client.first = index;
  ++client.count;
  ++used_;
  return true;
}

void Waiters::take(const JobId& job, std::vector<Waiter>& out) {
  const auto it = jobs_.find(job);
  if (it == jobs_.end()) return;
  std::uint32_t index = it->second;
  jobs_.erase(it);
  while (index != kNone) {
    const Node node = nodes_[index];
    out.push_back(Waiter{node.client, node.request, node.with_result});
    unlink_from_client(index);
    release(index);
    index = node.job_next;
  }
}

void Waiters::forget_client(Route client) {
  const auto it = clients_.find(client);
  if (it == clients_.end()) return;
  if (it->second.first != kNone) doomed_.push_back(it->second.first);
  clients_.erase(it);
}

bool Waiters::sweep(std::size_t budget) {
  while (!doomed_.empty() && budget > 0) {
    const std::uint32_t index = doomed_.back();
    const std::uint32_t next = nodes_[index].client_next;
    if (next == kNone) {
      doomed_.pop_back();
    } else {
      doomed_.back() = next;
      nodes_[next].client_before = kNone;
    }
    unlink_from_job(index);
    release(index);
    --budget;
  }
  return !doomed_.empty();
}

void Waiters::unlink_from_job(std::uint32_t index) {
  Node& node = nodes_[index];
  if (node.job_next != kNone) nodes_[node.job_next].job_before = node.job_before;
  if (node.job_before != kNone) {
    nodes_[node.job_before].job_next = node.job_next;
  } else if (node.job_next != kNone) {
    jobs_[node.job] = node.job_next;
  } else {
    jobs_.erase(node.job);
  }
}

void Waiters::unlink_from_client(std::uint32_t index) {
  Node& node = nodes_[index];
  if (node.client_next != kNone) nodes_[node.client_next].client_before = node.client_before;
  if (node.client_before != kNone) {
    nodes_[node.client_before].client_next = node.client_next;
  }
  const auto it = clients_.find(node.client);
  if (it != clients_.end()) {
    if (it->second.first == index) it->second.first = node.client_next;
    --it->second.count;
    if (it->second.count == 0) clients_.erase(it);
    return;
  }
  // Of a client that is gone: the list's head may be what sweep() goes on from.
  if (node.client_before != kNone) return;
  for (std::size_t i = 0; i < doomed_.size(); ++i) {
    if (doomed_[i] != index) continue;
    if (node.client_next != kNone) {
      doomed_[i] = node.client_next;
    } else {
      doomed_.erase(doomed_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    return;
  }
}

void Waiters::release(std::uint32_t index) {
  nodes_[index] = Node{};
  nodes_[index].job_next = free_;
  free_ = index;
  --used_;
}

}  // namespace rota::server
