#include "server/jobs/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "server/jobs/task_builder.h"

namespace deconvoy::server {
namespace {

constexpr int64_t kSamples = 3;

using Samples = std::vector<const v1::Calibration*>;

absl::Status WrongCalibration(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "result.calibrate"}, what);
}

bool IsAutomatic(const v1::DeconvolveSpec& spec, const std::string& parameter) {
  const auto found = spec.parameters().find(parameter);
  return found != spec.parameters().end() && found->second == kAutomatic;
}

Samples SamplesOf(const std::vector<v1::Calibration>& all, int64_t channel, const std::string& parameter) {
  Samples samples;
  for (const v1::Calibration& sample : all) {
    if (sample.c() == channel && sample.parameter() == parameter) samples.push_back(&sample);
  }
  return samples;
}

// Those with the criterion that most of them have.
Samples OfOneKind(const Samples& samples) {
  std::map<std::string, int> votes;
  for (const v1::Calibration* sample : samples) ++votes[sample->criterion()];
  int most = 0;
  for (const auto& [criterion, count] : votes) most = std::max(most, count);
  const auto chosen = std::find_if(samples.begin(), samples.end(),
                                   [&](const auto* sample) { return votes[sample->criterion()] == most; });
  Samples kind;
  for (const v1::Calibration* sample : samples) {
    if (sample->criterion() == (*chosen)->criterion()) kind.push_back(sample);
  }
  return kind;
}

// The sum of curves that begin alike.
void AddUp(const Samples& samples, v1::Calibration& total) {
  const auto longest = std::max_element(samples.begin(), samples.end(), [](const auto* a, const auto* b) {
    return a->candidates_size() < b->candidates_size();
  });
  for (int i = 0; i < (*longest)->candidates_size(); ++i) {
    v1::CalibrationCandidate& candidate = *total.add_candidates();
    candidate.set_value((*longest)->candidates(i).value());
    double score = 0;
    for (const v1::Calibration* sample : samples) {
      score += sample->candidates(std::min(i, sample->candidates_size() - 1)).score();
    }
    candidate.set_score(score);
  }
}

// The mean of spectra.
void Average(const Samples& samples, v1::Calibration& mean) {
  for (int i = 0; i < samples.front()->signal_to_noise_size(); ++i) {
    double sum = 0;
    for (const v1::Calibration* sample : samples) sum += sample->signal_to_noise(i);
    mean.add_signal_to_noise(sum / static_cast<double>(samples.size()));
  }
}

// The last value whose score is above the lowest by at most `slack` of the fall; without slack the first of the lowest.
// Empty where there are no candidates.
std::string Best(const v1::Calibration& calibration, double slack) {
  const auto& candidates = calibration.candidates();
  if (candidates.empty()) return "";
  const auto lowest = std::min_element(candidates.begin(), candidates.end(),
                                       [](const auto& a, const auto& b) { return a.score() < b.score(); });
  const double limit = lowest->score() + slack * (candidates.begin()->score() - lowest->score());
  if (!(limit > lowest->score())) return lowest->value();  // also where a worker's slack is no number
  return std::find_if(candidates.rbegin(), candidates.rend(), [&](const auto& one) { return one.score() <= limit; })
      ->value();
}

v1::Calibration ChooseOne(const v1::Method& method, const v1::Parameter& parameter, int64_t channel,
                          const std::vector<v1::Calibration>& all) {
  v1::Calibration chosen;
  chosen.set_c(static_cast<uint32_t>(channel));
  chosen.set_parameter(parameter.name());
  const Samples samples = SamplesOf(all, channel, parameter.name());
  if (samples.empty()) {
    chosen.set_value(parameter.default_value());
    chosen.set_criterion("the default, as the frame is blank");
    return chosen;
  }
  const Samples kind = OfOneKind(samples);
  AddUp(kind, chosen);
  Average(kind, chosen);
  chosen.set_value(Best(chosen, parameter.name() == kIterations ? method.iterations_slack() : 0));
  chosen.set_criterion(
      fmt::format("{}, {} {}", kind.front()->criterion(), kind.size(), kind.size() == 1 ? "tile" : "tiles"));
  return chosen;
}

// Whether one list of candidates has the values with which the other begins, and spectra are of the same length.
bool BeginAlike(const v1::Calibration& a, const v1::Calibration& b) {
  if (a.signal_to_noise_size() != b.signal_to_noise_size()) return false;
  for (int i = 0; i < std::min(a.candidates_size(), b.candidates_size()); ++i) {
    if (a.candidates(i).value() != b.candidates(i).value()) return false;
  }
  return true;
}

// Names of the parameters that are to be found.
std::set<std::string> AutomaticOf(const v1::DeconvolveSpec& spec) {
  std::set<std::string> names;
  for (const auto& [name, text] : spec.parameters()) {
    if (text == kAutomatic) names.insert(name);
  }
  return names;
}

absl::Status CheckNumbers(const v1::Calibration& found) {
  if (found.candidates().empty() && found.signal_to_noise().empty()) {
    return WrongCalibration(fmt::format("the calibration of `{}` has no candidates", found.parameter()));
  }
  for (const v1::CalibrationCandidate& candidate : found.candidates()) {
    if (std::isfinite(candidate.score())) continue;
    return WrongCalibration(
        fmt::format("the score of `{}={}` is not a number", found.parameter(), Printable(candidate.value())));
  }
  for (const double ratio : found.signal_to_noise()) {
    if (!(ratio >= 0) || !std::isfinite(ratio)) return WrongCalibration("a ratio of signal to noise is not a number");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<int64_t> SampleTiles(int64_t tiles) {
  const int64_t count = std::min(tiles, kSamples);
  std::vector<int64_t> samples;
  for (int64_t i = 0; i < count; ++i) samples.push_back((2 * i + 1) * tiles / (2 * count));
  return samples;
}

bool IsAutomatic(const v1::DeconvolveSpec& spec) {
  return !AutomaticOf(spec).empty();
}

std::vector<TaskRecord> CalibrationTasks(const LiveJob& job, const TilePlan& tiles, int64_t first) {
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  std::vector<TaskRecord> tasks;
  if (!IsAutomatic(spec)) return tasks;
  const v1::Shape5& shape = ResultOf(job).shape();
  const int64_t t = StartsFromPrevious(job.spec()) ? 0 : shape.t() / 2;
  for (int64_t c = 0; c < shape.c(); ++c) {
    for (const int64_t tile : SampleTiles(tiles.tiles())) {
      TaskRecord& task = tasks.emplace_back();
      task.job_id = job.id();
      task.number = first++;
      task.kind = TaskKind::kCalibrate;
      task.t = t;
      task.c = c;
      task.tile = tile;
    }
  }
  return tasks;
}

absl::Status CheckCalibrations(const LiveJob& job, int64_t number, const v1::CalibrateResult& result) {
  std::set<std::string> missing = AutomaticOf(job.spec().deconvolve());
  if (result.calibrations().empty()) return absl::OkStatus();
  for (const v1::Calibration& found : result.calibrations()) {
    if (missing.erase(found.parameter()) == 0) {
      return WrongCalibration(
          fmt::format("`{}` is not automatic in this job, or is calibrated twice", Printable(found.parameter())));
    }
    if (found.c() != static_cast<uint32_t>(job.task(number).c)) {
      return WrongCalibration(
          fmt::format("the calibration of channel {} is said to be of channel {}", job.task(number).c, found.c()));
    }
    RETURN_IF_ERROR(CheckNumbers(found));
    for (const v1::Calibration* sample : SamplesOf(job.plan()->samples, found.c(), found.parameter())) {
      if (BeginAlike(*sample, found)) continue;
      return WrongCalibration(fmt::format("the values of `{}` are not those of the other samples", found.parameter()));
    }
  }
  if (missing.empty()) return absl::OkStatus();
  return WrongCalibration(fmt::format("the calibration of `{}` is missing", *missing.begin()));
}

std::vector<v1::Calibration> Choose(const v1::Method& method, const v1::DeconvolveSpec& spec, int64_t channels,
                                    const std::vector<v1::Calibration>& samples) {
  std::vector<v1::Calibration> chosen;
  for (int64_t c = 0; c < channels; ++c) {
    for (const v1::Parameter& parameter : method.parameters()) {
      if (IsAutomatic(spec, parameter.name())) chosen.push_back(ChooseOne(method, parameter, c, samples));
    }
  }
  return chosen;
}

v1::DeconvolveSpec WithChosen(v1::DeconvolveSpec spec, const std::vector<v1::Calibration>& calibrations,
                              int64_t channel) {
  for (const v1::Calibration& calibration : calibrations) {
    if (calibration.c() != channel || calibration.value().empty()) continue;
    (*spec.mutable_parameters())[calibration.parameter()] = calibration.value();
  }
  return spec;
}

}  // namespace deconvoy::server
