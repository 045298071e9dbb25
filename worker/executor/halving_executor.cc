#include "worker/executor/halving_executor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/preview.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_statistics.h"
#include "proto/contract/volume_layout.h"
#include "worker/executor/tile_halves.h"
#include "worker/pipeline/piece_writer.h"

namespace deconvoy::worker {
namespace {

// Notices when the first byte passes.
class WatchedSink final : public OutputSink {
 public:
  explicit WatchedSink(OutputSink& next) : next_(next) {}
  absl::Status Append(std::span<const std::byte> data) override {
    touched_ = true;
    return next_.Append(data);
  }
  bool touched() const { return touched_; }

 private:
  OutputSink& next_;
  bool touched_ = false;
};

class MemorySink final : public OutputSink {
 public:
  explicit MemorySink(int64_t bytes) { bytes_.reserve(static_cast<size_t>(bytes)); }
  absl::Status Append(std::span<const std::byte> data) override {
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    return absl::OkStatus();
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// A task's context with another sink, for part number `part`, from 0, of `parts` that take as long.
class PartContext final : public TaskContext {
 public:
  PartContext(TaskContext& whole, OutputSink& sink, int64_t part, int64_t parts)
      : whole_(whole), sink_(sink), part_(part), parts_(parts) {}
  VolumeSource& source() override { return whole_.source(); }
  OutputSink& sink() override { return sink_; }
  // A part's is not the task's.
  void Objective(const v1::ObjectiveValue& value) override {
    if (parts_ == 1) whole_.Objective(value);
  }
  absl::Status Progress(int64_t done, int64_t total) override {
    return whole_.Progress(part_ * total + done, parts_ * total);
  }
  bool cancelled() const override { return whole_.cancelled(); }
  absl::Status BeginComputing() override { return whole_.BeginComputing(); }
  void EndComputing() override { whole_.EndComputing(); }
  std::chrono::duration<double> Aside() const override { return whole_.Aside(); }

 private:
  TaskContext& whole_;
  OutputSink& sink_;
  const int64_t part_, parts_;
};

// Puts the outputs of a part to where they belong in those of the whole.
void Place(const v1::Task& part, std::span<const std::byte> bytes, const v1::Task& whole, std::span<std::byte> all) {
  size_t from = 0, to = 0;
  for (int i = 0; i < whole.outputs_size(); ++i) {
    const int64_t voxel = BytesPerVoxel(whole.outputs(i).type());
    const Box3 of_part = ToFrameBox(part.outputs(i).box()).box, of_whole = ToFrameBox(whole.outputs(i).box()).box;
    CopyBox(bytes.data() + from, of_part, all.data() + to, of_whole, voxel);
    from += static_cast<size_t>(of_part.shape.voxels() * voxel);
    to += static_cast<size_t>(of_whole.shape.voxels() * voxel);
  }
}

// What two tiles tell, as one.
class JointResult {
 public:
  explicit JointResult(const v1::Task& task) {
    const int64_t step = task.tile().preview_step();
    if (step == 0) return;
    const Box3 pixels = PreviewPixels(ToFrameBox(task.outputs(0).box()).box, step);
    v1::PreviewPart& preview = *tile_.mutable_preview();
    preview.set_y(static_cast<uint32_t>(pixels.origin.y));
    preview.set_x(static_cast<uint32_t>(pixels.origin.x));
    preview.set_size_y(static_cast<uint32_t>(pixels.shape.y));
    preview.set_size_x(static_cast<uint32_t>(pixels.shape.x));
    preview.mutable_maximum()->Resize(static_cast<int>(pixels.shape.voxels()), -std::numeric_limits<float>::infinity());
  }

  void Add(const v1::TileResult& part) {
    AddTileStatistics(part.statistics(), first_, *tile_.mutable_statistics());
    if (first_) {
      *tile_.mutable_objective() = part.objective();
    } else {
      AddTileCurve(part.objective(), *tile_.mutable_objective());
    }
    AddPreview(part.preview());
    first_ = false;
  }
  const v1::TileResult& tile() const { return tile_; }

 private:
  void AddPreview(const v1::PreviewPart& part) {
    if (part.maximum().empty()) return;
    v1::PreviewPart& whole = *tile_.mutable_preview();
    for (uint32_t y = 0; y < part.size_y(); ++y) {
      for (uint32_t x = 0; x < part.size_x(); ++x) {
        const auto from = static_cast<int>(y * part.size_x() + x);
        const auto to = static_cast<int>((part.y() + y - whole.y()) * whole.size_x() + part.x() + x - whole.x());
        whole.set_maximum(to, std::max(whole.maximum(to), part.maximum(from)));
      }
    }
  }

  bool first_ = true;
  v1::TileResult tile_;
};

}  // namespace

// Memory of the host that runs out is told as that of a device is.
absl::StatusOr<v1::TaskResult> HalvingExecutor::Attempt(const v1::Task& task, TaskContext& context) {
  try {
    return next_.Execute(task, context);
  } catch (const std::bad_alloc&) {
    return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Use smaller tiles, or a worker with more memory."},
                     "the worker ran out of memory");
  }
}

absl::StatusOr<v1::TaskResult> HalvingExecutor::Execute(const v1::Task& task, TaskContext& context) {
  WatchedSink watched(context.sink());
  PartContext whole(context, watched, 0, 1);
  absl::StatusOr<v1::TaskResult> result = Attempt(task, whole);
  if (result.ok() || watched.touched() || ReasonOf(result.status()) != v1::OUT_OF_MEMORY) return result;
  const std::optional<TileHalves> halves = HalvesOf(task);
  if (!halves) return result;
  spdlog::warn("{}: computed in halves of {}x{}x{} padded voxels, as it does not fit: {}", task.name(),
               halves->padded.z, halves->padded.y, halves->padded.x, LogText(result.status()));
  std::vector<std::byte> bytes(static_cast<size_t>(OutputBytes(task)));
  JointResult joint(task);
  for (size_t i = 0; i < halves->tasks.size(); ++i) {
    const v1::Task& half = halves->tasks[i];
    MemorySink sink(OutputBytes(half));
    PartContext part(context, sink, static_cast<int64_t>(i), static_cast<int64_t>(halves->tasks.size()));
    ASSIGN_OR_RETURN(const v1::TaskResult of_half, Execute(half, part));
    Place(half, sink.bytes(), task, bytes);
    joint.Add(of_half.tile());
  }
  v1::TaskResult both;
  *both.mutable_tile() = joint.tile();
  PieceWriter writer(task, context.sink());
  RETURN_IF_ERROR(writer.Append(bytes));
  RETURN_IF_ERROR(writer.Finish(both));
  return both;
}

}  // namespace deconvoy::worker
