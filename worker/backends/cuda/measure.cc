#include "worker/backends/cuda/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr int kCopies = 10;  // at a time, so that starting them does not count

// The upper median of the seconds that what `start` gives to the stream takes, after once that is not counted.
template <typename Start>
absl::StatusOr<double> MedianSeconds(Stream& stream, int repeats, const Start& start) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(start());
    RETURN_IF_ERROR(stream.Wait());
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (i > 0) seconds.push_back(taken.count());
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

absl::StatusOr<FftShape> WholeField(const Shape3& shape) {
  if (shape.x < 2) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "shape", .remedy = "measure one of at least two columns"},
                     fmt::format("a field of {} x {} x {} voxels has no rows to transform", shape.z, shape.y, shape.x));
  }
  FftShape whole{.real = true, .extents = {}, .stride = 1, .distance = shape.z * shape.y * (shape.x / 2 + 1)};
  for (const int64_t extent : {shape.z, shape.y, shape.x}) {
    if (extent > 1) whole.extents.push_back(extent);
  }
  return whole;
}

}  // namespace

absl::StatusOr<DeviceSpeed> MeasureRuntime(Runtime& runtime, const Shape3& shape, int repeats) {
  ASSIGN_OR_RETURN(const FftShape whole, WholeField(shape));
  const int64_t bytes = whole.distance * 2 * static_cast<int64_t>(sizeof(float));
  ASSIGN_OR_RETURN(const std::unique_ptr<Stream> stream, runtime.MakeStream());
  ASSIGN_OR_RETURN(const Block field, runtime.arena().Allocate(bytes));
  RETURN_IF_ERROR(stream->Clear(field.floats(), bytes));
  DeviceSpeed speed;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<Fft> fft, runtime.MakeFft(whole));
    ASSIGN_OR_RETURN(const Block workspace, runtime.arena().Allocate(fft->workspace_bytes()));
    ASSIGN_OR_RETURN(speed.four_transforms_seconds, MedianSeconds(*stream, repeats, [&]() -> absl::Status {
                       for (int i = 0; i < 2; ++i) {
                         RETURN_IF_ERROR(fft->Forward(stream->place(), field.floats(), workspace.floats()));
                         RETURN_IF_ERROR(fft->Inverse(stream->place(), field.floats(), workspace.floats()));
                       }
                       return absl::OkStatus();
                     }));
  }
  ASSIGN_OR_RETURN(const Block copy, runtime.arena().Allocate(bytes));
  ASSIGN_OR_RETURN(const double seconds, MedianSeconds(*stream, repeats, [&]() -> absl::Status {
                     for (int i = 0; i < kCopies; ++i) {
                       RETURN_IF_ERROR(stream->Copy(field.floats(), bytes, copy.floats()));
                     }
                     return absl::OkStatus();
                   }));
  speed.copy_bytes_per_second = 2.0 * kCopies * static_cast<double>(bytes) / seconds;
  return speed;
}

}  // namespace deconvoy::worker::cuda
