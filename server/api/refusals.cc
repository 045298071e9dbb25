#include "server/api/refusals.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

namespace deconvoy::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kSecond{1};
constexpr size_t kMostAddresses = 4096;
constexpr const char* kOthers = "other addresses";

// The network of an address in brackets, which gRPC writes as %5B and %5D, perhaps with a zone behind a %.
std::string NetworkOf(std::string_view text) {
  const size_t begin = text.starts_with("%5B") ? 3 : text.starts_with('[') ? 1 : 0;
  text.remove_prefix(begin);
  text = text.substr(0, text.find_first_of("%]"));
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET6, std::string(text).c_str(), bytes.data()) != 1) return "ipv6";
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  std::array<char, INET6_ADDRSTRLEN> network{};
  inet_ntop(AF_INET6, bytes.data(), network.data(), network.size());
  return "ipv6:" + std::string(network.data()) + "/64";
}

}  // namespace

std::string AddressOf(std::string_view peer) {
  const size_t colon = peer.find(':');
  const std::string_view kind = peer.substr(0, colon);
  if (kind == "ipv4") return std::string(peer.substr(0, peer.rfind(':') == colon ? peer.size() : peer.rfind(':')));
  if (kind == "ipv6") return NetworkOf(peer.substr(std::min(colon + 1, peer.size())));
  return std::string(kind);
}

Refusals::Outcome Refusals::Count(const std::string& address) {
  if (per_second_ == 0) return {.told = true, .left_out = 0, .later = std::nullopt};
  const std::lock_guard lock(mutex_);
  const bool has_place = uses_.size() < kMostAddresses || uses_.contains(address);
  Use& use = uses_[has_place ? address : kOthers];
  const auto now = clock_.Steady();
  Outcome outcome;
  if (use.calls == 0 || now - use.begun >= kSecond) {
    outcome = {.told = true, .left_out = use.left_out, .later = std::nullopt};
    use = {.begun = now, .last = now, .calls = 0, .left_out = 0};
  } else {
    ++use.left_out;
  }
  use.last = now;
  if (++use.calls > per_second_) outcome.later = std::chrono::ceil<milliseconds>(use.begun + kSecond - now);
  return outcome;
}

std::vector<Refusals::LeftOut> Refusals::ForgetQuiet() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.Steady();
  if (now - looked_ < kSecond) return {};
  looked_ = now;
  return ForgetBefore(now - kSecond);
}

std::vector<Refusals::LeftOut> Refusals::ForgetAll() {
  const std::lock_guard lock(mutex_);
  return ForgetBefore(steady_clock::time_point::max());
}

std::vector<Refusals::LeftOut> Refusals::ForgetBefore(steady_clock::time_point time) {
  std::vector<LeftOut> untold;
  std::erase_if(uses_, [&](const auto& entry) {
    const auto& [address, use] = entry;
    if (use.last > time) return false;
    if (use.left_out > 0) untold.push_back({.address = address, .calls = use.left_out});
    return true;
  });
  return untold;
}

}  // namespace deconvoy::server
