#include "client/cli/report.h"

#include <absl/time/time.h>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "client/cli/job_run.h"
#include "client/cli/run_curves.h"
#include "client/cli/spec_text.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/quality.h"

namespace deconvoy::client {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kFramesListed = 8;
// Share of the input's light that a result has, where all is well.
constexpr double kLeastLight = 0.9, kMostLight = 1.15;
constexpr double kNothing = 1e-6;  // share of the maximum below which a figure is shown as 0

double Seconds(const google::protobuf::Timestamp& from, const google::protobuf::Timestamp& to) {
  return static_cast<double>(TimeUtil::DurationToMilliseconds(to - from)) / 1000.0;
}

// Counts as people read them: digits that matter, and none where they are nothing beside `scale`.
std::string Counts(double value, double scale) {
  if (std::abs(value) < kNothing * std::abs(scale)) return "0";
  if (std::abs(value) >= 1e5 && std::abs(value) < 1e7) return fmt::format("{:.0f}", value);
  return fmt::format("{:.5g}", value);
}

// Of a channel, as estimated or given.
double GainOf(const v1::Job& job, uint32_t c) {
  const auto channel = static_cast<int>(c);
  const double gain = channel < job.channels_size() ? job.channels(channel).gain_photons_per_count()
                                                    : job.spec().deconvolve().gain_photons_per_count();
  return gain > 0 ? gain : 1;
}

// Frames are reported in photons, without the dark current's; the files hold counts.
std::string FrameLine(const v1::Job& job, const v1::FrameStatistics& frame) {
  const double gain = GainOf(job, frame.c()), offset = job.spec().deconvolve().offset_counts();
  const double dark = job.spec().deconvolve().dark_photons();
  const double minimum = (frame.minimum() + dark) / gain + offset, maximum = (frame.maximum() + dark) / gain + offset;
  const double background = frame.background() / gain;
  std::string line = fmt::format("{} to {} counts, background {}", Counts(minimum, maximum), Counts(maximum, maximum),
                                 Counts(background, maximum));
  if (offset != 0) line += fmt::format(" above the offset of {}", Counts(offset, offset));
  if (gain != 1) line += fmt::format("; brightest voxel {} photons", Counts(frame.maximum(), frame.maximum()));
  return line;
}

std::vector<std::string> FrameLines(const v1::Job& job) {
  std::vector<std::string> lines;
  for (const v1::FrameStatistics& frame : job.frames()) {
    if (static_cast<int>(lines.size()) == kFramesListed) {
      lines.push_back(
          fmt::format("input: and {} more frames (deconvoy job, --json)", job.frames_size() - kFramesListed));
      break;
    }
    const std::string which =
        job.frames_size() > 1 ? fmt::format(", time point {}, channel {}", frame.t(), frame.c()) : std::string();
    lines.push_back(fmt::format("input{}: {}", which, FrameLine(job, frame)));
  }
  return lines;
}

// What was found of each camera, where it was looked for.
std::vector<std::string> CameraLines(const v1::Job& job) {
  std::vector<std::string> lines;
  for (const v1::ChannelFacts& channel : job.channels()) {
    const std::string which = job.channels_size() > 1 ? fmt::format("camera, channel {}", channel.c()) : "camera";
    if (channel.gain_error() > 0)
      lines.push_back(fmt::format("{}: gain {:.4g} +- {:.2g} photons per count, read noise {:.3g} photons{}", which,
                                  channel.gain_photons_per_count(), channel.gain_error(), channel.read_noise_photons(),
                                  channel.read_noise_estimated() ? "" : " as given"));
    if (!channel.bad_pixels().empty())
      lines.push_back(fmt::format("{}: {} bad pixels (deconvoy job, --json)", which, channel.bad_pixels_size()));
  }
  return lines;
}

std::string ClippingLine(v1::VoxelType type, uint64_t voxels) {
  if (voxels == 0) return "clipped: no voxel";
  return fmt::format("clipped: {} voxels did not fit the result's type {}", voxels,
                     type == v1::U8 ? "u8 (0 to 255)" : "u16 (0 to 65535)");
}

// What a result's light over that of its image means.
std::string LightVerdict(const v1::DeconvolveSpec& spec, double share) {
  if (share > kMostLight)
    return ": more than blur alone explains; fine where structures reach beyond the stack's ends, else check "
           "background and offset";
  if (share < kLeastLight && spec.method() == kNetworkMethod)
    return ": light is missing; check background and PSF, or whether the model suits the image";
  if (share < kLeastLight) return ": light is missing; give more iterations, or check background and PSF";
  return ": as it should be";
}

std::vector<std::string> ResultLines(const v1::Job& job) {
  const v1::DeconvolveSpec& spec = job.spec().deconvolve();
  const v1::ResultStatistics& result = job.result();
  const std::string removed = spec.keep_offset()          ? "background removed, offset kept"
                              : spec.offset_counts() != 0 ? "background and offset removed"
                                                          : "background removed";
  std::vector<std::string> lines = {fmt::format("result: {} to {} counts, {}",
                                                Counts(result.minimum(), result.maximum()),
                                                Counts(result.maximum(), result.maximum()), removed)};
  // A kept offset is no light.
  if (result.input_sum() > 0 && !spec.keep_offset())
    lines.push_back(fmt::format("light: {} counts above background in the input, {} in the result ({:.1f} %){}",
                                Counts(result.input_sum(), result.input_sum()), Counts(result.sum(), result.sum()),
                                100 * result.sum() / result.input_sum(),
                                LightVerdict(spec, result.sum() / result.input_sum())));
  if (spec.output_type() == v1::U8 || spec.output_type() == v1::U16)
    lines.push_back(ClippingLine(spec.output_type(), result.clipped_voxels()));
  return lines;
}

// The residual in the units that its numbers have.
std::vector<std::string> QualityLines(const v1::Job& job) {
  const v1::QualityStatistics& quality = job.result().quality();
  if (quality.voxels() == 0) return {};
  const auto voxels = static_cast<double>(quality.voxels());
  const double bias = quality.residual_sum() / voxels, squares = quality.residual_squares() / voxels;
  const Correlation along = CorrelationOf(quality);
  std::string line = fmt::format("residual: rms {:.2f}, bias {:.2f}, correlation {:.2f}, {:.2f}, {:.2f} along z, y, x",
                                 std::sqrt(squares), bias, along.z, along.y, along.x);
  if (job.spec().deconvolve().gain_photons_per_count() == 0 && !job.spec().deconvolve().estimate_gain())
    line += "; rms and bias in units of noise only where a count is a photon";
  std::vector<std::string> lines = {std::move(line)};
  if (quality.flat_voxels() > 0 && quality.flat_squares_before() > 0)
    lines.push_back(fmt::format("flat regions: the result varies {:.2g} times as much as the image",
                                std::sqrt(quality.flat_squares_after() / quality.flat_squares_before())));
  if (quality.faint_voxels() > 0 && quality.faint_light_before() > 0)
    lines.push_back(fmt::format("faint structures: {:.0f} % of their light explained",
                                100 * quality.faint_light_after() / quality.faint_light_before()));
  return lines;
}

std::string DurationLine(const v1::Job& job) {
  const double queue = Seconds(job.create_time(), job.start_time());
  std::string line = fmt::format("time: {:.1f} s computing", Seconds(job.start_time(), job.end_time()));
  if (queue >= 0.05) line += fmt::format(", {:.1f} s in the queue", queue);
  return line;
}

std::string StateText(const v1::Job& job) {
  return Lower(v1::JobState_Name(job.state()));
}

// `42 %`, and what the job waits for where nothing is being done.
std::string ProgressText(const v1::Job& job) {
  const std::string percent = fmt::format("{:.0f} %", job.progress().fraction() * 100);
  const bool open = job.state() == v1::PENDING || job.state() == v1::RUNNING;
  const std::string& activity = job.progress().activity();
  if (!open || !activity.starts_with("waiting")) return percent;
  return fmt::format("{}, {}", percent, activity == "waiting" ? "waiting for its turn" : Printable(activity));
}

std::string WorkText(const v1::Job& job) {
  switch (job.spec().work_case()) {
    case v1::JobSpec::kDeconvolve:
      return "deconvolve " + Printable(job.spec().deconvolve().method());
    case v1::JobSpec::kSimulate:
      return "simulate";
    case v1::JobSpec::kDistill:
      return "distil PSF";
    case v1::JobSpec::kModelPsf:
      return "model PSF";
    case v1::JobSpec::kProject:
      return "project";
    case v1::JobSpec::kCheckPsf:
      return "check PSF";
    case v1::JobSpec::kPreparePsf:
      return "prepare PSF";
    case v1::JobSpec::kTrainModel:
      return "train " + Printable(job.spec().train_model().network());
    case v1::JobSpec::kCheckModel:
      return "check model";
    case v1::JobSpec::kImportFile:
      return "import";
    case v1::JobSpec::kExportFile:
      return "export";
    default:
      return "?";
  }
}

void Append(std::vector<std::string>& lines, std::vector<std::string> more) {
  lines.insert(lines.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

void AppendTimes(const v1::Job& job, std::vector<std::string>& lines) {
  lines.push_back("created: " + TimeText(job.create_time()));
  if (job.has_start_time()) lines.push_back("started: " + TimeText(job.start_time()));
  if (job.has_end_time()) lines.push_back("ended: " + TimeText(job.end_time()));
}

void AppendError(const v1::Job& job, std::vector<std::string>& lines) {
  if (!job.has_error()) return;
  lines.push_back("error: " + Printable(job.error().message()));
  if (!job.error().info().remedy().empty()) lines.push_back("  " + Printable(job.error().info().remedy()));
}

void AppendLog(const v1::Job& job, std::vector<std::string>& lines) {
  if (job.worker_log().empty()) return;
  lines.push_back("worker log:");
  std::string_view log = job.worker_log();
  while (!log.empty()) {
    const size_t end = std::min(log.find('\n'), log.size());
    lines.push_back("  " + Printable(log.substr(0, end)));
    log.remove_prefix(std::min(end + 1, log.size()));
  }
}

// `iterations: 37 (likelihood of held-out photons, 2 tiles)`
std::vector<std::string> CalibrationLines(const v1::Job& job) {
  const auto& all = job.calibrations();
  const bool channels = std::any_of(all.begin(), all.end(), [](const auto& one) { return one.c() > 0; });
  std::vector<std::string> lines;
  for (const v1::Calibration& calibration : all) {
    lines.push_back(fmt::format("{}{}: {} ({})", Printable(calibration.parameter()),
                                channels ? fmt::format(", channel {}", calibration.c()) : std::string(),
                                calibration.value().empty() ? "by frequency" : Printable(calibration.value()),
                                Printable(calibration.criterion())));
  }
  return lines;
}

// Of each curve its ends and its lowest score, above which all others are shown.
std::vector<std::string> CurveLines(const v1::Job& job) {
  std::vector<std::string> lines;
  for (const v1::Calibration& calibration : job.calibrations()) {
    const auto& candidates = calibration.candidates();
    if (candidates.empty()) continue;
    const auto lowest = std::min_element(candidates.begin(), candidates.end(),
                                         [](const auto& a, const auto& b) { return a.score() < b.score(); });
    const auto& first = candidates[0];
    const auto& last = candidates[candidates.size() - 1];
    lines.push_back(fmt::format("  {} tried: at {} the score is {:.5g} above that at {}, at {} {:.5g}",
                                candidates.size(), Printable(first.value()), first.score() - lowest->score(),
                                Printable(lowest->value()), Printable(last.value()), last.score() - lowest->score()));
  }
  return lines;
}

// `PSF of channel 0: estimated at t=0 in 30 rounds, objective 5321 after the first and 4200 after the last`
std::vector<std::string> EstimateLines(const v1::Job& job) {
  std::vector<std::string> lines;
  for (const v1::PsfEstimate& estimate : job.psf_estimates()) {
    const auto& rounds = estimate.objective();
    if (rounds.empty()) continue;
    lines.push_back(fmt::format(
        "PSF of channel {}: estimated at t={} in {} rounds, objective {:.5g} after the first and {:.5g} after the last",
        estimate.c(), estimate.t(), rounds.size(), rounds[0].value(), rounds[rounds.size() - 1].value()));
  }
  return lines;
}

}  // namespace

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::LocalTimeZone());
}

std::vector<std::string> JobReport(const v1::Job& job) {
  std::vector<std::string> lines;
  Append(lines, FrameLines(job));
  Append(lines, CameraLines(job));
  Append(lines, CalibrationLines(job));
  if (job.has_result()) Append(lines, ResultLines(job));
  Append(lines, QualityLines(job));
  if (job.has_start_time() && job.has_end_time()) lines.push_back(DurationLine(job));
  return lines;
}

std::vector<std::string> JobDetails(const v1::Job& job) {
  std::vector<std::string> lines = {"job: " + Printable(job.name()), "state: " + StateText(job),
                                    "work: " + WorkText(job)};
  if (!job.spec().display_name().empty()) lines.push_back("name: " + Printable(job.spec().display_name()));
  if (job.spec().job_class() > v1::JOB_CLASS_UNSPECIFIED && job.spec().job_class() != v1::NORMAL) {
    lines.push_back("class: " + Lower(v1::JobClass_Name(job.spec().job_class())));
  }
  AppendTimes(job, lines);
  lines.push_back(fmt::format("progress: {}, {} of {} tasks", ProgressText(job), job.progress().tasks_done(),
                              job.progress().tasks_total()));
  Append(lines, SpecLines(job.spec()));
  for (const v1::JobOutput& output : job.outputs())
    lines.push_back(fmt::format("output: {} in {}", Printable(output.role()), Printable(output.volume())));
  Append(lines, JobReport(job));
  Append(lines, CurveLines(job));
  Append(lines, EstimateLines(job));
  for (const v1::Finding& finding : job.findings()) lines.push_back(NoteText(ToNote(finding)));
  Append(lines, RunCurveLines(job));
  AppendError(job, lines);
  AppendLog(job, lines);
  return lines;
}

std::vector<std::string> JobRow(const v1::Job& job) {
  return {Printable(job.name()),       StateText(job), ProgressText(job),
          TimeText(job.create_time()), WorkText(job),  Printable(job.spec().display_name())};
}

std::vector<std::string> Table(const std::vector<std::string>& heading,
                               const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::string& cell : heading) widths.push_back(cell.size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  const auto line = [&widths](const std::vector<std::string>& row) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i)
      text += i + 1 < row.size() ? fmt::format("{:<{}}  ", row[i], widths[i]) : row[i];
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
  };
  std::vector<std::string> lines = {line(heading)};
  for (const auto& row : rows) lines.push_back(line(row));
  return lines;
}

void SayTable(const Console& console, const std::vector<std::string>& heading,
              const std::vector<std::vector<std::string>>& rows, std::string_view nothing) {
  if (rows.empty()) return console.Say(nothing);
  for (const std::string& line : Table(heading, rows)) console.Say(line);
}

}  // namespace deconvoy::client
