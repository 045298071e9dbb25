// The worker's estimation of a PSF against the same formula in double precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "proto/contract/parameters.h"
#include "tests/reference/blind.h"
#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::reference {
namespace {

constexpr double kTolerance = 1e-5;  // relative L2
constexpr float kBackground = 2.5F;
constexpr Shape3 kImage{5, 9, 8}, kDomain{8, 12, 12}, kPsf{3, 4, 5};

std::vector<float> Floats(const Volume& volume) {
  return {volume.values.begin(), volume.values.end()};
}

struct Scene {
  Volume y;                 // of kImage
  std::optional<Volume> m;  // of kImage
  Psf guess;
  double mean = 0;
};

Scene MakeScene(bool masked) {
  std::mt19937_64 random(testing::Seed());
  Scene scene{RandomImage(kImage.z, kImage.y, kImage.x, random), {}, RandomPsf(kPsf.z, kPsf.y, kPsf.x, random)};
  for (double& value : scene.y.values) value = static_cast<float>(value);
  for (size_t i = 0; i < scene.guess.h.values.size(); i += 7) scene.guess.h.values[i] = 0;  // off the support
  scene.mean = static_cast<float>(MeanOf(scene.y));
  if (!masked) return scene;
  scene.m = Volume(kImage.z, kImage.y, kImage.x, 1);
  for (double& value : scene.m->values) value = random() % 5 == 0 ? 0 : 1;
  return scene;
}

BlindResult Reference(const Scene& scene, BlindOptions options) {
  options.background = kBackground;
  options.mean = scene.mean;
  const Volume m = scene.m.value_or(Volume(kImage.z, kImage.y, kImage.x, 1));
  return BlindRichardsonLucy(Padded(scene.y, kDomain.z, kDomain.y, kDomain.x),
                             Padded(m, kDomain.z, kDomain.y, kDomain.x), scene.guess, options);
}

std::unique_ptr<worker::Array> Uploaded(worker::Ops& ops, const Volume& volume) {
  auto array = ops.Allocate({{}, kImage});
  EXPECT_OK(array.status());
  EXPECT_OK(ops.Upload(Floats(volume), (*array)->box(), **array));
  return *std::move(array);
}

absl::StatusOr<worker::EstimatedPsf> FromWorker(const Scene& scene, const std::map<std::string, std::string>& given,
                                                worker::Monitor& monitor) {
  const auto backend = worker::MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  const auto ops = backend->Open(kDomain).value();
  const auto y = Uploaded(*ops, scene.y);
  const auto m = scene.m ? Uploaded(*ops, *scene.m) : nullptr;
  const worker::Method& method = *worker::FindMethod("blind-rl");
  return method.EstimatePsf({.ops = ops.get(),
                             .measured = y.get(),
                             .mask = m.get(),
                             .background = kBackground,
                             .mean = static_cast<float>(scene.mean)},
                            {Floats(scene.guess.h), kPsf, {scene.guess.cz, scene.guess.cy, scene.guess.cx}},
                            ResolveParameters(method.description(), given).value(), monitor);
}

TEST(BlindReferenceTest, TheWorkerDoesWhatTheFormulaSays) {
  const std::map<std::string, BlindOptions> symmetries = {{"none", {}},
                                                          {"axial", {.axial = true}},
                                                          {"lateral", {.lateral = true}},
                                                          {"both", {.axial = true, .lateral = true}}};
  for (const bool masked : {false, true}) {
    const Scene scene = MakeScene(masked);
    for (auto [symmetry, options] : symmetries) {
      options.rounds = 3;
      options.image_steps = 4;
      options.psf_steps = 2;
      options.support = symmetry == "none" ? 0.02 : 0;
      SCOPED_TRACE(fmt::format("symmetry {}, masked {}", symmetry, masked));
      const BlindResult expected = Reference(scene, options);
      Objectives objectives;
      ASSERT_OK_AND_ASSIGN(const worker::EstimatedPsf found, FromWorker(scene,
                                                                        {{"rounds", "3"},
                                                                         {"image_steps", "4"},
                                                                         {"psf_steps", "2"},
                                                                         {"symmetry", symmetry},
                                                                         {"support", fmt::to_string(options.support)}},
                                                                        objectives));
      Volume h(kPsf.z, kPsf.y, kPsf.x);
      h.values = {found.psf.values.begin(), found.psf.values.end()};
      EXPECT_LE(RelativeError(h, expected.psf.h), kTolerance);
      EXPECT_GT(RelativeError(h, scene.guess.h), 1e-2) << "the guess has not changed";
      ASSERT_EQ(objectives.values.size(), expected.objective.size());
      for (size_t i = 0; i < expected.objective.size(); ++i) {
        EXPECT_NEAR(objectives.values[i], expected.objective[i], 1e-4 * expected.objective[i]) << i;
      }
    }
  }
}

}  // namespace
}  // namespace deconvoy::reference
