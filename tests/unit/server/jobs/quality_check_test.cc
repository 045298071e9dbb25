#include "server/jobs/quality_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "proto/contract/model_spec.h"

namespace deconvoy::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A gain of 0 is not given.
v1::DeconvolveSpec Spec(double gain = 0) {
  v1::DeconvolveSpec spec;
  if (gain > 0) spec.set_gain_photons_per_count(gain);
  return spec;
}

// As it should be: white noise, flat regions a little smoother, faint structures there.
v1::QualityStatistics Good() {
  v1::QualityStatistics quality;
  quality.set_voxels(100'000);
  quality.set_residual_sum(-2'000);
  quality.set_residual_squares(98'000);
  quality.set_neighbours(99'000);
  quality.set_neighbour_products(1'000);
  quality.set_flat_voxels(10'000);
  quality.set_flat_squares_before(1e6);
  quality.set_flat_squares_after(4e5);
  quality.set_faint_voxels(1'000);
  quality.set_faint_light_before(5'000);
  quality.set_faint_light_after(4'500);
  return quality;
}

std::vector<v1::Finding> With(const std::function<void(v1::QualityStatistics&)>& change, double gain = 0) {
  v1::QualityStatistics quality = Good();
  change(quality);
  return CheckQuality(Spec(gain), quality);
}

void ExpectOne(const std::vector<v1::Finding>& findings, const char* message, const char* field) {
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].severity(), v1::WARNING);
  EXPECT_THAT(findings[0].message(), HasSubstr(message));
  EXPECT_EQ(findings[0].info().field(), field);
  EXPECT_FALSE(findings[0].info().remedy().empty());
}

TEST(QualityCheck, AGoodResultIsSilent) {
  EXPECT_THAT(CheckQuality(Spec(), Good()), IsEmpty());
  EXPECT_THAT(CheckQuality(Spec(0.5), Good()), IsEmpty());
  EXPECT_THAT(CheckQuality(Spec(), {}), IsEmpty()) << "frames without light";
}

TEST(QualityCheck, OfAModelNoIterationsAreAskedFor) {
  v1::DeconvolveSpec spec;
  spec.set_method(kNetworkMethod);
  v1::QualityStatistics quality = Good();
  quality.set_faint_light_after(1'000);
  const std::vector<v1::Finding> findings = CheckQuality(spec, quality);
  ExpectOne(findings, "small structures near the background", "deconvolve.background");
  EXPECT_THAT(findings[0].info().remedy(), AllOf(HasSubstr("classical method"), Not(HasSubstr("iterations"))));
}

TEST(QualityCheck, ABiasPointsAtTheBackground) {
  ExpectOne(With([](auto& q) {
              q.set_residual_sum(-60'000);
              q.set_neighbour_products(0.36 * 99'000);  // white about its mean
            }),
            "brighter than the image: the residual's mean is -0.60", "deconvolve.background");
  ExpectOne(With([](auto& q) { q.set_residual_sum(60'000); }), "darker than the image", "deconvolve.background");
}

TEST(QualityCheck, ABiasOfNeighboursThatAlternatePointsAtANarrowPsf) {
  ExpectOne(With([](auto& q) {
              q.set_residual_sum(-25'000);
              q.set_neighbour_products(-3'000);
            }),
            "follows the noise", "deconvolve.psf_volume");
}

TEST(QualityCheck, StructureInTheResidualPointsAtThePsf) {
  ExpectOne(With([](auto& q) { q.set_neighbour_products(49'500); }), "correlate by 0.51", "deconvolve.psf_volume");
  ExpectOne(With([](auto& q) {
              q.set_neighbours_z(99'000);
              q.set_neighbour_products_z(49'500);
            }),
            "correlate by 0.51", "deconvolve.psf_volume");
}

TEST(QualityCheck, HowMuchNoiseIsLeftIsJudgedWhereTheGainIsKnown) {
  const auto loud = [](auto& q) { q.set_residual_squares(400'000); };
  const auto quiet = [](auto& q) { q.set_residual_squares(25'000); };
  ExpectOne(With(loud, 0.5), "2.00 times as much as that of photons", "deconvolve.gain_photons_per_count");
  EXPECT_THAT(With(loud, 0.5)[0].info().remedy(), HasSubstr("gain of 0.125"));
  ExpectOne(With(quiet, 0.5), "only 0.50 times the noise", "deconvolve.parameters");
  ExpectOne(With(quiet, 1), "only 0.50 times the noise", "deconvolve.parameters");
  EXPECT_THAT(With(loud), IsEmpty());
  EXPECT_THAT(With(quiet), IsEmpty());
}

TEST(QualityCheck, AmplifiedNoisePointsAtTheIterations) {
  ExpectOne(With([](auto& q) { q.set_flat_squares_after(4e8); }), "varies 20.0 times as much", "deconvolve.parameters");
}

TEST(QualityCheck, RingsAndLostStructuresAreSaid) {
  ExpectOne(With([](auto& q) { q.set_ring_voxels(1'000); }), "1000 voxels of the result (1 %)", "deconvolve.method");
  ExpectOne(With([](auto& q) { q.set_faint_light_after(500); }), "only 10 % of the light", "deconvolve.background");
  ExpectOne(With([](auto& q) { q.set_faint_light_after(-500); }), "only 0 % of the light", "deconvolve.background");
}

TEST(QualityCheck, OfAnImageWhoseNoiseIsNotWhiteLittleIsSaid) {
  const auto smooth = [](double bias) {
    return [bias](auto& q) {
      q.set_flat_voxels(5'000);
      q.set_flat_squares_after(4e8);
      q.set_faint_light_after(0);
      q.set_residual_sum(bias * 100'000);
      q.set_neighbour_products(80'000);
    };
  };
  EXPECT_THAT(With(smooth(-0.2)), IsEmpty());
  ExpectOne(With(smooth(-0.6)), "brighter than the image", "deconvolve.background");
}

TEST(QualityCheck, RemediesAreThoseThatThereAre) {
  v1::QualityStatistics quality = Good();
  quality.set_residual_sum(-60'000);
  quality.set_neighbour_products(0.36 * 99'000);
  quality.set_flat_squares_after(4e8);
  const auto remedies = [&quality](const v1::DeconvolveSpec& spec) {
    const std::vector<v1::Finding> findings = CheckQuality(spec, quality);
    EXPECT_EQ(findings.size(), 2U);
    return std::pair(findings.at(0).info().remedy(), findings.at(1).info().remedy());
  };
  v1::DeconvolveSpec spec = Spec();
  spec.set_background_auto(true);
  EXPECT_THAT(remedies(spec).first, HasSubstr("Give a lower background"));
  EXPECT_THAT(remedies(spec).second, Not(HasSubstr("iterations")));
  (*spec.mutable_parameters())["iterations"] = "3";
  EXPECT_THAT(remedies(spec).first, HasSubstr("Give more iterations"));
  EXPECT_THAT(remedies(spec).second, HasSubstr("Give fewer iterations"));
  spec.set_background_counts(10);
  EXPECT_THAT(remedies(spec).first, HasSubstr("--background auto"));
}

TEST(QualityCheck, SharesAreThoseOfOneView) {
  v1::QualityStatistics quality = Good();
  quality.set_voxels(200'000);
  quality.set_residual_squares(196'000);
  quality.set_neighbours(198'000);
  quality.set_ring_voxels(150);
  quality.set_flat_squares_after(4e8);
  EXPECT_THAT(CheckQuality(Spec(), quality), IsEmpty());
  const std::vector<v1::Finding> findings = CheckQuality(Spec(), quality, 2);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_THAT(findings[0].message(), HasSubstr("varies 20.0 times as much"));
  EXPECT_THAT(findings[1].message(), HasSubstr("150 voxels of the result (0.15 %)"));
}

TEST(QualityCheck, PlanesBetweenThoseOfTheImageAreNoneOfTheImage) {
  v1::DeconvolveSpec spec = Spec();
  (*spec.mutable_parameters())["axial_upsample"] = "2";
  v1::QualityStatistics quality = Good();
  quality.set_flat_voxels(15'000);  // every other plane of the image was searched
  quality.set_flat_squares_after(4e8);
  quality.set_ring_voxels(150);
  EXPECT_THAT(CheckQuality(spec, quality), IsEmpty());
  quality.set_flat_voxels(25'000);
  quality.set_ring_voxels(250);
  EXPECT_EQ(CheckQuality(spec, quality).size(), 2U);
}

TEST(QualityCheck, FewVoxelsSayNothing) {
  EXPECT_THAT(With([](auto& q) {
                q.set_voxels(1'000);
                q.set_residual_sum(-5'000);
              }),
              IsEmpty());
}

}  // namespace
}  // namespace deconvoy::server
