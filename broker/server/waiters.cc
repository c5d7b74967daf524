#include "broker/server/waiters.h"

#include "common/base/limits.h"

namespace rota::server {

bool Waiters::has_room(Route client, std::size_t more) const {
  const auto it = clients_.find(client);
  const std::size_t held = it == clients_.end() ? 0 : it->second.count;
  return held + more <= limits::kMaxWaits && used_ + more <= limits::kMaxWaitsTotal;
}

bool Waiters::add(const JobId& job, const Waiter& waiter) {
  const auto [at, is_new] = jobs_.try_emplace(job);
  // A second wait of the same request is nearly always among the newest; one that is missed only costs a second notice.
  // Each look is a cache miss, and a message brings thousands of jobs.
  int looks = 8;
  OfJob& waited = at->second;
  for (std::uint32_t index = waited.first; index != kNone && looks > 0; index = nodes_[index].job_next, --looks) {
    Node& node = nodes_[index];
    if (node.client == waiter.client && node.request == waiter.request) {
      node.with_result = node.with_result || waiter.with_result;
      waited.with_result = waited.with_result || waiter.with_result;
      return true;
    }
  }
  if (!has_room(waiter.client, 1)) {
    if (is_new) jobs_.erase(at);
    return false;
  }
  const std::uint32_t index = nodes_.allocate();
  OfClient& client = clients_[waiter.client];
  Node& node = nodes_[index];
  node = Node{job, waiter.request, waiter.client, waited.first, kNone, client.first, kNone, waiter.with_result};
  if (waited.first != kNone) nodes_[waited.first].job_before = index;
  if (client.first != kNone) nodes_[client.first].client_before = index;
  waited.first = index;
  waited.with_result = waited.with_result || waiter.with_result;
  client.first = index;
  ++client.count;
  ++used_;
  return true;
}

Waiters::Taken Waiters::take(const JobId& job) {
  const auto it = jobs_.find(job);
  if (it == jobs_.end()) return {};
  const OfJob waited = it->second;
  jobs_.erase(it);
  const List list = nodes_.allocate();
  nodes_[list].job_next = waited.first;
  nodes_[waited.first].job_before = list;
  return {list, waited.with_result, nodes_[waited.first].job_next == kNone};
}

bool Waiters::next(List list, Waiter& out) {
  const std::uint32_t index = nodes_[list].job_next;
  if (index == kNone) {
    nodes_.release(list);
    return false;
  }
  const Node& node = nodes_[index];
  out = Waiter{node.client, node.request, node.with_result};
  unlink_from_client(index);
  unlink_from_job(index);
  release(index);
  return true;
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
    jobs_.find(node.job)->second.first = node.job_next;
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
  nodes_.release(index);
  --used_;
}

}  // namespace rota::server
