// A tile of a small picture, with everything that can be varied.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "proto/contract/tile_plan.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/random.h"
#include "worker/pipeline/tile.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {

inline std::vector<float> Delta() {
  std::vector<float> psf(27);
  psf[13] = 5;  // not normalised
  return psf;
}

// Asymmetric, so that H and its adjoint differ.
inline std::vector<float> Skewed() {
  std::vector<float> psf(27);
  for (size_t i = 0; i < psf.size(); ++i) psf[i] = static_cast<float>(1 + i % 3 + i / 9);
  psf[13] = 30;
  return psf;
}

// A smooth picture between 20 and about 220 photons.
inline std::vector<float> Picture(const Shape3& shape, uint64_t seed = 1) {
  std::vector<float> values(static_cast<size_t>(shape.voxels()));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto x = static_cast<double>(i % static_cast<size_t>(shape.x));
    values[i] = static_cast<float>(std::round(120 + 80 * std::sin(x / 2) + Random::OfVoxel(seed, 9, i).Uniform(0, 20)));
  }
  return values;
}

inline double Mean(const std::vector<float>& v) {
  return std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

// One tile of a frame, with everything that can be varied.
struct Setting {
  Shape3 frame{6, 9, 10};
  Box3 core{{0, 0, 0}, {6, 9, 10}};
  Box3 loaded{{0, 0, 0}, {6, 9, 10}};
  std::vector<float> psf = Delta();
  v1::Boundary boundary = v1::EXTEND;
  std::map<std::string, std::string> parameters{{"iterations", "3"}, {"acceleration", "none"}};
  double offset = 0, gain = 1, read_noise = 0, background = 0;
  v1::VoxelType output = v1::F32;
  bool keep_offset = false;
};

// Hardly more than is needed, so that little of the domain is margin.
inline int64_t Padded(const Setting& s, int64_t loaded) {
  if (s.boundary == v1::PERIODIC) return loaded;
  int64_t extent = loaded + (s.boundary == v1::MIRROR ? 3 : 2);
  while (!IsSmooth(extent)) ++extent;
  return extent;
}

inline void Fill(const Setting& s, const std::vector<float>& raw, testing::MemoryTask& task, int64_t times = 1) {
  task.AddInput("volumes/in", {times, 1, s.frame.z, s.frame.y, s.frame.x}, raw);
  task.AddInput("volumes/psf", {1, 1, 3, 3, 3}, s.psf);
  task.AddOutput("volumes/out", s.output, {times - 1, 0, s.core});
  v1::TileTask& tile = *task.task.mutable_tile();
  v1::DeconvolveSpec& spec = *tile.mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_method("rl");
  for (const auto& [name, value] : s.parameters) (*spec.mutable_parameters())[name] = value;
  spec.set_boundary(s.boundary);
  spec.set_offset_counts(s.offset);
  spec.set_gain_photons_per_count(s.gain);
  spec.set_read_noise_photons(s.read_noise);
  spec.set_keep_offset(s.keep_offset);
  *tile.mutable_core() = ToProto(FrameBox{times - 1, 0, s.core});
  *tile.mutable_loaded() = ToProto(FrameBox{times - 1, 0, s.loaded});
  const Shape3& l = s.loaded.shape;
  *tile.mutable_padded() = ToProto(Shape3{Padded(s, l.z), Padded(s, l.y), Padded(s, l.x)});
  PsfOptions options;
  options.rule = v1::GEOMETRIC;
  options.energy = 1;
  options.image = s.frame;
  options.periodic = s.boundary == v1::PERIODIC;
  tile.set_psf_volume("volumes/psf");
  *tile.add_psfs() = AnalysePsf(s.psf, {3, 3, 3}, 0, options)->report;
  tile.add_frames()->set_background(s.background);
  tile.mutable_frames(0)->set_mean((Mean(raw) - s.offset) * s.gain + s.read_noise * s.read_noise);
}

class Tile : public ::testing::Test {
 protected:
  absl::StatusOr<v1::TaskResult> Run(testing::MemoryTask& task) { return pipeline_.Run(task.task, task); }
  std::vector<float> Estimate(const Setting& s, const std::vector<float>& raw) {
    testing::MemoryTask task;
    Fill(s, raw, task);
    EXPECT_OK(Run(task));
    return testing::FromBytes<float>(task.output);
  }
  absl::Status Failure(const Setting& s, const std::vector<float>& raw) {
    testing::MemoryTask task;
    Fill(s, raw, task);
    return Run(task).status();
  }

  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  TilePipeline pipeline_{*backend_};
};

inline void ExpectNear(const std::vector<float>& a, const std::vector<float>& b, double relative) {
  ASSERT_EQ(a.size(), b.size());
  const double most = *std::max_element(b.begin(), b.end());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], relative * most) << "at " << i;
}

}  // namespace deconvoy::worker
