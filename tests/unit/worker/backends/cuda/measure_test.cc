#include "worker/backends/cuda/measure.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker::cuda {
namespace {

TEST(MeasureRuntimeTest, TimesCopiesAndTransformsAndGivesBackItsMemory) {
  const auto runtime = MakeEmulatedRuntime();
  const int64_t free = runtime->arena().free_bytes();
  for (const Shape3& shape : {Shape3{6, 10, 15}, Shape3{1, 10, 16}, Shape3{1, 1, 2}}) {
    ASSERT_OK_AND_ASSIGN(const DeviceSpeed speed, MeasureRuntime(*runtime, shape, 3));
    EXPECT_GT(speed.copy_bytes_per_second, 0);
    EXPECT_GT(speed.four_transforms_seconds, 0);
    EXPECT_EQ(runtime->arena().free_bytes(), free);
  }
}

TEST(MeasureRuntimeTest, SaysWhatItCannotMeasure) {
  const auto runtime = MakeEmulatedRuntime({.memory_bytes = 4096});
  EXPECT_EQ(ReasonOf(MeasureRuntime(*runtime, {8, 8, 1}, 1).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(MeasureRuntime(*runtime, {8, 8, 8}, 1).status()), v1::OUT_OF_MEMORY);
  const auto failing = MakeEmulatedRuntime({.failing_call = 3});
  EXPECT_TRUE(IsSticky(MeasureRuntime(*failing, {8, 8, 8}, 1).status()));
}

// A field of three extents comes back as it was, times its voxels, and is copied in full.
TEST(MeasureRuntimeTest, AStreamCopiesAndTransformsAWholeField) {
  const auto runtime = MakeEmulatedRuntime();
  const FftShape shape{.real = true, .extents = {2, 3, 4}, .stride = 1, .distance = 2 * 3 * 3};
  ASSERT_OK_AND_ASSIGN(const auto stream, runtime->MakeStream());
  ASSERT_OK_AND_ASSIGN(const auto fft, runtime->MakeFft(shape));
  ASSERT_OK_AND_ASSIGN(const Block field, runtime->arena().Allocate(8 * shape.distance));
  ASSERT_OK_AND_ASSIGN(const Block copy, runtime->arena().Allocate(8 * shape.distance));
  ASSERT_OK_AND_ASSIGN(const Block workspace, runtime->arena().Allocate(fft->workspace_bytes()));
  for (int row = 0; row < 6; ++row) {
    for (int x = 0; x < 4; ++x) field.floats()[6 * row + x] = static_cast<float>(10 * row + x);
  }
  ASSERT_OK(fft->Forward(stream->place(), field.floats(), workspace.floats()));
  EXPECT_NEAR(field.floats()[0], 6 * 4 * 26.5, 1e-3) << "the sum of all";
  ASSERT_OK(fft->Inverse(stream->place(), field.floats(), workspace.floats()));
  ASSERT_OK(stream->Copy(field.floats(), 8 * shape.distance, copy.floats()));
  for (int row = 0; row < 6; ++row) {
    for (int x = 0; x < 4; ++x) EXPECT_NEAR(copy.floats()[6 * row + x], 24 * (10 * row + x), 1e-2);
  }
}

}  // namespace
}  // namespace deconvoy::worker::cuda
