#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "common/base/result.h"
#include "worker/spawner/channel.h"

namespace rota::worker {

// The worker's end of its rota-spawner: asks it to run commands and hears how they ended. Never blocks. One thread.
class CommandRunner {
 public:
  // Where the spawner is: $ROTA_SPAWNER, beside this program, or ../libexec/rota beside it. NOT_FOUND names the places.
  [[nodiscard]] static Result<std::string> find_spawner();
  // Starts it. Call before the process has threads or a ZeroMQ context.
  [[nodiscard]] static Result<CommandRunner> start(const std::string& spawner);

  // Takes over a stream to something that speaks the spawner's protocol (tests).
  explicit CommandRunner(spawner::Descriptor stream, pid_t pid = -1);
  CommandRunner(CommandRunner&& other) noexcept;
  CommandRunner& operator=(CommandRunner&&) = delete;
  // Closing the stream ends every command; waits until the spawner has seen to it. If the spawner died of something else,
  // what is left of its session is ended from here, and waited for; processes that made a session of their own then stay.
  ~CommandRunner();

  void run(const spawner::Run& command);
  void signal(std::uint64_t run, int number);
  // Hands over what was asked. False: the spawner is gone.
  [[nodiscard]] bool send() { return channel_.send(); }
  [[nodiscard]] bool wants_to_send() const { return channel_.wants_to_send(); }
  // Reads what there is and calls `ended` for each end; the views live during the call. False: the spawner is gone.
  [[nodiscard]] bool receive(const std::function<void(const spawner::Ended&)>& ended);
  // After send() or receive() said that the spawner is gone: reads what it had still said. The commands that have not ended
  // die with this object.
  void abandon(const std::function<void(const spawner::Ended&)>& ended);
  [[nodiscard]] int fd() const { return channel_.fd(); }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  spawner::Channel channel_;
  pid_t pid_ = -1;  // also of its session; -1: none to wait for
};

}  // namespace rota::worker
