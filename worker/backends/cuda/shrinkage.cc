#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/backends/cuda/cuda_ops.h"
#include "worker/backends/cuda/wavelet_taps.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr Shape3 Coarse(const Shape3& s) {
  return {s.z - s.z / 2, s.y - s.y / 2, s.x - s.x / 2};
}

class Shrinker {
 public:
  Shrinker(const WaveletShrinkage& shrinkage, const CudaArray& array, const Convolver& convolver)
      : shrinkage_(shrinkage), array_(array), convolver_(convolver), shape_(array.box().shape) {}

  absl::StatusOr<double> Run(Totals<1>* sums) {
    std::vector<Shape3> scales{shape_};
    while (static_cast<int>(scales.size()) < shrinkage_.scales) scales.push_back(Coarse(scales.back()));
    for (size_t k = 0; k < scales.size(); ++k) RETURN_IF_ERROR(EachAxis(scales[k], k == 0, /*split=*/true));
    const Field field = FieldOf(&array_);
    RETURN_IF_ERROR(
        Check(RunShrink(Place(), field, Coarse(scales.back()), shrinkage_.threshold, sums), "shrinking wavelets"));
    for (size_t k = scales.size(); k-- > 0;) RETURN_IF_ERROR(EachAxis(scales[k], k == 0, /*split=*/false));
    std::vector<Totals<1>> host(static_cast<size_t>(SumsFor(shape_)));
    RETURN_IF_ERROR(convolver_.Download(sums, 2 * static_cast<int64_t>(host.size()), host.data()));
    double sum = 0;
    for (const Totals<1>& part : host) sum += part.value[0];
    return sum;
  }

 private:
  LaunchPlace Place() const { return convolver_.stream().place(); }
  absl::Status Check(int error, std::string_view call) const { return convolver_.stream().Check(error, call); }

  // Of a filter for lines of this many numbers, on the device.
  struct DeviceTaps {
    int64_t first = 0;
    int64_t count = 0;
    StreamBlock h;
  };
  absl::StatusOr<const DeviceTaps*> TapsFor(int64_t extent) {
    const auto known = taps_.find(extent);
    if (known != taps_.end()) return &known->second;
    const WaveletTaps made = MakeWaveletTaps(shrinkage_.wavelet, extent / 2 * 2);
    DeviceTaps taps{.first = made.first, .count = static_cast<int64_t>(made.h.size()), .h = {}};
    if (taps.count > 0) {
      ASSIGN_OR_RETURN(taps.h, convolver_.AllocateFloats(taps.count));
      RETURN_IF_ERROR(convolver_.Upload(made.h.data(), taps.count, taps.h.floats()));
    }
    return &taps_.emplace(extent, std::move(taps)).first->second;
  }

  // The scale that splits a box of this shape, in the first numbers of each axis, from the array to the room beside it
  // and back. Lines of the whole array begin at `start`.
  absl::Status EachAxis(const Shape3& part, bool whole, bool split) {
    const Voxel start = whole ? shrinkage_.start : Voxel{};
    const int64_t extents[] = {part.z, part.y, part.x}, starts[] = {start.z, start.y, start.x};
    float *from = array_.data(), *to = convolver_.room();
    for (const int axis : {2, 1, 0}) {
      if (extents[axis] < 2) continue;
      ASSIGN_OR_RETURN(const DeviceTaps* const taps, TapsFor(extents[axis]));
      const WaveletPass pass{.from = from,
                             .to = to,
                             .part = part,
                             .array = shape_,
                             .axis = axis,
                             .start = starts[axis],
                             .taps = taps->count > 0 ? taps->h.floats() : nullptr,
                             .first_tap = static_cast<int32_t>(taps->first),
                             .tap_count = static_cast<int32_t>(taps->count)};
      RETURN_IF_ERROR(Check(split ? RunSplit(Place(), pass) : RunJoin(Place(), pass), "transforming wavelets"));
      std::swap(from, to);
    }
    if (from == array_.data()) return absl::OkStatus();
    const Box3 box{{}, part};
    return Check(RunCopy(Place(), {from, {}, shape_}, box, {to, {}, shape_}), "copying wavelets");
  }

  const WaveletShrinkage& shrinkage_;
  const CudaArray& array_;
  const Convolver& convolver_;
  const Shape3 shape_;
  std::map<int64_t, DeviceTaps> taps_;  // by extent
};

}  // namespace

absl::StatusOr<double> ShrinkWavelets(const WaveletShrinkage& shrinkage, const CudaArray& array,
                                      const Convolver& convolver, Totals<1>* sums) {
  return Shrinker(shrinkage, array, convolver).Run(sums);
}

}  // namespace deconvoy::worker::cuda
