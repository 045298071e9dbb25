#include "client/cpp/connection.h"

#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "client/cpp/channel.h"

namespace deconvoy::client {
namespace {

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

Connection::Connection(std::string address, const ServerAccess& access, const RetryPolicy& retry,
                       OutageObserver observer)
    : Connection(address, retry, std::move(observer), MakeChannel(address, access)) {}

Connection::Connection(std::string address, const RetryPolicy& retry, OutageObserver observer,
                       const std::shared_ptr<grpc::Channel>& channel)
    : address_(std::move(address)),
      retry_(retry),
      observer_(std::move(observer)),
      channel_(channel),
      volumes_(v1::Volumes::NewStub(channel)),
      jobs_(v1::Jobs::NewStub(channel)),
      deconvolution_(v1::Deconvolution::NewStub(channel)),
      methods_(v1::Methods::NewStub(channel)),
      psfs_(v1::Psfs::NewStub(channel)),
      models_(v1::Models::NewStub(channel)),
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
