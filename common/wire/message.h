#pragma once

#include <cstdint>
#include <variant>

#include "common/wire/client_messages.h"
#include "common/wire/job_parts.h"
#include "common/wire/session_messages.h"
#include "common/wire/worker_messages.h"

// The protocol's messages (docs/protocol.md), as values. Strings are views: of a decoded message into its frame, of one to
// be encoded into whatever the caller keeps alive until encode() returns. One body frame per message, a msgpack array
// [type, request, fields...]; arrays grow only at the end.
namespace rota::wire {

// Numbers are wire format: never change or reuse one.
enum class MessageType : std::uint8_t {
  hello = 1,
  welcome = 2,
  error = 3,
  ping = 4,
  pong = 5,
  goodbye = 6,
  // client side
  submit = 16,
  submitted = 17,
  wait = 18,
  notify = 19,
  get = 20,
  jobs = 21,
  cancel = 22,
  retry = 23,
  results = 24,
  list = 25,
  listed = 26,
  admin = 27,
  admin_reply = 28,
  event = 29,  // reserved
  // worker side
  dispatch = 48,
  complete = 49,
  completed = 50,
  renew = 51,
  renewed = 52,
  reclaim = 53,
  released = 54,
  cancel_jobs = 55,
  drain = 56,
  output = 57,  // reserved
};

using Request = std::uint64_t;  // correlation number, chosen by the asker; 0 where nothing was asked

using Body = std::variant<Hello, Welcome, ErrorReply, Ping, Pong, Goodbye, Submit, Submitted, Wait, Notify, Get, Jobs,
                          Cancel, Retry, Results, List, Listed, Admin, AdminReply, Dispatch, Complete, Completed, Renew,
                          Renewed, Reclaim, Released, CancelJobs, Drain>;

struct Message {
  Request request = 0;
  Body body;
  bool operator==(const Message&) const = default;
};

}  // namespace rota::wire
