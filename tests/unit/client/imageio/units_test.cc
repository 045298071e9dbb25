#include "client/imageio/units.h"

#include <gtest/gtest.h>

namespace deconvoy::imageio {
namespace {

TEST(Units, Lengths) {
  EXPECT_EQ(MicrometresPer("nm"), 1e-3);
  EXPECT_EQ(MicrometresPer("\xce\xbcm"), 1);
  EXPECT_EQ(MicrometresPer("inch"), 25400);
  EXPECT_EQ(MicrometresPer("pixel"), 0);
  EXPECT_EQ(MicrometresPer(""), 0);
}

TEST(Units, Plausible) {
  EXPECT_EQ(PlausibleUm(0.1), 0.1);
  EXPECT_EQ(PlausibleUm(1e-7), 0);
  EXPECT_EQ(PlausibleUm(1e7), 0);
  EXPECT_EQ(PlausibleUm(-1), 0);
}

TEST(Units, ResolutionsLoseTheDigitsTheyCannotHold) {
  EXPECT_EQ(RoundedResolution(1.0 / static_cast<double>(static_cast<float>(1 / 0.066813))), 0.066813);
  EXPECT_EQ(RoundedResolution(1.0 / static_cast<double>(static_cast<float>(1 / 0.0645))), 0.0645);
}

TEST(Units, TextIsCutBetweenCharacters) {
  EXPECT_EQ(TextField("DAPI", 255), "DAPI");
  EXPECT_EQ(TextField("a\xc2\xb5z", 3), "a\xc2\xb5");
  EXPECT_EQ(TextField("a\x01", 255), "a\\x01");
  EXPECT_LE(TextField(std::string(300, '\x01'), 255).size(), 255U);
}

}  // namespace
}  // namespace deconvoy::imageio
