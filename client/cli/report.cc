#include "client/cli/report.h"

#include <absl/time/time.h>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

#include "client/cli/job_run.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

using google::protobuf::util::TimeUtil;

constexpr int kFramesListed = 8;

std::string FrameName(const v1::FrameStatistics& frame) {
  return fmt::format("t={} c={}", frame.t(), frame.c());
}

std::vector<std::string> FrameLines(const v1::Job& job) {
  std::vector<std::string> lines;
  for (const v1::FrameStatistics& frame : job.frames()) {
    if (static_cast<int>(lines.size()) == kFramesListed) {
      lines.push_back(
          fmt::format("input: and {} more frames (deconvoy job, --json)", job.frames_size() - kFramesListed));
      break;
    }
    lines.push_back(fmt::format("input{}: {:.6g} to {:.6g} photons, mean {:.6g}, background {:.6g}",
                                job.frames_size() > 1 ? " at " + FrameName(frame) : "", frame.minimum(),
                                frame.maximum(), frame.mean(), frame.background()));
  }
  return lines;
}

std::vector<std::string> ResultLines(const v1::Job& job) {
  const v1::ResultStatistics& result = job.result();
  std::vector<std::string> lines = {fmt::format("result: {:.6g} to {:.6g} counts", result.minimum(), result.maximum())};
  std::string flux =
      fmt::format("flux: {:.6g} counts above background in, {:.6g} out", result.input_sum(), result.sum());
  if (result.input_sum() > 0) flux += fmt::format(" (ratio {:.4f})", result.sum() / result.input_sum());
  lines.push_back(flux);
  const v1::VoxelType type = job.spec().deconvolve().output_type();
  if (result.clipped_voxels() > 0)
    lines.push_back(fmt::format("clipped: {} voxels did not fit the result's type {}", result.clipped_voxels(),
                                type == v1::U8 ? "u8 (0 to 255)" : "u16 (0 to 65535)"));
  else if (type == v1::U8 || type == v1::U16)
    lines.push_back("clipped: no voxel");
  return lines;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string StateText(const v1::Job& job) {
  return Lower(v1::JobState_Name(job.state()));
}

std::string WorkText(const v1::Job& job) {
  switch (job.spec().work_case()) {
    case v1::JobSpec::kDeconvolve:
      return "deconvolve " + Printable(job.spec().deconvolve().method());
    case v1::JobSpec::kSimulate:
      return "simulate";
    case v1::JobSpec::kProject:
      return "project";
    default:
      return "?";
  }
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::LocalTimeZone());
}

double Seconds(const google::protobuf::Timestamp& from, const google::protobuf::Timestamp& to) {
  return static_cast<double>(TimeUtil::DurationToMilliseconds(to - from)) / 1000.0;
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

}  // namespace

std::vector<std::string> JobReport(const v1::Job& job) {
  std::vector<std::string> lines;
  Append(lines, FrameLines(job));
  if (job.has_result()) Append(lines, ResultLines(job));
  if (job.has_start_time() && job.has_end_time())
    lines.push_back(fmt::format("time: {:.1f} s computing, {:.1f} s in the queue",
                                Seconds(job.start_time(), job.end_time()),
                                Seconds(job.create_time(), job.start_time())));
  return lines;
}

std::vector<std::string> JobDetails(const v1::Job& job) {
  std::vector<std::string> lines = {"job: " + Printable(job.name()), "state: " + StateText(job),
                                    "work: " + WorkText(job)};
  if (!job.spec().display_name().empty()) lines.push_back("name: " + Printable(job.spec().display_name()));
  AppendTimes(job, lines);
  lines.push_back(fmt::format("progress: {:.0f} %, {} of {} tasks", job.progress().fraction() * 100,
                              job.progress().tasks_done(), job.progress().tasks_total()));
  const auto& parameters = job.spec().deconvolve().parameters();
  for (const auto& [key, value] : std::map<std::string, std::string>(parameters.begin(), parameters.end()))
    lines.push_back(fmt::format("parameter: {} = {}", Printable(key), Printable(value)));
  for (const v1::JobOutput& output : job.outputs())
    lines.push_back(fmt::format("output: {} in {}", Printable(output.role()), Printable(output.volume())));
  Append(lines, JobReport(job));
  for (const v1::Finding& finding : job.findings()) lines.push_back(FindingText(finding));
  AppendError(job, lines);
  AppendLog(job, lines);
  return lines;
}

std::vector<std::string> JobRow(const v1::Job& job) {
  return {Printable(job.name()),       StateText(job), fmt::format("{:.0f} %", job.progress().fraction() * 100),
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

}  // namespace deconvoy::client
