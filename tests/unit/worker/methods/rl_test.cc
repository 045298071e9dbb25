#include "worker/methods/rl.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/tile_plan.h"
#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/measured_memory.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

class Counting : public Monitor {
 public:
  explicit Counting(int64_t stop_after = 1 << 30) : stop_after_(stop_after) {}
  absl::Status Iterated(const Iteration& iteration) override {
    EXPECT_EQ(iteration.done, static_cast<int64_t>(told.size()) + 1);
    EXPECT_EQ(iteration.total, 6);
    told.push_back(iteration.objective.has_value());
    return iteration.done == stop_after_ ? absl::CancelledError("enough") : absl::OkStatus();
  }
  std::vector<bool> told;

 private:
  int64_t stop_after_;
};

absl::Status SixIterations(Monitor& monitor, const char* objective) {
  std::mt19937_64 random(testing::Seed());
  return reference::RunRl({.y = reference::RandomImage(4, 6, 8, random),
                           .domain = {6, 8, 10},
                           .origin = {},
                           .psf = reference::RandomPsf(3, 3, 3, random),
                           .parameters = {{"iterations", "6"}, {"objective", objective}},
                           .monitor = &monitor})
      .status();
}

TEST(RichardsonLucyTest, IsRegisteredAndDescribesItself) {
  const Method* method = FindMethod("rl");
  ASSERT_NE(method, nullptr);
  EXPECT_EQ(FindMethod("no-such-method"), nullptr);
  const v1::Method& d = method->description();
  EXPECT_EQ(d.boundaries(0), v1::EXTEND);
  EXPECT_EQ(d.transforms_per_iteration(), 4U);
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(d, {}));
  EXPECT_EQ(parameters.Integer("iterations"), 30);
  EXPECT_EQ(parameters.Choice("acceleration"), "heavy-ball");
  EXPECT_EQ(parameters.Choice("initial"), "mean");
  EXPECT_EQ(parameters.Integer("objective"), 5);
  EXPECT_EQ(parameters.Choice("back_projector"), "matched");
  EXPECT_EQ(MemoryOf(d, parameters).millibytes_per_padded_voxel, 16'300);
  EXPECT_EQ(MemoryOf(d, parameters).millibytes_per_measured_voxel, 4'000);
  EXPECT_FALSE(ResolveParameters(d, {{"iterations", "0"}}).ok());
  EXPECT_FALSE(ResolveParameters(d, {{"iterations", "10001"}}).ok());
}

TEST(RichardsonLucyTest, TellsEveryIteration) {
  Counting monitor;
  ASSERT_OK(SixIterations(monitor, "4"));
  EXPECT_EQ(monitor.told, (std::vector<bool>{true, false, false, true, false, true}));
}

TEST(RichardsonLucyTest, StopsWhenTheMonitorSaysSo) {
  Counting monitor(3);
  EXPECT_EQ(SixIterations(monitor, "0").code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(monitor.told, std::vector<bool>(3, false));
}

// Where no light is measured the quotient blurred back is nothing but rounding, of either sign.
TEST(RichardsonLucyTest, NothingIsBelowZero) {
  std::mt19937_64 random(testing::Seed());
  const reference::Psf psf = reference::RandomPsf(3, 5, 4, random);
  reference::Volume bead(12, 20, 22);
  bead.at(6, 10, 11) = 1e5;
  const reference::Volume image = Convolve(bead, psf);
  for (const Method* method : AllMethods()) {
    const v1::Method& d = method->description();
    if (d.noise_model() != "Poisson" || d.estimates_psf()) continue;
    for (const char* initial : {"mean", "image"}) {
      for (const auto& [boundary, domain] :
           {std::pair(v1::PERIODIC, Shape3{12, 20, 22}), std::pair(v1::EXTEND, Shape3{14, 24, 26})}) {
        ASSERT_OK_AND_ASSIGN(const reference::Volume found,
                             reference::RunMethod(d.name(), {.y = image,
                                                             .domain = domain,
                                                             .origin = {},
                                                             .psf = psf,
                                                             .parameters = {{"iterations", "2"}, {"initial", initial}},
                                                             .boundary = boundary}));
        EXPECT_GE(*std::ranges::min_element(found.values), 0) << d.name() << " " << initial << " " << boundary;
      }
    }
  }
}

TEST(RichardsonLucyTest, NeedsTheMemoryThatItDescribes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: a sanitizer's own memory would be counted";
#endif
  const struct {
    Shape3 measured, psf, domain;
  } cases[] = {{{64, 256, 256}, {1, 1, 1}, {64, 256, 256}},
               {{64, 256, 256}, {9, 15, 15}, {72, 270, 270}},
               {{40, 128, 128}, {41, 129, 129}, {80, 256, 256}}};
  for (const auto& c : cases) {
    for (const char* acceleration : {"none", "heavy-ball", "biggs-andrews"}) {
      for (const char* projector : {"matched", "wiener-butterworth", "otf-masked-wiener"}) {
        for (const char* initial : {"mean", "wiener"}) {
          const std::map<std::string, std::string> given{
              {"iterations", "3"}, {"acceleration", acceleration}, {"back_projector", projector}, {"initial", initial}};
          ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(FindMethod("rl")->description(), given));
          const MethodMemory memory = MemoryOf(FindMethod("rl")->description(), parameters);
          EXPECT_LE(BytesPerVoxel("rl", c.measured, c.psf, c.domain, given),
                    static_cast<double>(TileBytes(memory, c.domain, c.measured, c.psf)) /
                        static_cast<double>(c.domain.voxels()))
              << c.psf.z << " " << acceleration << " " << projector << " " << initial;
        }
      }
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker
