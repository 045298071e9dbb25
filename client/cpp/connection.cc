#include "client/cpp/connection.h"

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <grpc/grpc.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

// gRPC's shutdown, when the last channel goes, may wait ten seconds for a poller of a stream that was busy.
void KeepGrpcForever() {
  [[maybe_unused]] static const bool kept = (grpc_init(), true);
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  KeepGrpcForever();
  grpc::ChannelArguments arguments;
  // The retries of this library decide the waits; the channel only has to be ready when they come.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
  arguments.SetMaxReceiveMessageSize(16 << 20);
  // A connection of its own: one that broke elsewhere in the process must not count here.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

absl::Status TransportError(const std::string& address, const grpc::Status& status) {
  v1::ErrorInfo info;
  info.set_remedy("Check that deconvoyd is running there and that the address is right.");
  (*info.mutable_metadata())["server"] = address;
  return FromWire(
      static_cast<int>(grpc::StatusCode::UNAVAILABLE),
      fmt::format("the server at {} cannot be reached ({})", Printable(address), Printable(status.error_message())),
      info.SerializeAsString());
}

// Waits until there is a connection, at most for `duration`. gRPC moves an attempt to connect forward only while
// somebody waits for it: one that is made during a sleep finds nobody to read the server's answer, and runs into its
// limit.
void WaitForConnection(grpc::Channel& channel, absl::Duration duration, const std::stop_token& stop) {
  constexpr absl::Duration kLongestUnstoppable = absl::Milliseconds(50);
  if (channel.GetState(true) == GRPC_CHANNEL_READY) return Sleep(duration, stop);
  const absl::Time end = absl::Now() + duration;
  while (!stop.stop_requested() && absl::Now() < end) {
    if (channel.WaitForConnected(absl::ToChronoTime(std::min(end, absl::Now() + kLongestUnstoppable)))) return;
  }
}

}  // namespace

Connection::Connection(std::string address, const RetryPolicy& retry)
    : Connection(address, retry, MakeChannel(address)) {}

Connection::Connection(std::string address, const RetryPolicy& retry, const std::shared_ptr<grpc::Channel>& channel)
    : address_(std::move(address)),
      retry_(retry),
      channel_(channel),
      volumes_(v1::Volumes::NewStub(channel)),
      jobs_(v1::Jobs::NewStub(channel)),
      methods_(v1::Methods::NewStub(channel)),
      admin_(v1::Admin::NewStub(channel)) {}

absl::Status Connection::ToStatus(const grpc::Status& status) const {
  if (status.ok()) return absl::OkStatus();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE && status.error_details().empty())
    return TransportError(address_, status);
  return FromWire(static_cast<int>(status.error_code()), status.error_message(), status.error_details());
}

Retrier Connection::MakeRetrier(const RetryPolicy& policy, std::stop_token stop) const {
  return Retrier(policy, std::move(stop),
                 [channel = channel_](absl::Duration duration, const std::stop_token& stopped) {
                   WaitForConnection(*channel, duration, stopped);
                 });
}

absl::Status CheckAddress(const std::string& address) {
  const auto refuse = [&address] {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "server",
                      .remedy = "Give host:port, for instance localhost:7450, or unix:/path/to/socket."},
                     fmt::format("'{}' is not the address of a server", Printable(address)));
  };
  if (address.starts_with("unix:")) return address.size() > 5 ? absl::OkStatus() : refuse();
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return refuse();
  int port = 0;
  const char* end = address.data() + address.size();
  const auto [rest, error] = std::from_chars(address.data() + colon + 1, end, port);
  if (error != std::errc() || rest != end || port < 1 || port > 65535) return refuse();
  return absl::OkStatus();
}

std::string NewRequestId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

}  // namespace deconvoy::client
