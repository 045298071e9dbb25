#include "worker/backends/cpu/fft_costs.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/fft_costs.h"
#include "proto/contract/status_macros.h"
#include "worker/backends/cpu/buffer.h"
#include "worker/backends/cpu/fft_plans.h"
#include "worker/backends/cpu/spectrum.h"

namespace deconvoy::worker::cpu {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// What an iteration does besides the transforms along one axis takes about as long per voxel as this many row
// transforms of the best extent (docs/performance.md).
constexpr double kRestInRows = 4;

constexpr int64_t kLeastExtent = 16;  // shorter ones take next to nothing

// Seconds of `work`: the least of several tries of at least a fifth of a millisecond each.
template <typename Work>
double LeastSeconds(const Work& work) {
  constexpr int kTries = 9;
  constexpr std::chrono::microseconds kTry{200};
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTries; ++i) {
    int64_t count = 0;
    const auto start = Clock::now();
    auto now = start;
    for (; now - start < kTry; now = Clock::now(), ++count) work();
    least = std::min(least, std::chrono::duration<double>(now - start).count() / static_cast<double>(count));
  }
  return least;
}

// Seconds per voxel of one transform. `memory` holds three rows or lines of the extent.
double TimeRow(int64_t extent, const fs::path& folder, Buffer& memory) {
  const RowTransform& transform = RowTransformFor(extent, folder);
  const int64_t pitch = 2 * LinePitch(extent / 2 + 1);
  float* row = memory.data();
  auto* scratch = reinterpret_cast<Complex*>(row + pitch);
  auto* spectrum = reinterpret_cast<Complex*>(row + 2 * pitch);
  const double seconds = LeastSeconds([&] {
    transform.Forward(row, scratch, spectrum);
    transform.Inverse(spectrum, scratch, row);
  });
  return seconds / 2 / static_cast<double>(extent);
}

// Likewise; a column of complex numbers stands for two of voxels.
double TimeColumn(int64_t extent, const fs::path& folder, Buffer& memory) {
  const LineTransform& transform = LineTransformFor(extent, folder);
  auto* line = reinterpret_cast<Complex*>(memory.data());
  Complex* transformed = line + LinePitch(extent);
  const double seconds = LeastSeconds([&] {
    transform.Forward(line, transformed);
    transform.Inverse(transformed, line);
  });
  return seconds / 2 / static_cast<double>(extent * 2);
}

using Seconds = std::map<int64_t, double>;  // by extent

double Least(const Seconds& seconds) {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [extent, value] : seconds) least = std::min(least, value);
  return least;
}

void SetCosts(const Seconds& seconds, double rest, google::protobuf::RepeatedPtrField<v1::FftCost>& costs) {
  const double best = Least(seconds);
  for (const auto& [extent, value] : seconds) {
    v1::FftCost& cost = *costs.Add();
    cost.set_extent(static_cast<uint32_t>(extent));
    cost.set_cost(static_cast<uint32_t>(std::lround(1000 * (rest + value) / (rest + best))));
  }
}

bool IsCandidate(int64_t extent) {
  for (const int64_t prime : {11, 13}) {
    while (extent % prime == 0) extent /= prime;
  }
  return IsSmooth(extent);
}

fs::path CostFile(const fs::path& folder) {
  return WisdomFile(folder).replace_extension(".costs.json");
}

absl::Status Keep(const v1::FftCosts& costs, const fs::path& file) {
  std::string text;
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  if (!google::protobuf::util::MessageToJsonString(costs, &text, options).ok()) return absl::InternalError("no JSON");
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const fs::path part = file.string() + ".part";
  std::ofstream stream(part, std::ios::binary);
  stream << text;
  stream.close();
  if (stream) fs::rename(part, file, error);
  if (stream && !error) return absl::OkStatus();
  fs::remove(part, error);
  return MakeError({.reason = v1::STORAGE_FAILURE, .remedy = "Give --state a folder that can be written."},
                   fmt::format("the costs cannot be kept in {}", Printable(file.string())));
}

}  // namespace

absl::Status MeasureFftCosts(int64_t largest, const fs::path& folder,
                             const std::function<void(int64_t done, int64_t total)>& progress) {
  std::vector<int64_t> extents;
  for (int64_t extent = kLeastExtent; extent <= largest; ++extent) {
    if (IsCandidate(extent)) extents.push_back(extent);
  }
  ASSIGN_OR_RETURN(Buffer memory, Buffer::OfFloats(4 * LinePitch(largest)));
  Seconds rows, columns;
  for (size_t i = 0; i < extents.size(); ++i) {
    const int64_t extent = extents[i];
    if (extent % 2 == 0) rows[extent] = TimeRow(extent, folder, memory);
    columns[extent] = TimeColumn(extent, folder, memory);
    progress(static_cast<int64_t>(i) + 1, static_cast<int64_t>(extents.size()));
  }
  v1::FftCosts costs;
  const double rest = kRestInRows * Least(rows);
  SetCosts(rows, rest, *costs.mutable_rows());
  SetCosts(columns, rest, *costs.mutable_columns());
  return Keep(costs, CostFile(folder));
}

v1::FftCosts KeptFftCosts(const fs::path& folder) {
  if (folder.empty()) return {};
  const fs::path file = CostFile(folder);
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return {};
  std::ostringstream text;
  text << stream.rdbuf();
  v1::FftCosts costs;
  const bool read = google::protobuf::util::JsonStringToMessage(text.str(), &costs).ok();
  if (read && FftCosts::FromProto(costs).ok()) return costs;
  spdlog::warn("ignoring the transform costs in {}: they are damaged; run deconvoy-worker --plan again", file.string());
  return {};
}

}  // namespace deconvoy::worker::cpu
