// The CUDA backend keeps the backends' contract, on the first device that is there: with a convolution in one chunk, as
// domains of this size have it, and in many, as large ones do. $DECONVOY_SEPARATE_ALLOCATIONS gives each array an
// allocation of its own, for compute-sanitizer; $DECONVOY_LARGE_GPU has the large domain tested, too.
#include <cstdlib>

#include "tests/contract/backend_finishing_suite.h"
#include "tests/contract/backend_neighbour_suite.h"
#include "tests/contract/backend_suite.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kBudget = int64_t{512} << 20;
constexpr int64_t kSmallChunk = 2048;

bool Asked(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

CudaOptions Options(int threads, int64_t chunk_bytes) {
  return {.device = "",
          .memory_budget_bytes = kBudget,
          .threads = threads,
          .chunk_bytes = chunk_bytes,
          .separate_allocations = Asked("DECONVOY_SEPARATE_ALLOCATIONS")};
}

std::unique_ptr<Backend> MakeWith(const CudaOptions& options) {
  auto backend = MakeCudaBackend(options);
  EXPECT_OK(backend);
  return backend.ok() ? *std::move(backend) : nullptr;
}

std::string Missing() {
  static const absl::Status there = MakeCudaBackend(Options(1, 0)).status();
  return there.ok() ? "" : std::string(there.message());
}

BackendCase Whole() {
  return {"whole", [](int threads) { return MakeWith(Options(threads, 0)); }, Missing()};
}

BackendCase InChunks() {
  return {"chunks", [](int threads) { return MakeWith(Options(threads, kSmallChunk)); }, Missing()};
}

INSTANTIATE_TEST_SUITE_P(Cuda, BackendSuite, ::testing::Values(Whole(), InChunks()));
INSTANTIATE_TEST_SUITE_P(Cuda, SplittingSuite, ::testing::Values(Whole(), InChunks()));
INSTANTIATE_TEST_SUITE_P(Cuda, StagingSuite, ::testing::Values(Whole(), InChunks()));
INSTANTIATE_TEST_SUITE_P(Cuda, FinishingSuite, ::testing::Values(Whole(), InChunks()));
INSTANTIATE_TEST_SUITE_P(Cuda, NeighbourSuite, ::testing::Values(Whole(), InChunks()));

// More voxels than 32 bits with a sign count.
class CudaLargeDomainTest : public ::testing::Test {
 protected:
  static constexpr Shape3 kDomain{1296, 1296, 1296};
  static constexpr int64_t kBytes = int64_t{28} << 30;  // an array, the convolution's own, and a complex OTF

  void SetUp() override {
    if (!Missing().empty()) GTEST_SKIP() << "SKIPPED: " << Missing();
    if (!Asked("DECONVOY_LARGE_GPU")) GTEST_SKIP() << "SKIPPED: DECONVOY_LARGE_GPU is not set";
    ASSERT_OK_AND_ASSIGN(const int64_t free, CudaBudgetBytes(""));
    if (free < kBytes) GTEST_SKIP() << "SKIPPED: " << (free >> 30) << " GiB are free, and 28 are needed";
    CudaOptions options = Options(2, 0);
    options.memory_budget_bytes = kBytes;
    backend_ = MakeWith(options);
    ASSERT_NE(backend_, nullptr);
    ASSERT_OK_AND_ASSIGN(ops_, backend_->Open(kDomain));
    ASSERT_OK_AND_ASSIGN(field_, ops_->Allocate(whole_));
  }

  const Box3 whole_{{}, kDomain};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Array> field_;
};

TEST_F(CudaLargeDomainTest, FillsAndSumsToItsEnd) {
  ASSERT_OK(ops_->Fill(*field_, 1.5F));
  ASSERT_OK_AND_ASSIGN(const double squares, ops_->Dot(*field_, *field_, whole_));
  EXPECT_EQ(squares, 2.25 * static_cast<double>(kDomain.voxels()));
}

TEST_F(CudaLargeDomainTest, MovesAPointIntoTheFarCorner) {
  const Voxel corner{kDomain.z - 1, kDomain.y - 1, kDomain.x - 1};
  const Shape3 shape{2, 3, 4};  // its last voxel is 1, its first the centre
  std::vector<float> psf(static_cast<size_t>(shape.voxels()), 0.0F);
  psf.back() = 1;
  ASSERT_OK_AND_ASSIGN(const auto otf, ops_->MakeOtf(psf, shape, {}));
  const Box3 before{{corner.z - 1, corner.y - 2, corner.x - 3}, {1, 1, 1}};
  ASSERT_OK(ops_->Fill(*field_, 0));
  const std::vector<float> point{1};
  ASSERT_OK(ops_->Upload(point, before, *field_));
  ASSERT_OK(ops_->Convolve({otf.get(), false, Identity{field_.get()}, Store{field_.get()}}));
  std::vector<float> moved(1);
  ASSERT_OK(ops_->Download(*field_, {corner, {1, 1, 1}}, moved));
  EXPECT_NEAR(moved[0], 1, kRounding);
  ASSERT_OK_AND_ASSIGN(const Reduction r, ops_->Reduce(*field_, whole_));
  EXPECT_EQ(r.maximum, moved[0]);
  ASSERT_OK_AND_ASSIGN(const double squares, ops_->Dot(*field_, *field_, whole_));
  EXPECT_NEAR(squares, 1, 1e-5) << "there is light elsewhere";
}

}  // namespace
}  // namespace deconvoy::worker
