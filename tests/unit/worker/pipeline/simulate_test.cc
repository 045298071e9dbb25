#include "worker/pipeline/simulate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/simulation.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/gaussian.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using testing::MemoryTask;

constexpr Shape3 kShape{12, 30, 32};

v1::SimulateSpec Spec() {
  v1::SimulateSpec spec;
  *spec.mutable_shape() = ToProto(kShape);
  spec.set_kind(v1::MIXED);
  spec.set_seed(5);
  spec.set_peak_photons(200);
  *spec.mutable_voxel_size() = Size(0.2, 0.1, 0.1);
  *spec.mutable_psf_fwhm() = Size(0.5, 0.25, 0.25);
  spec.set_background_photons(3);
  spec.set_raw_type(v1::F32);
  return spec;
}

struct Images {
  std::vector<float> truth, psf;
  std::vector<std::byte> raw;
};

class Simulate : public ::testing::Test {
 protected:
  absl::StatusOr<v1::TaskResult> Run(MemoryTask& task) { return RunSimulate(task.task, *backend_, task); }

  void Fill(const v1::SimulateSpec& spec, const Shape3& psf, MemoryTask& task) {
    *task.task.mutable_simulate()->mutable_spec() = spec;
    task.AddOutput("volumes/truth", v1::F32, {0, 0, {{}, kShape}});
    task.AddOutput("volumes/psf", v1::F32, {0, 0, {{}, psf}});
    task.AddOutput("volumes/raw", spec.raw_type(), {0, 0, {{}, kShape}});
  }

  Images Cut(const MemoryTask& task, const Shape3& psf) {
    const auto truth_bytes = static_cast<size_t>(4 * kShape.voxels()),
               psf_bytes = static_cast<size_t>(4 * psf.voxels());
    const std::span<const std::byte> all(task.output);
    const auto raw = all.subspan(truth_bytes + psf_bytes);
    return {FromBytes<float>(all.first(truth_bytes)),
            FromBytes<float>(all.subspan(truth_bytes, psf_bytes)),
            {raw.begin(), raw.end()}};
  }

  Images Make(const v1::SimulateSpec& spec) {
    const Shape3 psf = *GaussianPsfShape(spec.psf_fwhm(), spec.voxel_size());
    MemoryTask task;
    Fill(spec, psf, task);
    EXPECT_OK(Run(task));
    return Cut(task, psf);
  }

  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
};

std::vector<float> Blurred(const v1::SimulateSpec& spec, std::vector<float> truth) {
  const Shape3 psf = *GaussianPsfShape(spec.psf_fwhm(), spec.voxel_size());
  Blur(MakeGaussianPsf(spec.psf_fwhm(), spec.voxel_size(), psf), kShape, spec.periodic(), 1, truth);
  return truth;
}

TEST_F(Simulate, TheBlurredTruthPeaksAtThePhotonsAskedFor) {
  const Images images = Make(Spec());
  const std::vector<float> blurred = Blurred(Spec(), images.truth);
  EXPECT_NEAR(*std::max_element(blurred.begin(), blurred.end()), 200, 0.01);
  EXPECT_NEAR(std::accumulate(images.psf.begin(), images.psf.end(), 0.0), 1, 1e-6);
}

TEST_F(Simulate, RawIsTheBlurredTruthWithPoissonNoise) {
  const Images images = Make(Spec());
  const std::vector<float> raw = FromBytes<float>(images.raw), blurred = Blurred(Spec(), images.truth);
  double chi = 0;
  for (size_t i = 0; i < raw.size(); ++i) {
    const double mean = blurred[i] + 3.0;
    chi += (raw[i] - mean) * (raw[i] - mean) / mean;
  }
  EXPECT_NEAR(chi / static_cast<double>(raw.size()), 1, 0.05);
}

TEST_F(Simulate, IsTheSameForASeedAndOtherForAnother) {
  v1::SimulateSpec spec = Spec();
  const Images first = Make(spec), again = Make(spec);
  EXPECT_EQ(first.truth, again.truth);
  EXPECT_EQ(first.raw, again.raw);
  spec.set_seed(6);
  EXPECT_NE(Make(spec).truth, first.truth);
}

TEST_F(Simulate, PeriodicKeepsAllLight) {
  v1::SimulateSpec spec = Spec();
  spec.set_periodic(true);
  const Images images = Make(spec);
  const std::vector<float> raw = FromBytes<float>(images.raw);
  const double truth = std::accumulate(images.truth.begin(), images.truth.end(), 0.0);
  const double seen = std::accumulate(raw.begin(), raw.end(), 0.0) - 3.0 * static_cast<double>(kShape.voxels());
  EXPECT_NEAR(seen / truth, 1, 5 * std::sqrt(truth + 3.0 * static_cast<double>(kShape.voxels())) / truth);
}

TEST_F(Simulate, CountsHaveOffsetAndGainAndAreClipped) {
  v1::SimulateSpec spec = Spec();
  spec.set_raw_type(v1::U16);
  spec.set_offset_counts(100);
  spec.set_gain_photons_per_count(0.5);
  const std::vector<uint16_t> raw = FromBytes<uint16_t>(Make(spec).raw);
  EXPECT_GE(*std::min_element(raw.begin(), raw.end()), 100);
  EXPECT_NEAR(*std::max_element(raw.begin(), raw.end()), 100 + 2 * 203, 120);
  spec.set_raw_type(v1::U8);
  const std::vector<uint8_t> small = FromBytes<uint8_t>(Make(spec).raw);
  EXPECT_EQ(*std::max_element(small.begin(), small.end()), 255);
}

// F32 holds every value, and is rounded like the integers here: with a gain of 1 and no read noise, counts are whole.
TEST_F(Simulate, ClippedVoxelsAreCounted) {
  v1::SimulateSpec spec = Spec();
  spec.set_peak_photons(2000);
  const Shape3 psf = *GaussianPsfShape(spec.psf_fwhm(), spec.voxel_size());
  MemoryTask whole, cut;
  Fill(spec, psf, whole);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult all, Run(whole));
  EXPECT_EQ(all.simulate().clipped_voxels(), 0U);
  const std::vector<float> raw = FromBytes<float>(Cut(whole, psf).raw);
  const auto above = std::count_if(raw.begin(), raw.end(), [](float v) { return v > 255; });
  ASSERT_GT(above, 0);
  spec.set_raw_type(v1::U8);
  Fill(spec, psf, cut);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult some, Run(cut));
  EXPECT_EQ(some.simulate().clipped_voxels(), static_cast<uint64_t>(above));
}

// The bits with the same `exp` and `log`; a C library or processor that rounds them otherwise may change them.
TEST_F(Simulate, IsAlwaysTheSame) {
  v1::SimulateSpec spec = Spec();
  spec.set_raw_type(v1::U16);
  spec.set_read_noise_photons(1.5);
  spec.set_gain_photons_per_count(0.5);
  spec.set_offset_counts(100);
  const Images images = Make(spec);
  EXPECT_EQ(Crc32c(std::as_bytes(std::span(images.psf))), 1127404262U);
  EXPECT_EQ(Crc32c(images.raw), 3668456408U);
}

// A PSF that moves everything by one voxel along x, given as a volume.
TEST_F(Simulate, AGivenPsfIsUsedAsAWholeAndReturned) {
  v1::SimulateSpec spec = Spec();
  spec.set_psf_volume("volumes/given");
  spec.clear_psf_fwhm();
  spec.set_background_photons(0);
  std::vector<float> psf(27);
  psf[14] = 8;
  MemoryTask task;
  task.AddInput("volumes/given", {1, 1, 3, 3, 3}, psf);
  Fill(spec, {3, 3, 3}, task);
  ASSERT_OK(Run(task));
  const Images images = Cut(task, {3, 3, 3});
  EXPECT_EQ(images.psf[14], 1);
  const std::vector<float> raw = FromBytes<float>(images.raw);
  double sum = 0, weighted = 0;
  for (size_t i = 1; i < raw.size(); ++i) {
    if (i % 32 == 0) {
      EXPECT_LT(raw[i], 1);  // nothing comes in from outside
      continue;
    }
    sum += images.truth[i - 1];
    weighted += raw[i];
  }
  EXPECT_NEAR(weighted / sum, 1, 0.05);
  EXPECT_NEAR(*std::max_element(images.truth.begin(), images.truth.end()), 200, 0.05);
}

TEST_F(Simulate, StopsWhenToldSo) {
  MemoryTask task;
  const v1::SimulateSpec spec = Spec();
  Fill(spec, *GaussianPsfShape(spec.psf_fwhm(), spec.voxel_size()), task);
  task.fail_at = 5;
  EXPECT_TRUE(absl::IsCancelled(Run(task).status()));
}

TEST_F(Simulate, SaysHowMuchMemoryItNeeds) {
  MemoryTask task;
  *task.task.mutable_simulate()->mutable_spec() = Spec();
  ASSERT_OK_AND_ASSIGN(const int64_t bytes, SimulationBytes(task.task));
  EXPECT_EQ(bytes, 8 * kShape.voxels());
  task.AddInput("volumes/given", {1, 1, 3, 3, 3}, std::vector<float>(27));
  task.task.mutable_simulate()->mutable_spec()->set_psf_volume("volumes/given");
  ASSERT_OK_AND_ASSIGN(const int64_t with_psf, SimulationBytes(task.task));
  EXPECT_GT(with_psf, bytes + 24 * kShape.voxels());
}

}  // namespace
}  // namespace deconvoy::worker
