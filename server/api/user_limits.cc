#include "server/api/user_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

constexpr double kBurstSeconds = 2;

absl::Status TooManyOpen(std::string_view whose, int64_t limit) {
  return MakeError({.reason = v1::TOO_MANY_STREAMS,
                    .remedy = "Close some, or try again in a while.",
                    .metadata = {{"limit", fmt::to_string(limit)}}},
                   fmt::format("{} {} calls open already, which is the limit of this server", whose, limit));
}

}  // namespace

absl::Status UserLimits::Enter(const std::string& user, v1::Role role) {
  std::lock_guard lock(mutex_);
  if (uses_.size() >= forget_at_) Forget();
  const auto [found, is_new] = uses_.try_emplace(user);
  Use& use = found->second;
  if (is_new) {
    use.credit = kBurstSeconds * static_cast<double>(options_.calls_per_second);
    use.counted = clock_.Steady();
  }
  ++use.open;
  ++open_;
  if (role == v1::ADMIN) ++admins_open_;
  if (options_.open_calls_each > 0 && use.open > options_.open_calls_each)
    return TooManyOpen("you have", options_.open_calls_each);
  const bool in_reserve = role == v1::ADMIN && admins_open_ <= options_.admin_calls;
  if (open_ > options_.open_calls && !in_reserve) return TooManyOpen("all users together have", options_.open_calls);
  return CheckRate(use);
}

void UserLimits::Leave(const std::string& user, v1::Role role) {
  std::lock_guard lock(mutex_);
  --uses_.at(user).open;
  --open_;
  if (role == v1::ADMIN) --admins_open_;
}

absl::Status UserLimits::CheckRate(Use& use) const {
  if (options_.calls_per_second == 0) return absl::OkStatus();
  const auto rate = static_cast<double>(options_.calls_per_second);
  const auto now = clock_.Steady();
  const double passed = std::chrono::duration<double>(now - use.counted).count();
  use.credit = std::min(use.credit + passed * rate, kBurstSeconds * rate);
  use.counted = now;
  if (use.credit >= 1) {
    --use.credit;
    return absl::OkStatus();
  }
  return MakeError({.reason = v1::TOO_MANY_CALLS,
                    .remedy = "Call less often: watch a job instead of asking for it again and again.",
                    .metadata = {{"limit", fmt::to_string(options_.calls_per_second)},
                                 {"retry_after_ms", fmt::format("{:.0f}", std::ceil(1000 * (1 - use.credit) / rate))}}},
                   fmt::format("you make more than {} calls per second", options_.calls_per_second));
}

void UserLimits::Forget() {
  const auto now = clock_.Steady();
  std::erase_if(uses_, [&](const auto& entry) {
    return entry.second.open == 0 && now - entry.second.counted > std::chrono::duration<double>(kBurstSeconds);
  });
  forget_at_ = std::max<size_t>(64, 2 * uses_.size());
}

}  // namespace deconvoy::server
