#include "worker/imaging/camera.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace deconvoy::worker {
namespace {

std::vector<float> Counts(const Camera& camera, const std::vector<float>& photons, int64_t first = 0) {
  std::vector<std::byte> raw(photons.size() * 4);
  Expose(camera, photons, first, raw);
  std::vector<float> counts(photons.size());
  std::memcpy(counts.data(), raw.data(), raw.size());
  return counts;
}

TEST(Camera, HasMeanAndVarianceOfItsModel) {
  const Camera camera{.scale = {.offset_counts = 100, .gain = 0.5, .read_noise = 3},
                      .background_photons = 5,
                      .type = v1::F32,
                      .seed = 11};
  const std::vector<float> counts = Counts(camera, std::vector<float>(200'000, 20));
  double sum = 0, squares = 0;
  for (float c : counts) {
    sum += c;
    squares += (c - 150.0) * (c - 150.0);
  }
  const auto n = static_cast<double>(counts.size());
  EXPECT_NEAR(sum / n, 25 / 0.5 + 100, 0.1);
  EXPECT_NEAR(squares / n, (25 + 9) / 0.25, 1.5);
}

TEST(Camera, NoiseBelongsToTheVoxelWhateverTheOrder) {
  const Camera camera{.scale = {.read_noise = 1}, .type = v1::F32, .seed = 2};
  const std::vector<float> photons(100, 50);
  const std::vector<float> all = Counts(camera, photons);
  const std::vector<float> tail = Counts(camera, std::vector<float>(30, 50), 70);
  EXPECT_TRUE(std::equal(tail.begin(), tail.end(), all.begin() + 70));
}

TEST(Camera, RoundsAndCountsClippedVoxels) {
  const Camera camera{.scale = {.offset_counts = 0, .gain = 0.001}, .type = v1::U8, .seed = 3};
  std::vector<std::byte> raw(10);
  EXPECT_EQ(Expose(camera, std::vector<float>(10, 1000), 0, raw), 10U);
  for (std::byte b : raw) EXPECT_EQ(b, std::byte{255});
}

TEST(Camera, RingingBelowZeroIsDark) {
  const Camera camera{.type = v1::F32};
  EXPECT_EQ(Counts(camera, {-1e-3F, 0, -50}), (std::vector<float>{0, 0, 0}));
}

}  // namespace
}  // namespace deconvoy::worker
