#include "worker/learned/script_wire.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker::learned {
namespace {

absl::Status Gone(const char* what) {
  return absl::UnavailableError(what);
}

// Until the socket can do `event`, or something has gone wrong that the call itself will tell. `watched` is when it was
// last asked whether to go on.
absl::Status AwaitEvent(int socket, int16_t event, const ScriptPatience& patience, ScriptTime& watched) {
  for (;;) {
    const ScriptTime now = std::chrono::steady_clock::now();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline - now);
    if (left.count() <= 0) return absl::DeadlineExceededError("no answer");
    if (patience.watch && now - watched >= kWatchEvery) {
      RETURN_IF_ERROR(patience.watch());
      watched = now;
    }
    pollfd waiting{.fd = socket, .events = event, .revents = 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min(left, kWatchEvery).count()));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return absl::InternalError(fmt::format("poll: {}", std::strerror(errno)));
  }
}

// Moves bytes by `call`, which returns how many, or -1 with errno.
template <typename Call>
absl::Status Move(int socket, size_t bytes, int16_t event, const ScriptPatience& patience, const Call& call) {
  ScriptTime watched{};
  for (size_t done = 0; done < bytes;) {
    RETURN_IF_ERROR(AwaitEvent(socket, event, patience, watched));
    const ssize_t moved = call(done);
    if (moved == 0) return Gone("its end of the socket is closed");
    if (moved > 0) {
      done += static_cast<size_t>(moved);
    } else if (errno != EAGAIN && errno != EINTR) {
      return Gone(std::strerror(errno));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SendBy(int socket, std::span<const std::byte> bytes, const ScriptPatience& patience) {
  return Move(socket, bytes.size(), POLLOUT, patience, [&](size_t done) {
    return ::send(socket, bytes.data() + done, bytes.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
  });
}

absl::Status ReceiveBy(int socket, std::span<std::byte> bytes, const ScriptPatience& patience) {
  return Move(socket, bytes.size(), POLLIN, patience,
              [&](size_t done) { return ::recv(socket, bytes.data() + done, bytes.size() - done, MSG_DONTWAIT); });
}

}  // namespace deconvoy::worker::learned
