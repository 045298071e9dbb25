#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/descriptor.h"
#include "worker/learned/script.h"
#include "worker/learned/script_archive.h"
#include "worker/learned/script_process.h"
#include "worker/memory/budget.h"

namespace deconvoy::worker::learned {
namespace {

constexpr double kMemoryMargin = 1.5;       // over what the trial took
constexpr double kLeastBytesPerVoxel = 32;  // values on either side of the socket, and copies
// Address space beyond what is counted: stacks of threads, what an allocator holds back.
constexpr int64_t kSpareBytes = int64_t{512} << 20;
constexpr double kLeastSeconds = 30, kSecondsPerVoxel = 5e-5, kMostSeconds = 900;

int64_t UpTo(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}

// Reflected at the ends up to `to`, the last plane of each axis once.
std::vector<float> Extended(std::span<const float> values, const Shape3& from, const Shape3& to) {
  const auto index = [](int64_t i, int64_t n) {
    const int64_t j = n == 1 ? 0 : i % (2 * (n - 1));
    return std::min(j, std::max<int64_t>(2 * (n - 1) - j, 0));
  };
  std::vector<float> extended;
  extended.reserve(static_cast<size_t>(to.voxels()));
  for (int64_t z = 0; z < to.z; ++z) {
    for (int64_t y = 0; y < to.y; ++y) {
      const int64_t row = (index(z, from.z) * from.y + index(y, from.y)) * from.x;
      for (int64_t x = 0; x < to.x; ++x) extended.push_back(values[static_cast<size_t>(row + index(x, from.x))]);
    }
  }
  return extended;
}

// The first part, of extents `to`.
std::vector<float> Cut(const std::vector<float>& values, const Shape3& from, const Shape3& to) {
  std::vector<float> cut;
  cut.reserve(static_cast<size_t>(to.voxels()));
  for (int64_t z = 0; z < to.z; ++z) {
    for (int64_t y = 0; y < to.y; ++y) {
      const auto row = values.begin() + (z * from.y + y) * from.x;
      cut.insert(cut.end(), row, row + to.x);
    }
  }
  return cut;
}

absl::Status CheckDigest(std::span<const std::byte> file, const std::string& told) {
  Sha256 digest;
  digest.Update(file);
  const Sha256Digest sum = digest.Finish();
  std::string own;
  const std::string_view bytes(reinterpret_cast<const char*>(sum.data()), sum.size());
  boost::algorithm::hex_lower(bytes.begin(), bytes.end(), std::back_inserter(own));
  if (told.empty() || told == own) return absl::OkStatus();
  return MakeError({.reason = v1::BAD_MODEL,
                    .field = "check_model.descriptor_text",
                    .remedy = "Give the file that the descriptor belongs to."},
                   fmt::format("the descriptor is for a file of the SHA-256 {}, and this one has {}", told, own));
}

class ScriptModel final : public Model {
 public:
  ScriptModel(std::span<const std::byte> file, Descriptor descriptor, double bytes_per_voxel, Stop stop)
      : file_(file.begin(), file.end()), descriptor_(std::move(descriptor)), stop_(std::move(stop)) {
    facts_.network = std::string(kScriptNetwork);
    facts_.percentiles = descriptor_.percentiles;
    facts_.descriptor = WriteDescriptor(descriptor_);
    kind_.name = kScriptNetwork;
    kind_.step = CommonStep(descriptor_);
    kind_.halo = std::max({descriptor_.halo.z, descriptor_.halo.y, descriptor_.halo.x});
    kind_.bytes_per_voxel = bytes_per_voxel;
    kind_.plain_only = true;
  }

  const ModelFacts& facts() const override { return facts_; }
  const NetworkKind& kind() const override { return kind_; }
  Shape3 halo() const override {
    const Shape3& own = descriptor_.halo;
    return {UpTo(own.z, kind_.step), UpTo(own.y, kind_.step), UpTo(own.x, kind_.step)};
  }
  int64_t MemoryBytes(const Shape3& box) const override {
    return TaskBytes(TakenExtents(descriptor_, box), kind_.bytes_per_voxel);
  }

  absl::StatusOr<Estimate> Apply(std::span<const float> values, const Shape3& box, const Scale& scale,
                                 float /*noise*/) const override {
    if (box.empty() || static_cast<int64_t>(values.size()) != box.voxels() || !(scale.range > 0)) {
      return MakeError({.reason = v1::INVALID_FIELD, .field = "box"},
                       fmt::format("a box of {} x {} x {} with {} values and the range {} cannot be restored", box.z,
                                   box.y, box.x, values.size(), scale.range));
    }
    const Shape3 taken = TakenExtents(descriptor_, box);
    std::vector<float> seen = Extended(values, box, taken);
    for (float& v : seen) v = (v - scale.offset) / scale.range;
    ApplySteps(descriptor_.before, seen);
    RETURN_IF_ERROR(EnsureProcess());
    ASSIGN_OR_RETURN(const std::vector<float> whole,
                     process_->Restore(taken, seen, BoundsFor(taken, MemoryBytes(box) * 2)));
    Estimate estimate{Cut(whole, taken, box), {}};
    ApplySteps(descriptor_.after, estimate.value);
    for (float& v : estimate.value) v *= scale.range;
    if (std::all_of(estimate.value.begin(), estimate.value.end(), [](float v) { return std::isfinite(v); })) {
      return estimate;
    }
    return MakeError({.reason = v1::BAD_OUTPUT, .remedy = "Check the image for NaN; else use another model."},
                     "the model's result has values that are not finite");
  }

  void StopWhen(Stop stop) override { stop_ = std::move(stop); }

  // Finds the number of parameters, and whether the model does what its descriptor says; also the memory, where it is
  // not known.
  absl::Status Try() {
    RETURN_IF_ERROR(EnsureProcess());
    kind_.parameters = process_->parameters();
    if (kind_.bytes_per_voxel > 0) return absl::OkStatus();
    const Shape3 box = TakenExtents(descriptor_, {kTrialExtent, kTrialExtent, kTrialExtent});
    const std::vector<float> values(static_cast<size_t>(box.voxels()), 0.5F);
    process_->ForgetPeak();
    ASSIGN_OR_RETURN(const int64_t before, process_->ResidentBytes());
    ASSIGN_OR_RETURN(const std::vector<float> restored, process_->Restore(box, values, BoundsFor(box, kTrialBytes)));
    ASSIGN_OR_RETURN(const int64_t peak, process_->PeakBytes());
    const auto taken = static_cast<double>(std::max<int64_t>(peak - before, 0));
    kind_.bytes_per_voxel =
        std::max(kLeastBytesPerVoxel, std::ceil(kMemoryMargin * taken / static_cast<double>(box.voxels())));
    return absl::OkStatus();
  }

 private:
  ScriptBounds BoundsFor(const Shape3& box, int64_t bytes) const {
    const double seconds = std::min(kLeastSeconds + kSecondsPerVoxel * static_cast<double>(box.voxels()), kMostSeconds);
    return {.bytes = bytes + kSpareBytes, .time = std::chrono::seconds(static_cast<int64_t>(seconds)), .stop = stop_};
  }

  // Starts the process where there is none, or the last one has ended.
  absl::Status EnsureProcess() const {
    if (process_ != nullptr && process_->alive()) return absl::OkStatus();
    process_.reset();
    ScriptSetup setup{.threads = static_cast<uint32_t>(std::max(at::get_num_threads(), 1))};
    std::copy(descriptor_.input_axes.begin(), descriptor_.input_axes.end(), setup.input_axes.begin());
    std::copy(descriptor_.output_axes.begin(), descriptor_.output_axes.end(), setup.output_axes.begin());
    ASSIGN_OR_RETURN(process_, ScriptProcess::Start(setup, file_, BoundsFor({1, 1, 1}, kTrialBytes)));
    return absl::OkStatus();
  }

  const std::vector<std::byte> file_;
  const Descriptor descriptor_;
  Stop stop_;
  ModelFacts facts_;
  NetworkKind kind_;
  mutable std::unique_ptr<ScriptProcess> process_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Model>> LoadScript(std::span<const std::byte> file, std::string_view descriptor,
                                                  double bytes_per_voxel, Stop stop) {
  if (const std::string reason = ScriptsUnavailable(); !reason.empty()) {
    return MakeError(
        {.reason = v1::INVALID_FIELD, .field = "check_model.format", .remedy = "Give its tensors as SAFETENSORS."},
        reason);
  }
  ASSIGN_OR_RETURN(Descriptor parsed, ParseDescriptor(descriptor));
  RETURN_IF_ERROR(CheckArchive(file));
  RETURN_IF_ERROR(CheckDigest(file, parsed.file_sha256));
  auto model = std::make_unique<ScriptModel>(file, std::move(parsed), bytes_per_voxel, std::move(stop));
  RETURN_IF_ERROR(model->Try());
  return model;
}

}  // namespace deconvoy::worker::learned
