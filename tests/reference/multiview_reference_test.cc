// The worker's rl-multiview against the same formula in double precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/reference/sizes.h"
#include "tests/reference/tolerance.h"
#include "tests/support/test_support.h"

namespace deconvoy::reference {
namespace {

constexpr int kIterations = 6;

// One view: what was measured on the box at the domain's origin.
struct ViewData {
  Volume y, m;
  Psf psf;
  double background;
};

struct Scene {
  v1::Boundary boundary;
  bool masked;
  Shape3 image, domain;
  double mean = 0;
  std::vector<ViewData> views = {};
};

// Three views, whose PSFs differ in their extents and centres, too.
Scene RandomScene(const Size& size, v1::Boundary boundary, bool masked, std::mt19937_64& random) {
  const Shape3 &n = size.image, &h = size.psf;
  Scene scene{boundary, masked, n, boundary == v1::EXTEND ? ExtendedDomain(size) : n};
  const auto shorter = [](int64_t extent) { return std::max<int64_t>(extent - 1, 1); };
  for (const Shape3& psf : {h, Shape3{shorter(h.z), h.y, h.x}, Shape3{h.z, shorter(h.y), shorter(h.x)}}) {
    ViewData& view = scene.views.emplace_back();
    view.y = InSinglePrecision(RandomImage(n.z, n.y, n.x, random));
    view.m = Volume(n.z, n.y, n.x, 1);
    for (double& m : view.m.values) m = masked && random() % 5 == 0 ? 0 : 1;
    view.psf = RandomPsf(psf.z, psf.y, psf.x, random);
    view.background = static_cast<double>(scene.views.size());
    scene.mean += MeanOf(view.y) / 3;
  }
  scene.mean = static_cast<float>(scene.mean);
  return scene;
}

// A view on the whole domain, with w.
struct Padding {
  Volume y, m, w;
  const ViewData& view;
};

// p f_v.
Volume Stepped(const Volume& p, const Padding& padded, double mean, Rounding& rounding) {
  Volume quotient = rounding.Convolved(Convolve(p, padded.view.psf));
  for (size_t i = 0; i < quotient.values.size(); ++i) {
    const double model = std::max(quotient.values[i] + padded.view.background, 1e-6 * mean);
    quotient.values[i] = padded.m.values[i] * padded.y.values[i] / model;
  }
  const Volume back = rounding.Convolved(Correlate(quotient, padded.view.psf));
  Volume stepped = p;
  for (size_t i = 0; i < p.values.size(); ++i) {
    if (padded.w.values[i] >= 0.01) stepped.values[i] *= back.values[i] / padded.w.values[i];
  }
  return rounding.Stored(stepped);
}

// The part of the estimate that was measured and that a job returns. Further out single voxels have w close to its
// floor: a division by 0.01 makes 1e-5 of a transform's rounding of 1e-7, as much as the bound.
Volume Formula(const Scene& scene, bool additive, bool heavy_ball, double rounding_errors) {
  Rounding rounding(rounding_errors);
  const Shape3 &n = scene.image, &d = scene.domain;
  std::vector<Padding> views;
  for (const ViewData& view : scene.views) {
    const Volume m = Padded(view.m, d.z, d.y, d.x);
    views.push_back({Padded(view.y, d.z, d.y, d.x), m, rounding.Convolved(Correlate(m, view.psf)), view});
  }
  Volume x(d.z, d.y, d.x, scene.mean), before = x;
  for (int k = 1; k <= kIterations; ++k) {
    const double alpha = heavy_ball ? (k - 1.0) / (k + 2.0) : 0;
    Volume p = x;
    for (size_t i = 0; i < p.values.size(); ++i) {
      p.values[i] = std::max(x.values[i] + alpha * (x.values[i] - before.values[i]), 0.1 * x.values[i]);
    }
    before = x;
    if (!additive) {
      for (const Padding& view : views) p = Stepped(p, view, scene.mean, rounding);
      x = p;
      continue;
    }
    x = Volume(d.z, d.y, d.x);
    for (const Padding& view : views) {
      const Volume stepped = Stepped(p, view, scene.mean, rounding);
      for (size_t i = 0; i < x.values.size(); ++i) {
        x.values[i] += stepped.values[i] / static_cast<double>(views.size());
      }
    }
  }
  return Cropped(x, n.z, n.y, n.x);
}

absl::StatusOr<Volume> FromWorker(const Scene& scene, const std::map<std::string, std::string>& given,
                                  worker::Monitor* monitor = nullptr) {
  const ViewData& first = scene.views.front();
  EngineRun run{.y = first.y,
                .domain = scene.domain,
                .origin = {},
                .psf = first.psf,
                .parameters = given,
                .boundary = scene.boundary,
                .background = first.background,
                .mean = scene.mean,
                .mask = scene.masked ? &first.m : nullptr,
                .monitor = monitor};
  for (size_t v = 1; v < scene.views.size(); ++v) {
    const ViewData& view = scene.views[v];
    run.other_views.push_back({view.y, view.psf, view.background, scene.masked ? &view.m : nullptr});
  }
  return RunMethod("rl-multiview", run);
}

class MultiviewReferenceTest : public ::testing::TestWithParam<Size> {};

TEST_P(MultiviewReferenceTest, FollowsItsFormula) {
  std::mt19937_64 random(testing::Seed());
  for (const auto& [boundary, masked] :
       {std::pair(v1::EXTEND, false), std::pair(v1::EXTEND, true), std::pair(v1::PERIODIC, false)}) {
    const Scene scene = RandomScene(GetParam(), boundary, masked, random);
    for (const bool additive : {false, true}) {
      for (const bool heavy_ball : {false, true}) {
        const std::string update = additive ? "additive" : "ordered-subset",
                          acceleration = heavy_ball ? "heavy-ball" : "none";
        SCOPED_TRACE(fmt::format("{} {} {} masked {}", v1::Boundary_Name(boundary), update, acceleration, masked));
        ASSERT_OK_AND_ASSIGN(const Volume found, FromWorker(scene, {{"iterations", std::to_string(kIterations)},
                                                                    {"update", update},
                                                                    {"acceleration", acceleration}}));
        const Volume expected = Formula(scene, additive, heavy_ball, 0);
        const double rounding = RelativeError(Formula(scene, additive, heavy_ball, kRoundingErrors), expected);
        EXPECT_LE(RelativeError(found, expected), ToleranceOf(rounding));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, MultiviewReferenceTest, ::testing::ValuesIn(kSizes),
                         [](const auto& size) { return NameOf(size.param); });

TEST(MultiviewObjectiveTest, PlainAdditiveStepsNeverRaiseIt) {
  std::mt19937_64 random(testing::Seed());
  const Scene scene = RandomScene({{5, 7, 8}, {4, 4, 5}}, v1::PERIODIC, false, random);
  Objectives objectives;
  ASSERT_OK(FromWorker(scene, {{"iterations", "30"}, {"acceleration", "none"}, {"objective", "1"}}, &objectives));
  ASSERT_EQ(objectives.values.size(), 30U);
  for (size_t k = 1; k < 30; ++k) {
    EXPECT_LE(objectives.values[k], objectives.values[k - 1] * (1 + 1e-6)) << "iteration " << k;
  }
}

}  // namespace
}  // namespace deconvoy::reference
