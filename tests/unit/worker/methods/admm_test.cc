#include "worker/methods/admm.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "proto/contract/tile_plan.h"
#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/measured_memory.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

TEST(AdmmTest, IsRegisteredAndDescribesItself) {
  const Method* method = FindMethod("admm");
  ASSERT_NE(method, nullptr);
  const v1::Method& d = method->description();
  EXPECT_EQ(d.boundaries(0), v1::EXTEND);
  EXPECT_EQ(d.transforms_per_iteration(), 4U);
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(d, {}));
  EXPECT_EQ(parameters.Integer("iterations"), 50);
  EXPECT_EQ(parameters.Choice("prior"), "tv");
  EXPECT_EQ(parameters.Choice("noise"), "poisson");
}

class Cancelling final : public Monitor {
 public:
  absl::Status Iterated(const Iteration& iteration) override {
    EXPECT_EQ(iteration.objective.has_value(), iteration.done == 1);
    return iteration.done == 3 ? absl::CancelledError("enough") : absl::OkStatus();
  }
};

TEST(AdmmTest, StopsWhenTheMonitorSaysSo) {
  std::mt19937_64 random(testing::Seed());
  for (const char* method : {"admm", "pnp-admm", "pnp-ista"}) {
    Cancelling monitor;
    EXPECT_EQ(reference::RunMethod(method, {.y = reference::RandomImage(4, 6, 8, random),
                                            .domain = {6, 8, 10},
                                            .origin = {},
                                            .psf = reference::RandomPsf(3, 3, 3, random),
                                            .parameters = {},
                                            .monitor = &monitor})
                  .status()
                  .code(),
              absl::StatusCode::kCancelled);
  }
}

TEST(AdmmTest, NeedsTheMemoryThatItDescribes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: a sanitizer's own memory would be counted";
#endif
  const struct {
    Shape3 measured, psf, domain;
  } cases[] = {{{64, 256, 256}, {1, 1, 1}, {64, 256, 256}}, {{40, 128, 128}, {41, 129, 129}, {80, 256, 256}}};
  const std::map<std::string, std::string> few = {{"iterations", "3"}};
  const auto with = [&](const std::map<std::string, std::string>& more) {
    std::map<std::string, std::string> given = few;
    given.insert(more.begin(), more.end());
    return given;
  };
  const struct {
    const char* method;
    std::map<std::string, std::string> given;
  } runs[] = {{"admm", with({})},
              {"admm", with({{"initial", "image"}})},
              {"admm", with({{"prior", "hessian"}, {"initial", "wiener"}})},
              {"pnp-admm", with({{"initial", "image"}})},
              {"pnp-ista", with({{"acceleration", "nesterov"}})}};
  for (const auto& c : cases) {
    for (const auto& run : runs) {
      const v1::Method& description = FindMethod(run.method)->description();
      ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(description, run.given));
      const double described =
          static_cast<double>(TileBytes(MemoryOf(description, parameters), c.domain, c.measured, c.psf)) /
          static_cast<double>(c.domain.voxels());
      const double found = BytesPerVoxel(run.method, c.measured, c.psf, c.domain, run.given);
      EXPECT_LE(found, described) << run.method << " " << c.psf.z;
      EXPECT_GE(found, 0.8 * described) << run.method << " " << c.psf.z;
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
