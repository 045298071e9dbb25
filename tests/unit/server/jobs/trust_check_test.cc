#include "server/jobs/trust_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::TrustStatistics Part() {
  v1::TrustStatistics trust;
  trust.set_voxels(1000);
  trust.set_estimate_squares(100);
  trust.set_spread_squares(1);
  trust.set_compared_voxels(1000);
  trust.set_classical_squares(400);
  trust.set_difference_squares(16);
  trust.set_patches(50);
  trust.set_strange_patches(5);
  trust.set_strangeness(1.5);
  return trust;
}

TEST(AddTrust, SumsAreThoseOfAllTiles) {
  v1::TrustStatistics total;
  v1::TrustStatistics stranger = Part();
  stranger.set_strangeness(2.5);
  AddTrust(Part(), total);
  AddTrust(stranger, total);
  AddTrust(Part(), total);
  EXPECT_EQ(total.voxels(), 3000U);
  EXPECT_EQ(total.estimate_squares(), 300);
  EXPECT_EQ(total.spread_squares(), 3);
  EXPECT_EQ(total.compared_voxels(), 3000U);
  EXPECT_EQ(total.classical_squares(), 1200);
  EXPECT_EQ(total.difference_squares(), 48);
  EXPECT_EQ(total.patches(), 150U);
  EXPECT_EQ(total.strange_patches(), 15U);
  EXPECT_EQ(total.strangeness(), 2.5) << "that of the strangest";
}

TEST(TrustFindings, TellTheSharesOfTheResult) {
  v1::DeconvolveSpec spec;
  spec.set_classical_method("rl");
  const std::vector<v1::Finding> findings = TrustFindings(spec, Part());
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_THAT(findings[0].message(), HasSubstr("differs from that of `rl` by 20 %"));
  EXPECT_EQ(findings[0].info().metadata().at("difference"), "0.2");
  EXPECT_THAT(findings[1].message(), HasSubstr("spread of the models' result is 10 %"));
  EXPECT_EQ(findings[1].info().metadata().at("spread"), "0.1");
}

TEST(TrustFindings, WarnOfImagesUnlikeTheTraining) {
  v1::TrustStatistics trust = Part();
  v1::Finding finding = TrustFindings({}, trust).back();
  EXPECT_EQ(finding.severity(), v1::INFO) << "one of ten is not too many";
  EXPECT_THAT(finding.message(), HasSubstr("10.0 % of the image's patches are unlike those"));
  EXPECT_THAT(finding.message(), HasSubstr("1.5 times the threshold"));
  trust.set_strange_patches(6);
  finding = TrustFindings({}, trust).back();
  EXPECT_EQ(finding.severity(), v1::WARNING);
  EXPECT_EQ(finding.info().reason(), v1::BAD_MODEL);
  EXPECT_EQ(finding.info().metadata().at("strange"), "0.12");
  EXPECT_THAT(finding.info().remedy(), HasSubstr("Do not trust"));
}

TEST(TrustFindings, SayThatLikenessIsNotKnown) {
  v1::TrustStatistics trust = Part();
  trust.set_patches(0);
  trust.set_strange_patches(0);
  const v1::Finding finding = TrustFindings({}, trust).back();
  EXPECT_EQ(finding.severity(), v1::INFO);
  EXPECT_THAT(finding.message(), HasSubstr("is not known"));
}

TEST(TrustFindings, SayNothingOfWhatIsNotKnown) {
  EXPECT_THAT(TrustFindings({}, {}), IsEmpty());
  v1::TrustStatistics dark;
  dark.set_compared_voxels(10);
  const std::vector<v1::Finding> findings = TrustFindings({}, dark);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].info().metadata().at("difference"), "0") << "of a result without light";
  dark.set_difference_squares(3);
  EXPECT_THAT(TrustFindings({}, dark)[0].message(), HasSubstr("has light where that of"));
  EXPECT_EQ(TrustFindings({}, dark)[0].info().metadata().at("difference"), "inf");
}

}  // namespace
}  // namespace deconvoy::server
