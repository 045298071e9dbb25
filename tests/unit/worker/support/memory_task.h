// A task whose volumes and outputs live in memory.
#pragma once

#include <absl/status/status.h>

#include <cstring>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/geometry.h"
#include "proto/contract/volume_layout.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker::testing {

// Values as the bytes of a volume of type T.
template <typename T>
std::vector<std::byte> AsBytes(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <typename T>
std::vector<T> FromBytes(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

class MemoryTask : public TaskContext, private VolumeSource, private OutputSink {
 public:
  // Adds an input volume of the task.
  void AddInput(const std::string& name, const Shape5& shape, v1::VoxelType type, std::vector<std::byte> bytes) {
    v1::VolumeAccess& access = *task.add_inputs();
    access.set_volume(name);
    access.mutable_spec()->set_type(type);
    *access.mutable_spec()->mutable_shape() = ToProto(shape);
    volumes_[name] = std::move(bytes);
  }
  void AddInput(const std::string& name, const Shape5& shape, const std::vector<float>& values) {
    AddInput(name, shape, v1::F32, AsBytes(values));
  }
  void AddOutput(const std::string& name, v1::VoxelType type, const FrameBox& box) {
    v1::OutputPiece& piece = *task.add_outputs();
    piece.set_volume(name);
    piece.set_type(type);
    *piece.mutable_box() = ToProto(box);
  }

  VolumeSource& source() override { return *this; }
  OutputSink& sink() override { return *this; }
  void Objective(const v1::ObjectiveValue& value) override { objective.push_back(value); }
  absl::Status Progress(int64_t done, int64_t total) override {
    progress.emplace_back(done, total);
    return done == fail_at ? absl::CancelledError("stopped by the test") : absl::OkStatus();
  }
  bool cancelled() const override { return cancel; }

  v1::Task task;
  std::vector<std::byte> output;
  std::vector<std::pair<int64_t, int64_t>> progress;
  std::vector<v1::ObjectiveValue> objective;
  int64_t fail_at = -1;  // this step's Progress is an error
  bool cancel = false;
  int64_t reads = 0;

 private:
  absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) override {
    ++reads;
    const std::vector<std::byte>& bytes = volumes_.at(volume.volume());
    const v1::Shape5& s = volume.spec().shape();
    const Shape5 shape{s.t(), s.c(), s.z(), s.y(), s.x()};
    return ForEachRun(shape, volume.spec().type(), box, [&](const ByteRun& run) {
      std::memcpy(target.data() + run.box_offset, bytes.data() + run.volume_offset, static_cast<size_t>(run.bytes));
      return absl::OkStatus();
    });
  }
  absl::Status Append(std::span<const std::byte> data) override {
    output.insert(output.end(), data.begin(), data.end());
    return absl::OkStatus();
  }

  std::map<std::string, std::vector<std::byte>> volumes_;
};

}  // namespace deconvoy::worker::testing
