#include "client/cpp/connection.h"

#include <absl/time/clock.h>
#include <fmt/format.h>
#include <grpc/grpc.h>

#include <algorithm>
#include <random>
#include <utility>

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
  // The address is meant as it is given: a proxy for the web does not carry gRPC.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A connection of its own: one that broke elsewhere in the process must not count here.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
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

Wait WaitOn(const std::shared_ptr<grpc::Channel>& channel) {
  return
      [channel](absl::Duration duration, const std::stop_token& stop) { WaitForConnection(*channel, duration, stop); };
}

}  // namespace

Connection::Connection(std::string address, const RetryPolicy& retry, OutageObserver observer)
    : Connection(address, retry, std::move(observer), MakeChannel(address)) {}

Connection::Connection(std::string address, const RetryPolicy& retry, OutageObserver observer,
                       const std::shared_ptr<grpc::Channel>& channel)
    : address_(std::move(address)),
      retry_(retry),
      observer_(std::move(observer)),
      channel_(channel),
      volumes_(v1::Volumes::NewStub(channel)),
      jobs_(v1::Jobs::NewStub(channel)),
      methods_(v1::Methods::NewStub(channel)),
      psfs_(v1::Psfs::NewStub(channel)),
      admin_(v1::Admin::NewStub(channel)) {}

Retrier Connection::MakeRetrier(std::stop_token stop) const {
  return Retrier(retry_, std::move(stop), observer_, WaitOn(channel_));
}

Retrier Connection::MakeQuietRetrier(const RetryPolicy& policy, std::stop_token stop) const {
  return Retrier(policy, std::move(stop), {}, WaitOn(channel_));
}

std::string NewRequestId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

}  // namespace deconvoy::client
