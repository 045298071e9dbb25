#include "worker/pipeline/model_psf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using testing::MemoryTask;

void Fill(MemoryTask& task) {
  v1::ModelPsfSpec& spec = *task.task.mutable_model_psf()->mutable_spec();
  *spec.mutable_shape() = ToProto(Voxel{9, 17, 15});
  spec.mutable_voxel_size()->set_z_um(0.2);
  spec.mutable_voxel_size()->set_y_um(0.08);
  spec.mutable_voxel_size()->set_x_um(0.06);
  spec.mutable_optics()->set_na(1.2);
  spec.mutable_optics()->set_ri_immersion(1.333);
  spec.mutable_optics()->set_emission_um(0.52);
  task.AddOutput("volumes/psf", v1::F32, {0, 0, {{}, {9, 17, 15}}});
}

TEST(ModelPsf, WritesAPsfOfSumOneAboutItsMiddle) {
  MemoryTask task;
  Fill(task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunModelPsf(task.task, 2, task));
  EXPECT_EQ(result.piece_crc32c_size(), 1);
  const std::vector<float> psf = FromBytes<float>(task.output);
  ASSERT_EQ(psf.size(), 9U * 17 * 15);
  EXPECT_NEAR(std::accumulate(psf.begin(), psf.end(), 0.0), 1, 1e-5);
  EXPECT_EQ(std::max_element(psf.begin(), psf.end()) - psf.begin(), (4 * 17 + 8) * 15 + 7);
  // Rows are wider apart than columns, and so the light falls faster from row to row.
  const auto at = [&](int64_t z, int64_t y, int64_t x) { return psf[static_cast<size_t>((z * 17 + y) * 15 + x)]; };
  EXPECT_LT(at(4, 10, 7), at(4, 8, 9));
  EXPECT_EQ(at(4, 6, 7), at(4, 10, 7));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{1, 1}));
}

std::vector<float> PsfOf(void (*change)(v1::ModelPsfSpec&)) {
  MemoryTask task;
  Fill(task);
  change(*task.task.mutable_model_psf()->mutable_spec());
  EXPECT_OK(RunModelPsf(task.task, 1, task).status());
  return FromBytes<float>(task.output);
}

double Difference(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(error / norm);
}

TEST(ModelPsf, BornAndWolfsIsGibsonAndLannisWithoutMismatch) {
  const std::vector<float> ideal = PsfOf([](v1::ModelPsfSpec& spec) { spec.set_model(v1::BORN_WOLF); });
  const std::vector<float> without = PsfOf([](v1::ModelPsfSpec& spec) {
    spec.set_model(v1::GIBSON_LANNI);
    spec.mutable_optics()->set_depth_um(5);
  });
  const std::vector<float> with = PsfOf([](v1::ModelPsfSpec& spec) {
    spec.set_model(v1::GIBSON_LANNI);
    spec.mutable_optics()->set_depth_um(5);
    spec.mutable_optics()->set_ri_sample(1.4);
  });
  EXPECT_LT(Difference(without, ideal), 1e-3);
  EXPECT_GT(Difference(with, ideal), 0.02);
}

TEST(ModelPsf, TakesAberrationsInWavelengthsOfTheEmission) {
  // A tilt of a wavelengths moves the spot by 2 a wavelength / NA.
  const std::vector<float> tilted = PsfOf([](v1::ModelPsfSpec& spec) {
    v1::ZernikeTerm& term = *spec.mutable_optics()->add_zernike();
    term.set_noll(2);
    term.set_rms_waves(2 * 0.06 * 1.2 / (2 * 0.52));
  });
  EXPECT_EQ(std::max_element(tilted.begin(), tilted.end()) - tilted.begin(), (4 * 17 + 8) * 15 + 7 + 2);
}

TEST(ModelPsf, MakesGaussiansAndSpinningDisks) {
  const std::vector<float> wide = PsfOf([](v1::ModelPsfSpec&) {});
  const std::vector<float> gaussian = PsfOf([](v1::ModelPsfSpec& spec) { spec.set_model(v1::GAUSSIAN); });
  const std::vector<float> disk = PsfOf([](v1::ModelPsfSpec& spec) {
    spec.set_microscopy(v1::SPINNING_DISK);
    spec.mutable_optics()->set_excitation_um(0.488);
  });
  const auto beside = [](const std::vector<float>& psf) {
    return psf[(4 * 17 + 8) * 15 + 8] / psf[(4 * 17 + 8) * 15 + 7];
  };
  EXPECT_NEAR(beside(gaussian), beside(wide), 0.1) << "as wide across the axis";
  EXPECT_GT(gaussian[(4 * 17 + 8) * 15 + 7], wide[(4 * 17 + 8) * 15 + 7]) << "and without light far from the focus";
  EXPECT_GT(disk[(4 * 17 + 8) * 15 + 7], 1.5F * wide[(4 * 17 + 8) * 15 + 7]) << "less light lies elsewhere";
}

TEST(ModelPsf, RefusesOpticsThatCannotBe) {
  MemoryTask task;
  Fill(task);
  task.task.mutable_model_psf()->mutable_spec()->mutable_optics()->set_na(1.4);
  EXPECT_EQ(ReasonOf(RunModelPsf(task.task, 1, task).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(ModelPsfBytes(task.task).status()), v1::INVALID_FIELD);
}

TEST(ModelPsf, CountsItsMemory) {
  MemoryTask task;
  Fill(task);
  ASSERT_OK_AND_ASSIGN(const int64_t small, ModelPsfBytes(task.task));
  EXPECT_GT(small, 4 * 9 * 17 * 15);
  *task.task.mutable_model_psf()->mutable_spec()->mutable_shape() = ToProto(Voxel{10'000, 20'000, 30'000});
  ASSERT_OK_AND_ASSIGN(const int64_t large, ModelPsfBytes(task.task));
  EXPECT_GT(large, int64_t{4} * 10'000 * 20'000 * 30'000);
  *task.task.mutable_model_psf()->mutable_spec()->mutable_shape() = ToProto(Voxel{1 << 20, 1 << 20, 1 << 20});
  EXPECT_EQ(ReasonOf(ModelPsfBytes(task.task).status()), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy::worker
