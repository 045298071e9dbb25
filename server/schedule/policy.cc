#include "server/schedule/policy.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace deconvoy::server {
namespace {

// What owners, and groups of them, have had for their weights.
struct Standing {
  Share share;
  double group_seconds = 0;  // of the whole group, over its weight
  double own_seconds = 0;    // over the own weight, within the group
  bool at_cap = false;
};

struct Ranked {
  bool in_turn = false;  // of the class whose turn it is
  const Standing* standing = nullptr;
  WaitingJob job;

  auto Key() const {
    return std::make_tuple(!in_turn, static_cast<int>(job.job_class), standing->group_seconds, standing->own_seconds);
  }
  bool Before(const Ranked& other) const {
    const auto own = Key(), others = other.Key();
    if (own != others) return own < others;
    return std::tie(job.create_time, job.id) < std::tie(other.job.create_time, other.job.id);
  }
};

// What a class saves up at least before it has a turn: a single preview must not bring that about.
constexpr double kLeastTurnSeconds = 30;

double TurnSeconds(const Shares& shares, const WaitingJob& job) {
  return std::max(shares.ExpectedSeconds(job.owner, job.job_class), kLeastTurnSeconds);
}

double Claim(const Shares::Account& account) {
  return account.spent_seconds + account.pending_seconds;
}

using Standings = std::map<std::string, Standing>;

// Of all owners of jobs and accounts.
Standings StandingsOf(const std::vector<WaitingJob>& jobs, const std::map<std::string, Shares::Account>& accounts,
                      const ShareOf& share_of, int64_t usual_cap) {
  Standings standings;
  for (const WaitingJob& job : jobs) standings.try_emplace(job.owner);
  for (const auto& [owner, account] : accounts) standings.try_emplace(owner);
  std::map<std::string, double> groups;
  for (auto& [owner, standing] : standings) {
    const auto found = accounts.find(owner);
    const Shares::Account account = found == accounts.end() ? Shares::Account() : found->second;
    standing.share = share_of(owner);
    const int64_t cap = standing.share.running_cap > 0 ? standing.share.running_cap : usual_cap;
    standing.at_cap = cap > 0 && account.held >= cap;
    standing.own_seconds = Claim(account) / standing.share.weight;
    standing.group_seconds = standing.own_seconds;
    if (!standing.share.group.empty()) groups[standing.share.group] += Claim(account);
  }
  for (auto& [owner, standing] : standings) {
    if (!standing.share.group.empty())
      standing.group_seconds = groups[standing.share.group] / standing.share.group_weight;
  }
  return standings;
}

// By how much `later` is behind the first, in seconds of its owner: as a group behind the first group, or within its
// group behind the first of that.
double Behind(const Ranked& later, const std::vector<Ranked>& ranked) {
  const Share& share = later.standing->share;
  const double group_weight = share.group.empty() ? share.weight : share.group_weight;
  const double of_group = group_weight * (later.standing->group_seconds - ranked[0].standing->group_seconds);
  if (share.group.empty()) return of_group;
  const auto first_of_group = std::find_if(ranked.begin(), ranked.end(), [&](const Ranked& other) {
    return other.job.job_class == later.job.job_class && other.standing->share.group == share.group;
  });
  return std::max(of_group, share.weight * (later.standing->own_seconds - first_of_group->standing->own_seconds));
}

// As many as there are where there is no such job.
size_t IndexOf(const std::string& job, const std::vector<Ranked>& ranked) {
  const auto found = std::find_if(ranked.begin(), ranked.end(), [&](const Ranked& one) { return one.job.id == job; });
  return static_cast<size_t>(found - ranked.begin());
}

// Of its class.
bool IsFirstOfOwner(size_t index, const std::vector<Ranked>& ranked) {
  const WaitingJob& job = ranked[index].job;
  return std::none_of(ranked.begin(), ranked.begin() + static_cast<int64_t>(index), [&](const Ranked& other) {
    return other.job.owner == job.owner && other.job.job_class == job.job_class;
  });
}

void PutFirst(std::vector<Ranked>& ranked, size_t index) {
  const auto place = ranked.begin() + static_cast<int64_t>(index);
  std::rotate(ranked.begin(), place, place + 1);
}

}  // namespace

FairShare::FairShare(const Options& options, const Shares& shares, ShareOf share_of)
    : options_(options),
      shares_(shares),
      share_of_(share_of ? std::move(share_of) : [](const std::string&) { return Share(); }) {}

int64_t FairShare::RunningCap(const std::string& owner) const {
  const int64_t own = share_of_(owner).running_cap;
  return own > 0 ? own : options_.running_cap;
}

int FairShare::SavedUp(const std::vector<WaitingJob>& jobs) const {
  std::lock_guard lock(mutex_);
  for (const WaitingJob& job : jobs) {
    const double saved = saved_seconds_[static_cast<size_t>(job.job_class)];
    if (saved > 0 && saved >= TurnSeconds(shares_, job)) return job.job_class;
  }
  return 0;
}

void FairShare::Rank(std::vector<WaitingJob>& jobs, SteadyTime now, const std::string& last_job) const {
  const Standings standings = StandingsOf(jobs, shares_.Accounts(now), share_of_, options_.running_cap);
  std::erase_if(jobs, [&](const WaitingJob& job) { return standings.at(job.owner).at_cap; });
  const int in_turn = SavedUp(jobs);
  std::vector<Ranked> ranked;
  ranked.reserve(jobs.size());
  for (WaitingJob& job : jobs) {
    const bool turn = in_turn != 0 && job.job_class == in_turn;
    const Standing& standing = standings.at(job.owner);
    ranked.push_back({.in_turn = turn, .standing = &standing, .job = std::move(job)});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) { return a.Before(b); });
  if (const size_t last = IndexOf(last_job, ranked); last < ranked.size() && IsFirstOfOwner(last, ranked)) {
    const WaitingJob& job = ranked[last].job;
    const bool same_class = job.job_class == ranked[0].job.job_class;
    const double one_task = shares_.ExpectedSeconds(job.owner, job.job_class);
    if (same_class && Behind(ranked[last], ranked) < one_task) PutFirst(ranked, last);
  }
  jobs.clear();
  for (Ranked& one : ranked) jobs.push_back(std::move(one.job));
}

void FairShare::NoteGiven(const WaitingJob& given, const std::vector<WaitingJob>& waiting) {
  const double took = shares_.ExpectedSeconds(given.owner, given.job_class);
  std::array<double, kClasses> most = {};  // that each less urgent class may save up
  for (const WaitingJob& job : waiting) {
    if (job.job_class <= given.job_class) continue;
    double& bound = most[static_cast<size_t>(job.job_class)];
    bound = std::max(bound, TurnSeconds(shares_, job));
  }
  std::lock_guard lock(mutex_);
  double& own = saved_seconds_[static_cast<size_t>(given.job_class)];
  own = std::max(0.0, own - took);
  for (size_t i = 0; i < kClasses; ++i) {
    if (most[i] == 0) continue;
    const double rate = options_.lower_class_share / (1 - options_.lower_class_share);
    saved_seconds_[i] = std::min(saved_seconds_[i] + rate * took, most[i]);
  }
}

}  // namespace deconvoy::server
