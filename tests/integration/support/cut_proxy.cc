#include "tests/integration/support/cut_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace deconvoy::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Ends it at once, with what is under way lost.
void Reset(int socket) {
  const linger none{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(socket);
}

}  // namespace

CutProxy::CutProxy(const std::string& server) : server_port_(std::atoi(server.substr(server.rfind(':') + 1).c_str())) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 || pipe(wake_) != 0)
    std::abort();
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

CutProxy::~CutProxy() {
  if (write(wake_[1], "x", 1) != 1) std::abort();
  thread_.join();
  for (const int descriptor : {listener_, wake_[0], wake_[1]}) close(descriptor);
}

std::string CutProxy::address() const {
  return fmt::format("127.0.0.1:{}", port_);
}

void CutProxy::CutAt(std::deque<int64_t> places) {
  const std::lock_guard lock(mutex_);
  places_ = std::move(places);
}

int64_t CutProxy::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

int CutProxy::cuts() const {
  const std::lock_guard lock(mutex_);
  return cuts_;
}

void CutProxy::Accept() {
  const int client = accept(listener_, nullptr, nullptr);
  if (client < 0) return;
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(server_port_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    lines_.push_back({client, server});
    return;
  }
  Reset(client);
  close(server);
}

bool CutProxy::Carry(int from, int to, bool of_client) {
  std::array<char, 64 * 1024> buffer;
  const ssize_t got = read(from, buffer.data(), buffer.size());
  if (got <= 0) return false;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t more = send(to, buffer.data() + sent, static_cast<size_t>(got - sent), MSG_NOSIGNAL);
    if (more <= 0) return false;
    sent += more;
  }
  const std::lock_guard lock(mutex_);
  if (of_client) bytes_ += got;
  return true;
}

bool CutProxy::CutIsDue() {
  const std::lock_guard lock(mutex_);
  if (places_.empty() || bytes_ < places_.front()) return false;
  places_.pop_front();
  ++cuts_;
  return true;
}

void CutProxy::Run() {
  for (;;) {
    std::vector<pollfd> polled = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Line& line : lines_) {
      polled.push_back({line.client, POLLIN, 0});
      polled.push_back({line.server, POLLIN, 0});
    }
    poll(polled.data(), polled.size(), -1);
    std::vector<Line> alive;
    for (size_t i = 0; i < lines_.size(); ++i) {
      const Line line = lines_[i];
      const bool open = (polled[2 + 2 * i].revents == 0 || Carry(line.client, line.server, true)) &&
                        (polled[3 + 2 * i].revents == 0 || Carry(line.server, line.client, false));
      if (open) {
        alive.push_back(line);
      } else {
        Reset(line.client);
        Reset(line.server);
      }
    }
    lines_ = std::move(alive);
    const bool ends = polled[0].revents != 0;
    if (!ends && polled[1].revents != 0) Accept();
    if (!ends && !CutIsDue()) continue;
    for (const Line& line : lines_) {
      Reset(line.client);
      Reset(line.server);
    }
    lines_.clear();
    if (ends) return;
  }
}

}  // namespace deconvoy::testing
