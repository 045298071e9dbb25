// The seam promise, for every method of one image: tiles with the planned halo, computed one by one and put
// together, are the untiled result.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "proto/contract/tile_plan.h"
#include "tests/reference/engine.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/method_name.h"
#include "worker/imaging/reflection.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

using reference::Psf;
using reference::Volume;

constexpr double kBackground = 5;

Psf BlurringPsf(const Shape3& shape) {
  Psf psf{.h = Volume(shape.z, shape.y, shape.x), .cz = shape.z / 2, .cy = shape.y / 2, .cx = shape.x / 2};
  const auto part = [](int64_t i, int64_t n) {
    const double d = (static_cast<double>(i) - static_cast<double>(n / 2)) / (static_cast<double>(n) / 6);
    return d * d;
  };
  double sum = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        psf.h.at(z, y, x) = std::exp(-(part(z, shape.z) + part(y, shape.y) + part(x, shape.x)) / 2);
        sum += psf.h.at(z, y, x);
      }
    }
  }
  for (double& value : psf.h.values) value /= sum;
  return psf;
}

// As the analysis of a job finds it.
Shape3 Halo(const Psf& psf) {
  const Volume& h = psf.h;
  double zz = 0, yy = 0, xx = 0;
  for (int64_t z = 0; z < h.nz; ++z) {
    for (int64_t y = 0; y < h.ny; ++y) {
      for (int64_t x = 0; x < h.nx; ++x) {
        const auto square = [](int64_t d) { return static_cast<double>(d * d); };
        zz += square(z - psf.cz) * h.at(z, y, x);
        yy += square(y - psf.cy) * h.at(z, y, x);
        xx += square(x - psf.cx) * h.at(z, y, x);
      }
    }
  }
  return {HaloExtent(h.nz, std::sqrt(zz)), HaloExtent(h.ny, std::sqrt(yy)), HaloExtent(h.nx, std::sqrt(xx))};
}

// Beads, a shell and a filament, some of them on the borders of tiles, and beyond the frame.
Volume Specimen(const Shape3& shape, std::mt19937_64& random) {
  Volume truth(shape.z, shape.y, shape.x);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int bead = 0; bead < 120; ++bead) {
    const auto at = [&](int64_t n) { return static_cast<int64_t>(unit(random) * static_cast<double>(n)); };
    truth.at(at(shape.z), at(shape.y), at(shape.x)) += 20000 * unit(random);
  }
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x) {
        const auto square = [](double d) { return d * d; };
        const double r =
            std::sqrt(square(2.0 * static_cast<double>(z - shape.z / 2)) +
                      square(static_cast<double>(y - shape.y / 2)) + square(static_cast<double>(x - shape.x / 2)));
        if (std::abs(r - 25) < 1.5) truth.at(z, y, x) += 400;
        if (std::abs(static_cast<double>(y - x / 2 - 20)) < 1 && z == (x / 6) % shape.z) truth.at(z, y, x) += 2000;
      }
    }
  }
  return truth;
}

// Photons of the specimen's middle: light comes in from beyond the frame.
Volume Image(const Shape3& frame, const Psf& psf, std::mt19937_64& random) {
  const Shape3 larger{frame.z + 8, frame.y + 8, frame.x + 8};
  const Volume blurred = Convolve(Specimen(larger, random), psf);
  Volume image(frame.z, frame.y, frame.x);
  for (int64_t z = 0; z < frame.z; ++z) {
    for (int64_t y = 0; y < frame.y; ++y) {
      for (int64_t x = 0; x < frame.x; ++x) {
        std::poisson_distribution<int> photons(std::max(blurred.at(z + 4, y + 4, x + 4), 0.0) + kBackground);
        image.at(z, y, x) = photons(random);
      }
    }
  }
  return image;
}

Volume Part(const Volume& volume, const Box3& box) {
  Volume part(box.shape.z, box.shape.y, box.shape.x);
  for (int64_t z = 0; z < box.shape.z; ++z) {
    for (int64_t y = 0; y < box.shape.y; ++y) {
      for (int64_t x = 0; x < box.shape.x; ++x) {
        part.at(z, y, x) = volume.at(box.origin.z + z, box.origin.y + y, box.origin.x + x);
      }
    }
  }
  return part;
}

// As a tile is read with MIRROR: what lies beyond it is its reflection.
Volume Reflected(const Volume& part, const Shape3& padded) {
  const std::vector<int64_t> z_of = ReflectedAxis(part.nz, padded.z), y_of = ReflectedAxis(part.ny, padded.y),
                             x_of = ReflectedAxis(part.nx, padded.x);
  Volume whole(padded.z, padded.y, padded.x);
  size_t i = 0;
  for (const int64_t z : z_of) {
    for (const int64_t y : y_of) {
      for (const int64_t x : x_of) whole.values[i++] = part.at(z, y, x);
    }
  }
  return whole;
}

// What a job is about.
struct Frame {
  Volume image;
  Psf psf;
  double mean = reference::MeanOf(image);
  double variance = reference::VarianceOf(image);
};

bool Iterates(const Method& method) {
  for (const v1::Parameter& parameter : method.description().parameters()) {
    if (parameter.name() == "iterations") return true;
  }
  return false;
}

using Choices = std::map<std::string, std::string>;

// One tile's loaded box, with the method's own boundary and its defaults but for `choices`.
absl::StatusOr<Volume> Deconvolved(const Method& method, const Choices& choices, const Frame& frame, const Box3& loaded,
                                   const Shape3& padded) {
  const v1::Boundary boundary = method.description().boundaries(0);
  Volume y = Part(frame.image, loaded);
  if (boundary == v1::MIRROR) y = Reflected(y, padded);
  Choices parameters = choices;
  if (Iterates(method)) parameters["iterations"] = "20";
  const absl::StatusOr<Volume> found =
      reference::RunMethod(method.description().name(), {.y = y,
                                                         .domain = padded,
                                                         .origin = {},
                                                         .psf = frame.psf,
                                                         .parameters = parameters,
                                                         .boundary = boundary,
                                                         .background = kBackground,
                                                         .mean = frame.mean,
                                                         .variance = frame.variance,
                                                         .frame_origin = loaded.origin});
  if (!found.ok()) return found.status();
  return reference::Cropped(*found, loaded.shape.z, loaded.shape.y, loaded.shape.x);
}

// Of the difference over the range, and over the planes of voxels on both sides of a cut alone.
struct Seam {
  double nrmse;
  double nrmse_at_cuts;
};

Seam Compare(const Volume& tiled, const Volume& whole, const Shape3& core) {
  const auto [low, high] = std::minmax_element(whole.values.begin(), whole.values.end());
  double all = 0, cuts = 0;
  int64_t cut_voxels = 0;
  const auto at_cut = [](int64_t i, int64_t n, int64_t extent) {
    return (i % n == 0 && i > 0) || (i % n == n - 1 && i + 1 < extent);
  };
  for (int64_t z = 0; z < whole.nz; ++z) {
    for (int64_t y = 0; y < whole.ny; ++y) {
      for (int64_t x = 0; x < whole.nx; ++x) {
        const double square = std::pow(tiled.at(z, y, x) - whole.at(z, y, x), 2);
        all += square;
        if (!at_cut(z, core.z, whole.nz) && !at_cut(y, core.y, whole.ny) && !at_cut(x, core.x, whole.nx)) continue;
        cuts += square;
        ++cut_voxels;
      }
    }
  }
  const double range = *high - *low;
  return {std::sqrt(all / static_cast<double>(whole.size())) / range,
          std::sqrt(cuts / static_cast<double>(cut_voxels)) / range};
}

constexpr Shape3 kFrame{32, 96, 96}, kPsf{9, 15, 15};

// Made once: its blur takes longer than most methods.
const Frame& TheFrame() {
  static const Frame& frame = *[] {
    std::mt19937_64 random(testing::Seed());
    const Psf psf = BlurringPsf(kPsf);
    return new Frame{.image = Image(kFrame, psf, random), .psf = psf};
  }();
  return frame;
}

void ExpectNoSeam(const Method& method, const Choices& choices) {
  const Frame& frame = TheFrame();

  TilePlanRequest request;
  request.frame = kFrame;
  request.psf = kPsf;
  request.halo = ScaledHalo(Halo(frame.psf), method.description().halo_factor());
  request.boundary = method.description().boundaries(0);
  request.whole = true;
  ASSERT_OK_AND_ASSIGN(const TilePlan one, PlanTiles(request));
  ASSERT_OK_AND_ASSIGN(const Volume whole, Deconvolved(method, choices, frame, {{}, kFrame}, one.padded));

  request.whole = false;
  request.core = {16, 32, 32};
  ASSERT_OK_AND_ASSIGN(const TilePlan plan, PlanTiles(request));
  ASSERT_EQ(plan.tiles(), 18);
  Volume tiled(kFrame.z, kFrame.y, kFrame.x);
  for (int64_t i = 0; i < plan.tiles(); ++i) {
    const Tile tile = plan.At(i, kFrame);
    ASSERT_OK_AND_ASSIGN(const Volume part, Deconvolved(method, choices, frame, tile.loaded, plan.padded));
    const Voxel offset = tile.core.origin - tile.loaded.origin;
    for (int64_t z = 0; z < tile.core.shape.z; ++z) {
      for (int64_t y = 0; y < tile.core.shape.y; ++y) {
        for (int64_t x = 0; x < tile.core.shape.x; ++x) {
          const Voxel& o = tile.core.origin;
          tiled.at(o.z + z, o.y + y, o.x + x) = part.at(offset.z + z, offset.y + y, offset.x + x);
        }
      }
    }
  }
  const Seam seam = Compare(tiled, whole, plan.core);
  ::testing::Test::RecordProperty("nrmse", std::to_string(seam.nrmse));
  ::testing::Test::RecordProperty("nrmse_at_cuts", std::to_string(seam.nrmse_at_cuts));

  EXPECT_LE(seam.nrmse, 1e-3);
  EXPECT_LE(seam.nrmse_at_cuts, 2e-3) << "a seam would be seen";
}

class TileSeamTest : public ::testing::TestWithParam<const Method*> {};

TEST_P(TileSeamTest, TiledEqualsUntiled) {
  ExpectNoSeam(*GetParam(), {});
}

// Splines reach further than blocks, and second differences further than first ones.
TEST(TileSeamOfChoices, OfSplinesIsNone) {
  ExpectNoSeam(*FindMethod("fista"), {{"wavelet", "spline3"}});
}

TEST(TileSeamOfChoices, OfSecondDifferencesIsNone) {
  ExpectNoSeam(*FindMethod("admm"), {{"prior", "hessian"}});
}

// But those that say that they need whole frames.
std::vector<const Method*> MethodsOfTiles() {
  std::vector<const Method*> methods;
  for (const Method* method : AllMethods()) {
    if (method->description().halo_factor() < kWholeFrames) methods.push_back(method);
  }
  return methods;
}

TEST(Tiles, AreNoneOfMethodsWhoseKernelsReachAcrossAnyHalo) {
  for (const Method* method : AllMethods()) {
    const std::string& name = method->description().name();
    EXPECT_EQ(method->description().halo_factor() >= kWholeFrames, name == "naive-inverse" || name == "laplacian")
        << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TileSeamTest, ::testing::ValuesIn(MethodsOfTiles()), MethodTestName);

}  // namespace
}  // namespace deconvoy::worker
