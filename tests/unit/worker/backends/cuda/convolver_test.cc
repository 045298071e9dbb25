// What the backends' contract does not say of the CUDA backend, on the emulated device.
#include "worker/backends/cuda/convolver.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"
#include "worker/backends/cuda/backend_on.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::worker::cuda {
namespace {

const Shape3 kDomain{9, 12, 15};
const Box3 kWhole{{}, kDomain};

std::vector<float> Ramp(int64_t n) {
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<float>(1 + i % 17));
  return values;
}

// Some Richardson-Lucy iterations.
absl::StatusOr<std::vector<float>> Iterate(Backend& backend) {
  ASSIGN_OR_RETURN(const auto ops, backend.Open(kDomain));
  const std::vector<float> psf = {0.1F, 0.2F, 0.4F, 0.2F, 0.1F};
  ASSIGN_OR_RETURN(const auto otf, ops->MakeOtf(psf, {1, 1, 5}, {0, 0, 2}));
  const Box3 box{{2, 1, 3}, {5, 8, 9}};
  ASSIGN_OR_RETURN(const auto y, ops->Allocate(box));
  RETURN_IF_ERROR(ops->Upload(Ramp(box.shape.voxels()), box, *y));
  ASSIGN_OR_RETURN(const auto x, ops->Allocate(kWhole));
  RETURN_IF_ERROR(ops->Fill(*x, 3));
  ASSIGN_OR_RETURN(const auto weights, ops->MakeWeights(*otf, box, nullptr));
  for (int k = 0; k < 5; ++k) {
    double divergence = 0;
    const Extrapolate p{x.get(), nullptr, 0, 0};
    const GuardedRatio ratio{
        .y = y.get(), .mask = nullptr, .background = 1, .floor = 1e-3F, .output = nullptr, .i_divergence = &divergence};
    RETURN_IF_ERROR(
        ops->ConvolveThen({otf.get(), false, p, ratio},
                          {otf.get(), true, Identity{nullptr}, MultiplyUpdate{p, weights.get(), 0.01F, x.get()}}));
  }
  std::vector<float> result(static_cast<size_t>(kDomain.voxels()));
  RETURN_IF_ERROR(ops->Download(*x, kWhole, result));
  return result;
}

TEST(CudaBackendTest, RepeatsItsBits) {
  const auto backend = MakeEmulatedCuda();
  ASSERT_OK_AND_ASSIGN(const std::vector<float> first, Iterate(*backend));
  ASSERT_OK_AND_ASSIGN(const std::vector<float> again, Iterate(*backend));
  EXPECT_EQ(first, again);
  ASSERT_OK_AND_ASSIGN(const std::vector<float> elsewhere, Iterate(*MakeEmulatedCuda()));
  EXPECT_EQ(first, elsewhere);
}

// Whatever call fails, its error arrives, and nobody goes on as if nothing had happened.
TEST(CudaBackendTest, EveryFailureIsTold) {
  int64_t calls = 1;
  for (;; ++calls) {
    const absl::Status status = Iterate(*MakeEmulatedCuda({.memory_bytes = 1 << 20, .failing_call = calls})).status();
    if (status.ok()) break;
    ASSERT_EQ(status.code(), absl::StatusCode::kInternal) << calls << ": " << status;
    ASSERT_TRUE(IsSticky(status)) << calls;
    ASSERT_LT(calls, 10000);
  }
  EXPECT_GT(calls, 100);
}

TEST(CudaBackendTest, GivesAllMemoryBack) {
  std::unique_ptr<Runtime> runtime = MakeEmulatedRuntime();
  Arena& arena = runtime->arena();
  const auto backend = MakeBackendOn(std::move(runtime), {.chunk_bytes = 2048});
  EXPECT_OK(Iterate(*backend));
  EXPECT_EQ(arena.free_bytes(), arena.bytes());
  EXPECT_FALSE(Iterate(*MakeEmulatedCuda({.failing_call = 60})).ok());
}

// What an iteration keeps on the device: x, y, a half spectrum, an OTF of which half is kept, and chunks.
TEST(CudaBackendTest, ASymmetricPsfTakesHalfTheRoom) {
  std::unique_ptr<Runtime> runtime = MakeEmulatedRuntime();
  Arena& arena = runtime->arena();
  const auto backend = MakeBackendOn(std::move(runtime), {.chunk_bytes = 2048});
  ASSERT_OK_AND_ASSIGN(const auto ops, backend->Open({32, 32, 32}));
  const int64_t spectrum = 8 * 32 * 32 * 17;
  const auto used = [&](const std::vector<float>& psf) {
    const int64_t before = arena.free_bytes();
    const auto otf = ops->MakeOtf(psf, {1, 1, 3}, {0, 0, 1});
    EXPECT_OK(otf);
    return before - arena.free_bytes();
  };
  used({1, 2, 1});  // the workspace of transforms is there from then on
  EXPECT_EQ(used({1, 2, 1}), spectrum / 2);
  EXPECT_EQ(used({1, 2, 2}), spectrum);
  EXPECT_LE(arena.bytes() - arena.free_bytes(), spectrum + (256 << 10));
}

TEST(CudaBackendTest, TellsWhatIsTooLarge) {
  const auto backend = MakeEmulatedCuda({.memory_bytes = 1 << 20});
  EXPECT_OK(backend->Open({16, 16, 16}));
  const absl::Status status = backend->Open({64, 64, 64}).status();
  EXPECT_EQ(ReasonOf(status), v1::OUT_OF_MEMORY);
  EXPECT_NE(status.message().find("emulated"), std::string_view::npos) << status;
}

TEST(FftPoolTest, LendsWhatIsIdle) {
  const std::unique_ptr<Runtime> runtime = MakeEmulatedRuntime();
  FftPool pool(runtime.get());
  const FftShape shape{.real = true, .extents = {4, 6}, .stride = 1, .distance = 16, .batch = 1};
  Fft* first = nullptr;
  {
    ASSERT_OK_AND_ASSIGN(const FftPool::Lent lent, pool.Take(shape));
    ASSERT_OK_AND_ASSIGN(const FftPool::Lent another, pool.Take(shape));
    first = &*lent;
    EXPECT_NE(first, &*another);
  }
  ASSERT_OK_AND_ASSIGN(const FftPool::Lent one, pool.Take(shape));
  ASSERT_OK_AND_ASSIGN(const FftPool::Lent two, pool.Take(shape));
  EXPECT_TRUE(&*one == first || &*two == first);
}

}  // namespace
}  // namespace deconvoy::worker::cuda
