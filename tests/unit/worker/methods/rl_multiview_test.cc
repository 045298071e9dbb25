#include "worker/methods/rl_multiview.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/tile_plan.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/measured_memory.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

constexpr Shape3 kMeasured{48, 192, 192}, kPsf{9, 15, 15}, kDomain{56, 210, 210};
constexpr size_t kViews = 3;

// Growth of the resident set while three views are joined, OTFs, y and m included.
int64_t BytesTaken(const Parameters& parameters, bool masked) {
  const auto backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  std::vector<float> psf(static_cast<size_t>(kPsf.voxels()));  // rising, so that its whole transform is kept
  const auto n = static_cast<double>(psf.size());
  for (size_t i = 0; i < psf.size(); ++i) psf[i] = static_cast<float>(2 * static_cast<double>(i + 1) / (n * (n + 1)));
  { EXPECT_OK(backend->Open(kDomain)); }  // planning is not part of the method
  const int64_t before = ResidentBytes();
  const auto ops = backend->Open(kDomain).value();
  std::vector<std::unique_ptr<Otf>> otfs;
  std::vector<std::unique_ptr<Array>> arrays;
  const auto filled = [&] {
    arrays.push_back(ops->Allocate({{}, kMeasured}).value());
    EXPECT_OK(ops->Fill(*arrays.back(), 1));
    return arrays.back().get();
  };
  Problem problem{.ops = ops.get(), .mean = 1};
  for (size_t v = 0; v < kViews; ++v) {
    otfs.push_back(ops->MakeOtf(psf, kPsf, {4, 7, 7}).value());
    const Array* y = filled();
    problem.views.push_back({.otf = otfs.back().get(), .measured = y, .mask = masked ? filled() : nullptr});
  }
  problem.otf = problem.views[0].otf;
  problem.measured = problem.views[0].measured;
  problem.mask = problem.views[0].mask;
  Resident resident;
  EXPECT_OK(FindMethod("rl-multiview")->Run(problem, parameters, resident));
  return resident.most - before;
}

TEST(RlMultiviewTest, JoinsChannels) {
  const Method* method = FindMethod("rl-multiview");
  ASSERT_NE(method, nullptr);
  EXPECT_TRUE(method->description().joins_channels());
  EXPECT_EQ(method->description().boundaries(0), v1::EXTEND);
}

TEST(RlMultiviewTest, NeedsTheMemoryThatItDescribes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: a sanitizer's own memory would be counted";
#endif
  const v1::Method& description = FindMethod("rl-multiview")->description();
  for (const char* update : {"additive", "ordered-subset"}) {
    for (const char* acceleration : {"none", "heavy-ball"}) {
      for (const bool masked : {false, true}) {
        ASSERT_OK_AND_ASSIGN(
            const Parameters parameters,
            ResolveParameters(description, {{"iterations", "2"}, {"update", update}, {"acceleration", acceleration}}));
        v1::DeconvolveSpec spec;
        if (masked) spec.set_mask_volume("volumes/m");
        const MethodMemory memory = MemoryOf(description, parameters, spec, kViews, /*bad_pixels=*/false);
        EXPECT_LE(BytesTaken(parameters, masked), TileBytes(memory, kDomain, kMeasured, kPsf))
            << update << " " << acceleration << " " << masked;
      }
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
