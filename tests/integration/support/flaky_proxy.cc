#include "tests/integration/support/flaky_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace deconvoy::testing {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

int Listen() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(listener, reinterpret_cast<const sockaddr*>(&any), sizeof any);
  listen(listener, SOMAXCONN);
  return listener;
}

// -1 where nobody listens.
int Connect(const std::filesystem::path& path) {
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return server;
  close(server);
  return -1;
}

bool SendAll(int to, const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t sent = send(to, data, bytes, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data += sent;
    bytes -= static_cast<size_t>(sent);
  }
  return true;
}

}  // namespace

FlakyProxy::FlakyProxy(std::filesystem::path target)
    : target_(std::move(target)), listener_(Listen()), acceptor_([this] { Accept(); }) {}

FlakyProxy::~FlakyProxy() {
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  BreakAll();
  for (Connection& connection : connections_) {
    connection.up.join();
    connection.down.join();
    close(connection.client);
    close(connection.server);
  }
  close(listener_);
}

std::string FlakyProxy::address() const {
  sockaddr_in chosen{};
  socklen_t size = sizeof chosen;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&chosen), &size);
  return "127.0.0.1:" + std::to_string(ntohs(chosen.sin_port));
}

void FlakyProxy::BreakAll() {
  std::lock_guard lock(mutex_);
  ShutAll();
}

void FlakyProxy::Swallow() {
  std::lock_guard lock(mutex_);
  for (Connection& connection : connections_) connection.dead = true;
}

void FlakyProxy::CutAt(std::deque<int64_t> places) {
  std::lock_guard lock(mutex_);
  places_ = std::move(places);
}

int64_t FlakyProxy::cuts() const {
  std::lock_guard lock(mutex_);
  return cuts_;
}

int64_t FlakyProxy::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

void FlakyProxy::ShutAll() {
  for (const Connection& connection : connections_) {
    shutdown(connection.client, SHUT_RDWR);
    shutdown(connection.server, SHUT_RDWR);
  }
}

void FlakyProxy::Accept() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = Connect(target_);
    if (server < 0) {
      close(client);
      continue;
    }
    std::lock_guard lock(mutex_);
    Connection& connection = connections_.emplace_back();
    connection.client = client;
    connection.server = server;
    connection.up = std::jthread([this, &connection] { Pass(connection, true); });
    connection.down = std::jthread([this, &connection] { Pass(connection, false); });
  }
}

// Sockets stay open, though shut down, until the proxy goes: their numbers are not given to others.
void FlakyProxy::Pass(const Connection& connection, bool of_client) {
  const int from = of_client ? connection.client : connection.server;
  const int to = of_client ? connection.server : connection.client;
  std::vector<char> piece(kPieceBytes);
  int64_t passed = 0;
  while (true) {
    const ssize_t got = recv(from, piece.data(), piece.size(), 0);
    if (got <= 0) break;
    if (connection.dead) {
      swallowed_ += got;
      continue;
    }
    if (delay_ms_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms_));
    passed += got;
    if (break_after_ > 0 && passed > break_after_) {
      ++broken_;
      break;
    }
    if (of_client) {
      std::lock_guard lock(mutex_);
      bytes_ += got;
    }
    if (!SendAll(to, piece.data(), static_cast<size_t>(got))) break;
    if (!of_client) continue;
    std::lock_guard lock(mutex_);
    if (places_.empty() || bytes_ < places_.front()) continue;
    places_.pop_front();
    ++cuts_;
    ShutAll();
  }
  shutdown(from, SHUT_RDWR);
  if (!connection.dead) shutdown(to, SHUT_RDWR);
}

}  // namespace deconvoy::testing
