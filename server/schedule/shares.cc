#include "server/schedule/shares.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace deconvoy::server {
namespace {

constexpr double kFadedSeconds = 1e-3;    // less than this is as good as nothing
constexpr double kUsualSeconds = 30;      // of a task, before any was done
constexpr double kNewestPart = 0.25;      // of the newest task, in what is expected of the next
constexpr double kShortestSeconds = 0.1;  // that a task is expected to take, so that those held always count

size_t IndexOf(v1::JobClass job_class) {
  return job_class == v1::INTERACTIVE || job_class == v1::BATCH ? job_class : v1::NORMAL;
}

double Seconds(Shares::SteadyTime::duration time) {
  return std::chrono::duration<double>(time).count();
}

int64_t RanBefore(const std::vector<ShareRecord>& kept) {
  int64_t latest_ms = 0;
  for (const ShareRecord& record : kept) latest_ms = std::max(latest_ms, record.at_ms);
  return latest_ms;
}

void Blend(double& average, double newest) {
  average = average == 0 ? newest : average + kNewestPart * (newest - average);
}

}  // namespace

Shares::Shares(absl::Duration half_life, SteadyTime now, const std::vector<ShareRecord>& kept)
    : half_life_seconds_(absl::ToDoubleSeconds(half_life)), start_(now), ran_before_ms_(RanBefore(kept)) {
  for (const ShareRecord& record : kept) {
    const double age_seconds = 1e-3 * static_cast<double>(ran_before_ms_ - record.at_ms);
    Entry& entry = entries_[record.owner];
    entry.spent_seconds = 1e-3 * static_cast<double>(record.spent_ms) * std::exp2(-age_seconds / half_life_seconds_);
    entry.settled = now;
  }
}

// What is computed adds, in every instant, a second per second and task, and fades from then on.
double Shares::SpentAt(const Entry& entry, SteadyTime now) const {
  const double seconds = std::max(0.0, Seconds(now - entry.settled));
  const double rate = std::numbers::ln2 / half_life_seconds_;
  const double lost = -std::expm1(-rate * seconds);
  return entry.spent_seconds * (1 - lost) + static_cast<double>(entry.running) * lost / rate;
}

Shares::Entry& Shares::Settle(const std::string& owner, SteadyTime now) {
  const auto [found, added] = entries_.try_emplace(owner);
  Entry& entry = found->second;
  if (added) entry.settled = now;
  entry.spent_seconds = SpentAt(entry, now);
  entry.settled = std::max(entry.settled, now);
  return entry;
}

double Shares::Expected(const Entry& entry, size_t job_class) const {
  const double own = entry.expected_seconds[job_class], any = expected_seconds_[job_class];
  return std::max(own > 0 ? own : any > 0 ? any : kUsualSeconds, kShortestSeconds);
}

bool Shares::Hold(const std::string& owner, v1::JobClass job_class, int64_t cap) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[owner];
  if (cap > 0 && std::accumulate(entry.held.begin(), entry.held.end(), int64_t{0}) >= cap) return false;
  ++entry.held[IndexOf(job_class)];
  return true;
}

void Shares::Release(const std::string& owner, v1::JobClass job_class) {
  std::lock_guard lock(mutex_);
  --entries_[owner].held[IndexOf(job_class)];
}

void Shares::Begin(const std::string& owner, SteadyTime now) {
  std::lock_guard lock(mutex_);
  ++Settle(owner, now).running;
}

void Shares::End(const std::string& owner, SteadyTime now) {
  std::lock_guard lock(mutex_);
  --Settle(owner, now).running;
}

void Shares::Learn(const std::string& owner, v1::JobClass job_class, absl::Duration took) {
  const double seconds = std::max(absl::ToDoubleSeconds(took), kShortestSeconds);
  std::lock_guard lock(mutex_);
  Blend(entries_[owner].expected_seconds[IndexOf(job_class)], seconds);
  Blend(expected_seconds_[IndexOf(job_class)], seconds);
}

std::map<std::string, Shares::Account> Shares::Accounts(SteadyTime now) const {
  std::map<std::string, Account> accounts;
  std::lock_guard lock(mutex_);
  for (auto found = entries_.begin(); found != entries_.end();) {
    const Entry& entry = found->second;
    Account account{.spent_seconds = SpentAt(entry, now)};
    for (size_t i = 0; i < kClasses; ++i) {
      account.held += entry.held[i];
      if (entry.held[i] > 0) account.pending_seconds += static_cast<double>(entry.held[i]) * Expected(entry, i);
    }
    if (account.held == 0 && entry.running == 0 && account.spent_seconds < kFadedSeconds) {
      found = entries_.erase(found);
      continue;
    }
    accounts.emplace_hint(accounts.end(), found->first, account);
    ++found;
  }
  return accounts;
}

double Shares::SpentSeconds(const std::string& owner, SteadyTime now) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(owner);
  return found == entries_.end() ? 0 : SpentAt(found->second, now);
}

double Shares::ExpectedSeconds(const std::string& owner, v1::JobClass job_class) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(owner);
  return Expected(found == entries_.end() ? Entry() : found->second, IndexOf(job_class));
}

ShareRecord Shares::Record(const std::string& owner, SteadyTime now) const {
  const auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(now - start_).count();
  return {.owner = owner,
          .spent_ms = std::llround(1e3 * SpentSeconds(owner, now)),
          .at_ms = ran_before_ms_ + std::max<int64_t>(ran, 0)};
}

}  // namespace deconvoy::server
