#include "worker/backends/cuda/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "proto/contract/error.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::worker::cuda {
namespace {

using ::testing::HasSubstr;

TEST(CudaErrorsTest, NameCallSizeAndDevice) {
  const absl::Status status = CudaFailure({.call = "cudaMemcpyAsync",
                                           .device = "H100 (device 3)",
                                           .code = 700,
                                           .text = "an illegal memory access was encountered",
                                           .bytes = 3 << 20});
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(std::string(status.message()),
            "cudaMemcpyAsync failed on H100 (device 3): an illegal memory access was encountered (700), of 3.0 MiB");
  EXPECT_EQ(InfoOf(status).metadata().at("call"), "cudaMemcpyAsync");
  EXPECT_EQ(InfoOf(status).metadata().at("device"), "H100 (device 3)");
}

TEST(CudaErrorsTest, LackingMemoryIsSaidSo) {
  for (const absl::Status& status :
       {CudaFailure({.call = "cudaMalloc", .device = "d", .code = 2, .text = "out of memory", .bytes = 1 << 20}),
        CufftFailure({.call = "cufftMakePlanMany64", .device = "d", .code = 2, .text = "no memory"})}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(status), v1::OUT_OF_MEMORY);
    EXPECT_FALSE(IsSticky(status));
  }
}

TEST(CudaErrorsTest, StickyOnesAreToldApart) {
  // Illegal address, illegal instruction, launch failure and timeout, ECC, unknown, and one that nobody knows yet.
  for (const int code : {700, 715, 719, 702, 214, 999, 12345}) {
    const absl::Status status = CudaFailure({.call = "a kernel", .device = "d", .code = code, .text = "t"});
    EXPECT_TRUE(IsSticky(status)) << code;
    EXPECT_TRUE(IsSticky(AddContext(status, "tile 3")));
    EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("must end"));
  }
  for (const int code : {1, 9, 209, 400, 701}) {
    EXPECT_FALSE(IsSticky(CudaFailure({.call = "a kernel", .device = "d", .code = code, .text = "t"}))) << code;
  }
  EXPECT_TRUE(IsSticky(CufftFailure({.call = "cufftExecR2C", .device = "d", .code = 6, .text = "t"})));
  EXPECT_FALSE(IsSticky(CufftFailure({.call = "cufftExecR2C", .device = "d", .code = 8, .text = "t"})));
  EXPECT_FALSE(IsSticky(absl::OkStatus()));
  EXPECT_FALSE(IsSticky(MakeError({.reason = v1::OUT_OF_MEMORY}, "of something else")));
}

// Planning says so with codes that else mean a broken library or device.
TEST(CudaErrorsTest, PlansThatLackMemorySaySo) {
  for (const int code : {5, 7}) {
    const auto failure = [&](std::optional<int64_t> free) {
      return CufftFailure(
          {.call = "cufftMakePlanMany64", .device = "d", .code = code, .text = "t", .planning_free_bytes = free});
    };
    EXPECT_EQ(ReasonOf(failure(int64_t{255} << 20)), v1::OUT_OF_MEMORY) << code;
    EXPECT_FALSE(IsSticky(failure(int64_t{255} << 20))) << code;
    EXPECT_TRUE(IsSticky(failure(int64_t{256} << 20))) << code;
    EXPECT_TRUE(IsSticky(failure(std::nullopt))) << "running a plan tells nothing of memory";
  }
  EXPECT_TRUE(IsSticky(
      CufftFailure({.call = "cufftMakePlanMany64", .device = "d", .code = 6, .text = "t", .planning_free_bytes = 0})));
}

}  // namespace
}  // namespace deconvoy::worker::cuda
