#include "worker/pipeline/prepare_psf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/prepared_psf.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/pipeline/check_psf.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using ::testing::HasSubstr;
using testing::MemoryTask;

constexpr Shape3 kGiven{17, 23, 25};

// A Gaussian of these standard deviations about `centre`, on a background.
std::vector<float> Bead(const Voxel& centre, double sigma_z, double sigma, double background = 0) {
  std::vector<float> values;
  for (int64_t i = 0; i < kGiven.voxels(); ++i) {
    const Voxel d = Voxel{i / (kGiven.y * kGiven.x), i / kGiven.x % kGiven.y, i % kGiven.x} - centre;
    const auto z = static_cast<double>(d.z) / sigma_z, y = static_cast<double>(d.y) / sigma,
               x = static_cast<double>(d.x) / sigma;
    values.push_back(static_cast<float>(1000 * std::exp(-(z * z + y * y + x * x) / 2) + background));
  }
  return values;
}

// As an analysis reports it.
v1::PsfReport ReportOf(std::vector<float> values, uint32_t c, const PsfOptions& options) {
  Shape3 shape = kGiven;
  auto found = AnalysePsf(values, shape, c, options);
  EXPECT_OK(found.status());
  return found.ok() ? found->report : v1::PsfReport();
}

PsfOptions Options(v1::PsfCentre rule = v1::PEAK) {
  PsfOptions options;
  options.rule = rule;
  options.image = {40, 60, 60};
  return options;
}

// The job, the frames of which lie behind one another in `values`.
void Fill(MemoryTask& task, const Shape5& shape, const std::vector<float>& values,
          const std::vector<v1::PsfReport>& reports) {
  task.AddInput("volumes/psf", shape, values);
  v1::PreparePsfSpec& spec = *task.task.mutable_prepare_psf()->mutable_spec();
  spec.set_psf_volume("volumes/psf");
  for (const v1::PsfReport& report : reports) *spec.add_psfs() = report;
  for (int64_t t = 0; t < shape.t; ++t) {
    for (int64_t c = 0; c < shape.c; ++c) {
      task.AddOutput("volumes/out", v1::F32, {t, c, {{}, PreparedPsfShape(spec)}});
    }
  }
}

// The frames that the task has written.
std::vector<std::vector<float>> FramesOf(const MemoryTask& task) {
  const std::vector<float> all = FromBytes<float>(task.output);
  const int64_t voxels = PreparedPsfShape(task.task.prepare_psf().spec()).voxels();
  std::vector<std::vector<float>> frames;
  for (auto at = all.begin(); at != all.end(); at += voxels) frames.emplace_back(at, at + voxels);
  return frames;
}

Voxel Brightest(const std::vector<float>& frame, const Shape3& shape) {
  const auto i = std::max_element(frame.begin(), frame.end()) - frame.begin();
  return {i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x};
}

double Sum(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// What a tile computes with: the values that PreparePsf makes of all the given ones that it needs.
PreparedPsf OfATile(const std::vector<float>& values, const v1::PsfReport& report) {
  MemoryTask task;
  task.AddInput("volumes/psf", {1, 1, kGiven.z, kGiven.y, kGiven.x}, values);
  v1::PsfReport alone = report;
  alone.set_t(0);
  alone.set_c(0);
  auto psf = ReadPreparedPsf(task.source(), task.task.inputs(0), alone);
  EXPECT_OK(psf.status());
  return psf.ok() ? *std::move(psf) : PreparedPsf();
}

// That `frame` is `psf` with its origin at floor(n/2), and nothing around.
void ExpectIs(const PreparedPsf& psf, const std::vector<float>& frame, const Shape3& shape) {
  ASSERT_EQ(frame.size(), static_cast<size_t>(shape.voxels()));
  const Voxel offset = Voxel{shape.z / 2, shape.y / 2, shape.x / 2} - psf.centre;
  int64_t wrong = 0;
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    const Voxel at = Voxel{i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x} - offset;
    const bool inside = Box3{{}, psf.shape}.Contains({at, {1, 1, 1}});
    const float expected =
        inside ? psf.values[static_cast<size_t>((at.z * psf.shape.y + at.y) * psf.shape.x + at.x)] : 0.0F;
    wrong += frame[static_cast<size_t>(i)] != expected;
  }
  EXPECT_EQ(wrong, 0);
}

TEST(PreparePsfTask, WritesWhatATileUsesAboutTheMiddle) {
  const Voxel centre{5, 9, 16};
  const std::vector<float> values = Bead(centre, 2, 1.5, 100);
  PsfOptions options = Options();
  options.background = PsfBackground::kAuto;
  const v1::PsfReport report = ReportOf(values, 0, options);
  EXPECT_NEAR(report.background(), 100, 1);
  MemoryTask task;
  Fill(task, {1, 1, kGiven.z, kGiven.y, kGiven.x}, values, {report});
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunPreparePsf(task.task, task));
  EXPECT_EQ(result.piece_crc32c_size(), 1);
  const Shape3 shape = ToShape3(report.crop_shape());
  EXPECT_EQ(PreparedPsfShape(task.task.prepare_psf().spec()), shape);
  const auto frames = FramesOf(task);
  ASSERT_EQ(frames.size(), 1U);
  ExpectIs(OfATile(values, report), frames[0], shape);
  EXPECT_NEAR(Sum(frames[0]), 1, 1e-6);
  EXPECT_EQ(Brightest(frames[0], shape), (Voxel{shape.z / 2, shape.y / 2, shape.x / 2}));
  const float peak = 1000 / static_cast<float>(report.sum());
  const auto right = [&](int64_t x) {
    return frames[0][static_cast<size_t>((shape.z / 2 * shape.y + shape.y / 2) * shape.x + shape.x / 2 + x)];
  };
  for (int64_t x = -2; x <= 2; ++x) {
    EXPECT_NEAR(right(x) / peak, std::exp(-static_cast<double>(x * x) / 4.5), 2e-3) << "without background";
  }
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{1, 1}));
}

TEST(PreparePsfTask, ABoxThatSticksOutOfTheGivenPsfIsWhole) {
  const std::vector<float> values = Bead({2, 4, 21}, 2, 1.5);
  PsfOptions options = Options();
  options.energy = 1;
  const v1::PsfReport report = ReportOf(values, 0, options);
  const Shape3 shape = ToShape3(report.crop_shape());
  ASSERT_GT(shape.z, kGiven.z) << "zeros stand in";
  MemoryTask task;
  Fill(task, {1, 1, kGiven.z, kGiven.y, kGiven.x}, values, {report});
  ASSERT_OK(RunPreparePsf(task.task, task).status());
  ExpectIs(OfATile(values, report), FramesOf(task).at(0), shape);
}

TEST(PreparePsfTask, VoxelsAreThoseOfTheImage) {
  const std::vector<float> values = Bead({7, 12, 10}, 3, 2.5);
  PsfOptions options = Options();
  options.steps = {2, 1.5, 0.75};
  const v1::PsfReport report = ReportOf(values, 0, options);
  MemoryTask task;
  Fill(task, {1, 1, kGiven.z, kGiven.y, kGiven.x}, values, {report});
  ASSERT_OK(RunPreparePsf(task.task, task).status());
  const Shape3 shape = ToShape3(report.crop_shape());
  const auto frames = FramesOf(task);
  ExpectIs(OfATile(values, report), frames.at(0), shape);
  EXPECT_NEAR(Sum(frames[0]), 1, 1e-6);
  EXPECT_EQ(Brightest(frames[0], shape), (Voxel{shape.z / 2, shape.y / 2, shape.x / 2}));
  // Told at voxels twice as far apart along z, it falls as fast in half as many.
  const auto at = [&](int64_t z, int64_t x) {
    return frames[0][static_cast<size_t>(((shape.z / 2 + z) * shape.y + shape.y / 2) * shape.x + shape.x / 2 + x)];
  };
  EXPECT_LT(at(1, 0), at(0, 1));
}

TEST(PreparePsfTask, ChannelsAndStacksHaveOneExtentAndOneOrigin) {
  const std::vector<Voxel> centres = {{8, 11, 12}, {5, 9, 16}, {10, 14, 8}, {8, 10, 10}};
  std::vector<float> all;
  std::vector<v1::PsfReport> reports;
  std::vector<std::vector<float>> each;
  for (uint32_t i = 0; i < 4; ++i) {
    each.push_back(Bead(centres[i], 1 + 0.3 * i, 2 - 0.3 * i));
    all.insert(all.end(), each.back().begin(), each.back().end());
    reports.push_back(ReportOf(each.back(), i % 2, Options()));
    reports.back().set_t(i / 2);
  }
  MemoryTask task;
  Fill(task, {2, 2, kGiven.z, kGiven.y, kGiven.x}, all, reports);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunPreparePsf(task.task, task));
  EXPECT_EQ(result.piece_crc32c_size(), 4);
  const Shape3 shape = PreparedPsfShape(task.task.prepare_psf().spec());
  EXPECT_GT(shape.z, reports[0].crop_shape().z());
  EXPECT_GT(shape.x, reports[3].crop_shape().x());
  const auto frames = FramesOf(task);
  ASSERT_EQ(frames.size(), 4U);
  for (size_t i = 0; i < 4; ++i) {
    ExpectIs(OfATile(each[i], reports[i]), frames[i], shape);
    EXPECT_NEAR(Sum(frames[i]), 1, 1e-6) << i;
  }
}

TEST(PreparePsfTask, TheWholeOfAPeriodicPsfIsThereWhereverItsOriginLies) {
  const std::vector<float> values = Bead({5, 9, 16}, 3, 3, 10);
  PsfOptions options = Options();
  options.periodic = true;
  const v1::PsfReport report = ReportOf(values, 0, options);
  ASSERT_EQ(ToShape3(report.crop_shape()), kGiven);
  MemoryTask task;
  Fill(task, {1, 1, kGiven.z, kGiven.y, kGiven.x}, values, {report});
  ASSERT_OK(RunPreparePsf(task.task, task).status());
  const Shape3 shape = PreparedPsfShape(task.task.prepare_psf().spec());
  ExpectIs(OfATile(values, report), FramesOf(task).at(0), shape);
  EXPECT_NEAR(Sum(FramesOf(task)[0]), 1, 1e-6);
}

TEST(PreparePsfTask, TakesTheReportsOfACheck) {
  const std::vector<float> values = Bead({5, 9, 16}, 2, 1.5);
  MemoryTask check;
  check.AddInput("volumes/psf", {1, 1, kGiven.z, kGiven.y, kGiven.x}, values);
  check.task.mutable_check_psf()->mutable_spec()->set_psf_volume("volumes/psf");
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult checked, RunCheckPsf(check.task, check));
  MemoryTask task;
  Fill(task, {1, 1, kGiven.z, kGiven.y, kGiven.x}, values, {checked.check_psf().psfs(0)});
  ASSERT_OK(RunPreparePsf(task.task, task).status());
  EXPECT_NEAR(Sum(FramesOf(task).at(0)), 1, 1e-6);
}

TEST(PreparePsfTask, ReportsOfAnotherPsfAreRefused) {
  const std::vector<float> values = Bead({8, 11, 12}, 2, 1.5);
  const v1::PsfReport report = ReportOf(values, 0, Options());
  MemoryTask other;
  Fill(other, {1, 1, kGiven.z, kGiven.y, kGiven.x}, Bead({8, 11, 12}, 2, 1.7), {report});
  const absl::Status sum = RunPreparePsf(other.task, other).status();
  EXPECT_EQ(ReasonOf(sum), v1::BAD_PSF);
  EXPECT_THAT(std::string(sum.message()), HasSubstr("where its analysis found"));
  MemoryTask few;
  Fill(few, {2, 1, kGiven.z, kGiven.y, kGiven.x}, values, {report});
  EXPECT_EQ(ReasonOf(RunPreparePsf(few.task, few).status()), v1::SHAPE_MISMATCH);
  EXPECT_EQ(ReasonOf(PreparePsfBytes(few.task).status()), v1::SHAPE_MISMATCH) << "before anything is allocated";
  MemoryTask missing;
  *missing.task.mutable_prepare_psf()->mutable_spec()->add_psfs() = report;
  missing.task.mutable_prepare_psf()->mutable_spec()->set_psf_volume("volumes/none");
  EXPECT_EQ(ReasonOf(RunPreparePsf(missing.task, missing).status()), v1::INVALID_FIELD);
}

TEST(PreparePsfTask, MemoryIsThatOfThePsfAndOfItsFrame) {
  const std::vector<float> values = Bead({8, 11, 12}, 2, 1.5);
  MemoryTask task;
  Fill(task, {1, 1, kGiven.z, kGiven.y, kGiven.x}, values, {ReportOf(values, 0, Options())});
  ASSERT_OK_AND_ASSIGN(const int64_t bytes, PreparePsfBytes(task.task));
  EXPECT_GE(bytes, 8 * kGiven.voxels());
  EXPECT_LE(bytes, 16 * kGiven.voxels() + (1 << 20)) << "and what reading takes";
}

}  // namespace
}  // namespace deconvoy::worker
