#include "worker/psf/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Shape3 kShape{21, 31, 31};

// A Gaussian of widths 2.5, 2, 2 voxels about `centre`, times `peak`, added to `values`.
void AddBead(double peak, const Voxel& centre, std::vector<float>& values) {
  for (int64_t z = 0; z < kShape.z; ++z) {
    for (int64_t y = 0; y < kShape.y; ++y) {
      for (int64_t x = 0; x < kShape.x; ++x) {
        const auto along = [](int64_t a, int64_t b, double width) {
          return static_cast<double>((a - b) * (a - b)) / (2 * width * width);
        };
        const double away = along(z, centre.z, 2.5) + along(y, centre.y, 2) + along(x, centre.x, 2);
        values[static_cast<size_t>((z * kShape.y + y) * kShape.x + x)] += static_cast<float>(peak * std::exp(-away));
      }
    }
  }
}

std::vector<float> Bead(double peak = 1, const Voxel& centre = {10, 15, 15}) {
  std::vector<float> values(static_cast<size_t>(kShape.voxels()));
  AddBead(peak, centre, values);
  return values;
}

std::vector<std::string> Messages(const std::vector<float>& values) {
  std::vector<std::string> messages;
  for (const PsfDefect& defect : CheckPsf(values, kShape)) messages.push_back(defect.message);
  return messages;
}

TEST(CheckPsf, ACleanOneHasNoDefect) {
  EXPECT_THAT(Messages(Bead()), IsEmpty());
  EXPECT_THAT(Messages(Bead(60'000)), IsEmpty());
}

TEST(CheckPsf, FindsABackground) {
  std::vector<float> values = Bead();
  for (float& v : values) v += 0.05F;
  EXPECT_THAT(Messages(values), ElementsAre(HasSubstr("as a background")));
}

TEST(CheckPsf, FindsASaturatedBead) {
  std::vector<float> values = Bead(1000);
  for (float& v : values) v = std::floor(std::min(v, 255.0F));
  EXPECT_THAT(Messages(values), ElementsAre(HasSubstr("voxels have its greatest value of 255")));
}

TEST(CheckPsf, AFewSaturatedVoxelsAreEnoughWhereNoPeakHasThem) {
  std::vector<float> values(static_cast<size_t>(kShape.voxels()));
  const size_t middle = static_cast<size_t>((10 * kShape.y + 15) * kShape.x + 15);
  for (const size_t i : {middle, middle + 1}) values[i] = 4095;
  EXPECT_THAT(Messages(values), IsEmpty()) << "a peak between two voxels";
  values[middle - 1] = 4095;
  EXPECT_THAT(Messages(values), ElementsAre(HasSubstr("3 voxels have its greatest value of 4095")));
}

TEST(CheckPsf, FindsASecondBead) {
  std::vector<float> values = Bead();
  AddBead(0.6, {12, 15, 24}, values);
  EXPECT_THAT(Messages(values), ElementsAre(HasSubstr("at 12,15,24")));
}

TEST(CheckPsf, AnotherMaximumOnTheAxisIsAberration) {
  std::vector<float> values = Bead();
  AddBead(0.6, {18, 15, 15}, values);
  for (const std::string& message : Messages(values)) EXPECT_THAT(message, ::testing::Not(HasSubstr("two beads")));
}

TEST(CheckPsf, FindsWhatIsCut) {
  EXPECT_THAT(Messages(Bead(1, {10, 15, 28})), ElementsAre(HasSubstr("cut off sideways")));
  EXPECT_THAT(Messages(Bead(1, {18, 15, 15})), ElementsAre(HasSubstr("cut off along z")));
}

}  // namespace
}  // namespace deconvoy::worker
