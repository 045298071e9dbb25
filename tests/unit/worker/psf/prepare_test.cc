#include "worker/psf/prepare.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

constexpr Shape3 kImage{200, 200, 200};

size_t At(const Shape3& s, int64_t z, int64_t y, int64_t x) {
  return static_cast<size_t>((z * s.y + y) * s.x + x);
}

// A Gaussian of standard deviation 1.5, 1, 1 around `c`, which may lie between voxels.
std::vector<float> Gaussian(const Shape3& s, double cz, double cy, double cx) {
  std::vector<float> values(static_cast<size_t>(s.voxels()));
  for (int64_t z = 0; z < s.z; ++z) {
    for (int64_t y = 0; y < s.y; ++y) {
      for (int64_t x = 0; x < s.x; ++x) {
        const double dz = (static_cast<double>(z) - cz) / 1.5, dy = static_cast<double>(y) - cy,
                     dx = static_cast<double>(x) - cx;
        values[At(s, z, y, x)] = static_cast<float>(1000 * std::exp(-0.5 * (dz * dz + dy * dy + dx * dx)));
      }
    }
  }
  return values;
}

PsfOptions Options(v1::PsfCentre rule = v1::AUTO_CENTRE, double energy = 0.999) {
  PsfOptions options;
  options.rule = rule;
  options.energy = energy;
  options.image = kImage;
  return options;
}

PsfAnalysis Analyse(const std::vector<float>& values, const Shape3& shape, const PsfOptions& options) {
  auto analysis = AnalysePsf(values, shape, 0, options);
  EXPECT_OK(analysis);
  return analysis.ok() ? *analysis : PsfAnalysis{};
}

std::vector<float> Cut(const std::vector<float>& values, const Shape3& shape, const Box3& box) {
  std::vector<float> part(static_cast<size_t>(box.shape.voxels()));
  CopyBox(std::as_bytes(std::span(values)).data(), {{}, shape}, std::as_writable_bytes(std::span(part)).data(), box,
          sizeof(float));
  return part;
}

PreparedPsf Prepare(const std::vector<float>& values, const Shape3& shape, const v1::PsfReport& report) {
  auto psf = PreparePsf(Cut(values, shape, PsfBoxToRead(report, shape)), shape, report);
  EXPECT_OK(psf);
  return psf.ok() ? *psf : PreparedPsf{};
}

// --- bad PSFs ---

void ExpectBad(const std::vector<float>& values, const Shape3& shape, const std::string& words) {
  const auto analysis = AnalysePsf(values, shape, 2, Options());
  ASSERT_FALSE(analysis.ok());
  EXPECT_EQ(ReasonOf(analysis.status()), v1::BAD_PSF);
  EXPECT_THAT(std::string(analysis.status().message()), HasSubstr(words));
  EXPECT_THAT(std::string(analysis.status().message()), HasSubstr("channel 2"));
}

TEST(AnalysePsf, RefusesNaNAndInfinityWithCountAndPlace) {
  std::vector<float> values(2 * 3 * 4, 1);
  values[At({2, 3, 4}, 1, 0, 2)] = std::numeric_limits<float>::quiet_NaN();
  values[At({2, 3, 4}, 1, 2, 3)] = std::numeric_limits<float>::infinity();
  ExpectBad(values, {2, 3, 4}, "NaN or infinite voxels: 2, the first at z=1 y=0 x=2");
}

TEST(AnalysePsf, RefusesZerosAndSumsThatAreNotPositive) {
  ExpectBad(std::vector<float>(27, 0), {3, 3, 3}, "zero everywhere");
  std::vector<float> values(27, -1);
  values[13] = 26;
  ExpectBad(values, {3, 3, 3}, "has the sum 0");
  values[13] = 20;
  ExpectBad(values, {3, 3, 3}, "has the sum -6");
}

// --- the centre ---

struct CentreCase {
  Shape3 shape;
  double z, y, x;  // of the Gaussian
  v1::PsfCentre asked;
  Voxel centre;
  v1::PsfCentre rule;
};

class PsfCentres : public ::testing::TestWithParam<CentreCase> {};

TEST_P(PsfCentres, FollowTheRule) {
  const CentreCase& c = GetParam();
  const PsfAnalysis analysis = Analyse(Gaussian(c.shape, c.z, c.y, c.x), c.shape, Options(c.asked));
  EXPECT_EQ(ToVoxel(analysis.report.centre()), c.centre);
  EXPECT_EQ(analysis.report.rule(), c.rule);
  EXPECT_EQ(ToVoxel(analysis.report.shift()), (c.centre - Voxel{c.shape.z / 2, c.shape.y / 2, c.shape.x / 2}));
}

INSTANTIATE_TEST_SUITE_P(Rules, PsfCentres,
                         ::testing::Values(
                             // Odd: both conventions are the same voxel.
                             CentreCase{{11, 11, 11}, 5, 5, 5, v1::AUTO_CENTRE, {5, 5, 5}, v1::GEOMETRIC},
                             // Even: the maximum decides, a tie is n/2.
                             CentreCase{{12, 12, 12}, 6, 6, 6, v1::AUTO_CENTRE, {6, 6, 6}, v1::GEOMETRIC},
                             CentreCase{{12, 12, 12}, 5, 5, 5, v1::AUTO_CENTRE, {5, 5, 5}, v1::GEOMETRIC_LOW},
                             CentreCase{{12, 12, 12}, 5.5, 5.5, 5.5, v1::AUTO_CENTRE, {6, 6, 6}, v1::GEOMETRIC},
                             // Within one voxel on every axis: still geometric.
                             CentreCase{{11, 11, 11}, 6, 5, 4, v1::AUTO_CENTRE, {5, 5, 5}, v1::GEOMETRIC},
                             // Farther on one axis: the peak.
                             CentreCase{{31, 21, 21}, 22, 10, 10, v1::AUTO_CENTRE, {22, 10, 10}, v1::PEAK},
                             CentreCase{{11, 11, 11}, 7, 5, 5, v1::AUTO_CENTRE, {7, 5, 5}, v1::PEAK},
                             CentreCase{{12, 12, 12}, 5, 5, 5, v1::GEOMETRIC, {6, 6, 6}, v1::GEOMETRIC},
                             CentreCase{{12, 12, 12}, 6, 6, 6, v1::GEOMETRIC_LOW, {5, 5, 5}, v1::GEOMETRIC_LOW},
                             CentreCase{{12, 12, 12}, 7, 4, 5.5, v1::PEAK, {7, 4, 6}, v1::PEAK},
                             CentreCase{{12, 12, 12}, 7, 4.2, 5, v1::CENTROID, {7, 4, 5}, v1::CENTROID}));

TEST(AnalysePsf, PeakIgnoresASecondSpotAndCentroidDoesNot) {
  const Shape3 shape{9, 9, 41};
  std::vector<float> values = Gaussian(shape, 4, 4, 10);
  const std::vector<float> second = Gaussian(shape, 4, 4, 30);
  for (size_t i = 0; i < values.size(); ++i) values[i] += 0.9F * second[i];
  EXPECT_EQ(Analyse(values, shape, Options(v1::PEAK)).report.centre().x(), 10);
  EXPECT_EQ(Analyse(values, shape, Options(v1::CENTROID)).report.centre().x(), 19);
}

TEST(AnalysePsf, GivenCentreIsTakenOrRefusedOutside) {
  const Shape3 shape{9, 9, 9};
  PsfOptions options = Options(v1::GIVEN);
  options.given = {3, 4, 5};
  const PsfAnalysis analysis = Analyse(Gaussian(shape, 4, 4, 4), shape, options);
  EXPECT_EQ(ToVoxel(analysis.report.centre()), (Voxel{3, 4, 5}));
  EXPECT_EQ(analysis.report.rule(), v1::GIVEN);
  options.given = {3, 9, 5};
  const auto outside = AnalysePsf(Gaussian(shape, 4, 4, 4), shape, 0, options);
  EXPECT_EQ(ReasonOf(outside.status()), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(outside.status().message()), HasSubstr("3,9,5"));
}

// --- the crop ---

TEST(AnalysePsf, TellsTheSpreadOfTheLightInTheCrop) {
  const Shape3 shape{3, 1, 9};
  std::vector<float> values(27, 0.0F);
  values[9 + 4] = 2;                  // the centre
  values[9 + 1] = values[9 + 7] = 1;  // three voxels away along x
  values[4] = values[18 + 4] = 2;     // one voxel away along z
  values[9] = -5;                     // counts as zero
  PsfOptions options = Options(v1::GIVEN);
  options.given = {1, 0, 4};
  options.energy = 1;
  const v1::PsfReport report = Analyse(values, shape, options).report;
  EXPECT_NEAR(report.spread_z(), std::sqrt(4.0 / 8), 1e-12);
  EXPECT_EQ(report.spread_y(), 0);
  EXPECT_NEAR(report.spread_x(), std::sqrt(18.0 / 8), 1e-12);
}

TEST(AnalysePsf, CropHoldsTheEnergyAndIsTheLeastAlongEachAxis) {
  const Shape3 shape{41, 41, 41};
  const std::vector<float> values = Gaussian(shape, 20, 20, 20);
  const v1::PsfReport report = Analyse(values, shape, Options()).report;
  EXPECT_GE(report.energy(), 0.999);
  EXPECT_LT(report.crop_shape().x(), 15);
  EXPECT_GT(report.crop_shape().z(), report.crop_shape().x());
  const Box3 box{ToVoxel(report.crop_origin()), ToShape3(report.crop_shape())};
  for (const Voxel& less : {Voxel{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}) {
    const Box3 smaller{box.origin + less,
                       {box.shape.z - 2 * less.z, box.shape.y - 2 * less.y, box.shape.x - 2 * less.x}};
    const std::vector<float> part = Cut(values, shape, smaller);
    EXPECT_LT(std::accumulate(part.begin(), part.end(), 0.0) / std::accumulate(values.begin(), values.end(), 0.0),
              0.999);
  }
}

TEST(AnalysePsf, BoxIsSymmetricAboutAnOffCentrePeakAndZerosStandIn) {
  const Shape3 shape{21, 21, 21};
  const std::vector<float> values = Gaussian(shape, 10, 10, 3);
  const v1::PsfReport report = Analyse(values, shape, Options(v1::PEAK, 1)).report;
  EXPECT_EQ(ToVoxel(report.centre()), (Voxel{10, 10, 3}));
  for (const auto& [origin, extent, centre] : {std::tuple{report.crop_origin().z(), report.crop_shape().z(), 10},
                                               {report.crop_origin().y(), report.crop_shape().y(), 10},
                                               {report.crop_origin().x(), report.crop_shape().x(), 3}}) {
    EXPECT_EQ(extent % 2, 1);
    EXPECT_EQ(origin + extent / 2, centre);
  }
  EXPECT_LT(report.crop_origin().x(), 0);
  const PreparedPsf psf = Prepare(values, shape, report);
  EXPECT_EQ(psf.shape, ToShape3(report.crop_shape()));
  EXPECT_EQ(psf.centre, (Voxel{psf.shape.z / 2, psf.shape.y / 2, psf.shape.x / 2}));
  EXPECT_EQ(psf.values[At(psf.shape, psf.centre.z, psf.centre.y, 0)], 0);
}

std::vector<v1::Finding> Warnings(const PsfAnalysis& analysis) {
  std::vector<v1::Finding> found;
  std::copy_if(analysis.findings.begin(), analysis.findings.end(), std::back_inserter(found),
               [](const v1::Finding& finding) { return finding.severity() == v1::WARNING; });
  return found;
}

TEST(AnalysePsf, IsCutToWhatTheImageCanUseWithAWarningWhereLightIsLost) {
  const Shape3 shape{31, 31, 31};
  PsfOptions options = Options(v1::GEOMETRIC, 1);
  options.image = {4, 100, 1};
  const PsfAnalysis analysis = Analyse(std::vector<float>(31 * 31 * 31, 1), shape, options);
  EXPECT_EQ(ToShape3(analysis.report.crop_shape()), (Shape3{7, 31, 1}));
  EXPECT_NEAR(analysis.report.energy(), 7.0 / (31 * 31), 1e-12);
  const std::vector<v1::Finding> warnings = Warnings(analysis);
  ASSERT_EQ(warnings.size(), 4U);  // and of a PSF that is even: a background, cut off sideways and along z
  EXPECT_THAT(warnings[3].message(), HasSubstr("image of 4x100x1 voxels does; at most 7x199x1 voxels are used, which "
                                               "hold 0.7284 % of its light (asked for: 100 %)"));
  EXPECT_THAT(warnings[3].info().remedy(), HasSubstr("belongs to this image"));
}

TEST(AnalysePsf, AHarmlessCutIsANoteAndACutByHalfAWarning) {
  PsfOptions options = Options(v1::GEOMETRIC, 0.999);
  options.image = {20, 100, 100};
  for (const auto& [planes, severity] : {std::pair{41, v1::INFO}, {77, v1::INFO}, {78, v1::WARNING}}) {
    const Shape3 shape{planes, 9, 9};
    const PsfAnalysis analysis = Analyse(Gaussian(shape, planes / 2, 4, 4), shape, options);
    ASSERT_EQ(analysis.findings.size(), 2U) << planes;
    EXPECT_EQ(analysis.findings[0].severity(), severity) << planes;
    EXPECT_THAT(analysis.findings[0].message(), HasSubstr("at most 39x199x199 voxels are used"));
  }
}

TEST(AnalysePsf, ZerosThatStandInDoNotCountAsUsed) {
  PsfOptions options = Options(v1::GIVEN, 1);
  options.given = {1, 1, 0};
  const PsfAnalysis analysis = Analyse(std::vector<float>(45, 1), {3, 3, 5}, options);
  EXPECT_EQ(ToShape3(analysis.report.crop_shape()), (Shape3{3, 3, 9}));
  EXPECT_THAT(analysis.findings.back().message(), HasSubstr(": 3x3x5 of its 3x3x5 voxels (z,y,x) are used"));
}

TEST(AnalysePsf, SaysWhatIsUsedInVoxelsPercentAndMicrometres) {
  const Shape3 shape{41, 41, 41};
  PsfOptions options = Options(v1::PEAK);
  const std::vector<float> values = Gaussian(shape, 20, 18, 20);
  EXPECT_THAT(Analyse(values, shape, options).findings.back().message(), HasSubstr("a box around the centre"));
  options.voxel = Size(0.2, 0.1, 0.1);
  const PsfAnalysis analysis = Analyse(values, shape, options);
  const v1::Voxel3& used = analysis.report.crop_shape();
  const std::string message = analysis.findings.back().message();
  EXPECT_EQ(analysis.findings.back().severity(), v1::INFO);
  EXPECT_THAT(message,
              HasSubstr(fmt::format("{}x{}x{} of its 41x41x41 voxels (z,y,x) are used: a box of {:.3g} x "
                                    "{:.3g} x {:.3g} um around the centre with 99.9",
                                    used.z(), used.y(), used.x(), static_cast<double>(used.z()) * 0.2,
                                    static_cast<double>(used.y()) * 0.1, static_cast<double>(used.x()) * 0.1)));
  EXPECT_THAT(message, HasSubstr("% of the light; the centre is voxel 20,18,20 by the rule `peak`, 0,-2,0 voxels from "
                                 "the middle of the file"));
}

TEST(AnalysePsf, PeriodicIsNeverCropped) {
  const Shape3 shape{31, 30, 29};
  PsfOptions options = Options();
  options.image = {4, 4, 4};
  options.periodic = true;
  const PsfAnalysis analysis = Analyse(Gaussian(shape, 15, 15, 14), shape, options);
  EXPECT_EQ(ToVoxel(analysis.report.crop_origin()), (Voxel{}));
  EXPECT_EQ(ToShape3(analysis.report.crop_shape()), shape);
  EXPECT_EQ(analysis.report.energy(), 1);
}

TEST(AnalysePsf, AnswersAlikeEveryTime) {
  const Shape3 shape{24, 26, 28};
  const std::vector<float> values = Gaussian(shape, 11.3, 13.2, 14.4);
  EXPECT_EQ(Analyse(values, shape, Options()).report.SerializeAsString(),
            Analyse(values, shape, Options()).report.SerializeAsString());
}

// --- negative values ---

TEST(AnalysePsf, NegativeValuesCountAsZeroAndAreSaidWithTheirShare) {
  const Shape3 shape{9, 9, 9};
  std::vector<float> values(9 * 9 * 9, 0);
  values[At(shape, 4, 4, 4)] = 90;
  values[At(shape, 4, 4, 5)] = 10;
  values[At(shape, 4, 4, 3)] = -5;
  const PsfAnalysis analysis = Analyse(values, shape, Options(v1::GEOMETRIC));
  ASSERT_FALSE(analysis.findings.empty());
  EXPECT_EQ(analysis.findings[0].severity(), v1::WARNING);
  EXPECT_THAT(analysis.findings[0].message(), HasSubstr("5 %"));
  EXPECT_DOUBLE_EQ(analysis.report.sum(), 100);
  const PreparedPsf psf = Prepare(values, shape, analysis.report);
  for (float v : psf.values) EXPECT_GE(v, 0);
  EXPECT_FLOAT_EQ(psf.values[At(psf.shape, psf.centre.z, psf.centre.y, psf.centre.x)], 0.9F);
}

// --- applying a report ---

TEST(PreparePsf, HasSumOneAndTheGivenCentre) {
  const Shape3 shape{24, 26, 28};
  const std::vector<float> values = Gaussian(shape, 12, 13, 14);
  const v1::PsfReport report = Analyse(values, shape, Options()).report;
  const PreparedPsf psf = Prepare(values, shape, report);
  EXPECT_NEAR(std::accumulate(psf.values.begin(), psf.values.end(), 0.0), 1, 1e-6);
  const auto peak = std::max_element(psf.values.begin(), psf.values.end()) - psf.values.begin();
  EXPECT_EQ(static_cast<size_t>(peak), At(psf.shape, psf.centre.z, psf.centre.y, psf.centre.x));
}

TEST(PreparePsf, RefusesVoxelsThatWereNotAnalysed) {
  const Shape3 shape{9, 9, 9};
  std::vector<float> values = Gaussian(shape, 4, 4, 4);
  const v1::PsfReport report = Analyse(values, shape, Options(v1::AUTO_CENTRE, 1)).report;
  values[At(shape, 4, 4, 4)] *= 1.1F;
  EXPECT_EQ(ReasonOf(PreparePsf(Cut(values, shape, PsfBoxToRead(report, shape)), shape, report).status()), v1::BAD_PSF);
}

// --- the facts of what is used ---

TEST(KeepUsed, LeavesThePreparedPsfWithoutTheZerosThatStandIn) {
  const Shape3 shape{9, 14, 17};
  std::vector<float> values = Gaussian(shape, 2, 4, 13.5);
  for (float& v : values) v -= 1e-3F;
  const v1::PsfReport report = Analyse(values, shape, Options(v1::PEAK)).report;
  const PreparedPsf prepared = Prepare(values, shape, report);
  const Box3 inside = PsfBoxToRead(report, shape);
  ASSERT_LT(inside.shape.voxels(), prepared.shape.voxels());
  ASSERT_LT(inside.shape.voxels(), shape.voxels());
  const Box3 in_prepared{inside.origin - ToVoxel(report.crop_origin()), inside.shape};
  KeepUsed(shape, report, values);
  EXPECT_EQ(values, Cut(prepared.values, prepared.shape, in_prepared));
  const PsfFacts whole = MeasurePsf(prepared.values, prepared.shape, prepared.centre),
                 facts = MeasurePsf(values, inside.shape, ToVoxel(report.centre()) - inside.origin);
  for (size_t axis = 0; axis < 3; ++axis) {
    EXPECT_DOUBLE_EQ(facts.axes[axis].fwhm, whole.axes[axis].fwhm) << axis;
    EXPECT_NEAR(facts.axes[axis].at_cutoff, whole.axes[axis].at_cutoff, 1e-12) << axis;
    EXPECT_NEAR(facts.axes[axis].at_half_cutoff, whole.axes[axis].at_half_cutoff, 1e-12) << axis;
  }
}

// --- background and voxels of another size ---

// As AnalysePsf leaves them.
struct Adapted {
  PsfAnalysis analysis;
  std::vector<float> values;
  Shape3 shape;
};

Adapted Adapt(std::vector<float> values, Shape3 shape, const PsfOptions& options) {
  auto analysis = AnalysePsf(values, shape, 0, options);
  EXPECT_OK(analysis);
  return {analysis.ok() ? *analysis : PsfAnalysis{}, std::move(values), shape};
}

std::string InfoText(const PsfAnalysis& analysis) {
  std::string text;
  for (const v1::Finding& finding : analysis.findings) {
    if (finding.severity() == v1::INFO) text += finding.message() + '\n';
  }
  return text;
}

TEST(AnalysePsf, TakesABackgroundOffWhereAsked) {
  const Shape3 shape{21, 25, 25};
  const std::vector<float> clean = Gaussian(shape, 10, 12, 12);
  std::vector<float> values = clean;
  for (float& v : values) v += 100;
  EXPECT_EQ(Warnings(Analyse(values, shape, Options())).size(), 1U) << "a background";
  PsfOptions options = Options();
  options.background = PsfBackground::kAuto;
  const Adapted adapted = Adapt(values, shape, options);
  EXPECT_NEAR(adapted.analysis.report.background(), 100, 0.1);
  EXPECT_EQ(Warnings(adapted.analysis).size(), 0U);
  EXPECT_THAT(InfoText(adapted.analysis),
              HasSubstr("a background of 100 was taken off its values, 98.2 % of their sum"));
  const PreparedPsf psf = Prepare(values, shape, adapted.analysis.report);
  const PreparedPsf expected = Prepare(clean, shape, Analyse(clean, shape, Options()).report);
  ASSERT_EQ(psf.shape, expected.shape);
  for (size_t i = 0; i < psf.values.size(); ++i) EXPECT_NEAR(psf.values[i], expected.values[i], 1e-5);
  options.background = PsfBackground::kGiven;
  options.background_level = 40;
  EXPECT_EQ(Adapt(values, shape, options).analysis.report.background(), 40);
}

TEST(AnalysePsf, ABackgroundAboveEverythingIsABadPsf) {
  Shape3 shape{9, 9, 9};
  std::vector<float> values = Gaussian(shape, 4, 4, 4);
  PsfOptions options = Options();
  options.background = PsfBackground::kGiven;
  options.background_level = 2000;
  EXPECT_EQ(ReasonOf(AnalysePsf(values, shape, 0, options).status()), v1::BAD_PSF);
}

TEST(AnalysePsf, TellsThePsfAtTheImagesVoxels) {
  const Shape3 shape{31, 41, 41};
  const std::vector<float> values = Gaussian(shape, 14, 20, 20);
  PsfOptions options = Options(v1::PEAK);
  options.voxel = Size(0.1, 0.1, 0.1);
  options.steps = {1.5, 0.5, 0.5};
  const Adapted adapted = Adapt(values, shape, options);
  const v1::PsfReport& report = adapted.analysis.report;
  EXPECT_EQ(ToVoxel(report.centre()), (Voxel{14, 20, 20})) << "in voxels of the given PSF";
  EXPECT_EQ(ToVoxel(report.shift()), (Voxel{-1, 0, 0}));
  EXPECT_EQ(report.step_z(), 1.5);
  EXPECT_EQ(PsfOriginOf(report), (Voxel{9, 40, 40}));
  EXPECT_EQ(adapted.shape, (Shape3{20, 81, 81}));
  const double to_fwhm = 2 * std::sqrt(2 * std::log(2.0));
  EXPECT_NEAR(report.fwhm_z(), std::hypot(1.5, std::sqrt(1.25 / 12)) * to_fwhm / 1.5, 0.15);
  EXPECT_NEAR(report.fwhm_x(), to_fwhm / 0.5, 0.15);
  EXPECT_THAT(InfoText(adapted.analysis), HasSubstr("um)")) << "widths";
  ASSERT_EQ(Warnings(adapted.analysis).size(), 1U);
  EXPECT_THAT(
      Warnings(adapted.analysis)[0].message(),
      HasSubstr("its voxels of 0.1 x 0.1 x 0.1 um (z,y,x) become the image's of 0.15 x 0.05 x 0.05 um; 31x41x41 "
                "voxels become 20x81x81"));
  const PreparedPsf psf = Prepare(values, shape, report);
  EXPECT_EQ(psf.shape, ToShape3(report.crop_shape()));
  EXPECT_EQ(psf.centre, (Voxel{psf.shape.z / 2, psf.shape.y / 2, psf.shape.x / 2}));
  EXPECT_NEAR(std::accumulate(psf.values.begin(), psf.values.end(), 0.0), 1, 1e-6);
  std::vector<float> kept = adapted.values;
  KeepUsed(adapted.shape, report, kept);
  EXPECT_NEAR(std::accumulate(kept.begin(), kept.end(), 0.0), 1, 1e-6);
  EXPECT_FLOAT_EQ(*std::max_element(kept.begin(), kept.end()), *std::max_element(psf.values.begin(), psf.values.end()));
}

TEST(AnalysePsf, APeriodicPsfIsToldAsAWhole) {
  const Shape3 shape{11, 21, 21};
  const std::vector<float> values = Gaussian(shape, 5, 10, 10);
  PsfOptions options = Options();
  options.periodic = true;
  options.steps = {1, 2, 2};
  const v1::PsfReport report = Adapt(values, shape, options).analysis.report;
  const PreparedPsf psf = Prepare(values, shape, report);
  EXPECT_EQ(psf.shape, (Shape3{11, 11, 11}));
  EXPECT_EQ(psf.centre, (Voxel{5, 5, 5}));
}

// --- a PSF whose light lies elsewhere in its file ---

TEST(PreparePsf, ByItsCentroidAShiftedPsfIsTheSameAndByTheMiddleItIsShifted) {
  const Shape3 shape{25, 33, 35};
  const std::vector<float> here = Gaussian(shape, 12, 16, 17), there = Gaussian(shape, 12, 19, 12);
  const v1::PsfReport first = Analyse(here, shape, Options(v1::CENTROID)).report;
  const PsfAnalysis moved = Analyse(there, shape, Options(v1::CENTROID));
  EXPECT_EQ(ToVoxel(moved.report.shift()), (Voxel{0, 3, -5}));
  EXPECT_THAT(InfoText(moved), HasSubstr("0,3,-5 voxels from the middle of the file"));
  const PreparedPsf a = Prepare(here, shape, first), b = Prepare(there, shape, moved.report);
  ASSERT_EQ(a.shape, b.shape);
  EXPECT_EQ(a.centre, b.centre);
  for (size_t i = 0; i < a.values.size(); ++i) EXPECT_NEAR(a.values[i], b.values[i], 1e-7);
  const PsfAnalysis geometric = Analyse(there, shape, Options(v1::GEOMETRIC));
  EXPECT_EQ(ToVoxel(geometric.report.shift()), (Voxel{}));
  EXPECT_THAT(InfoText(geometric), HasSubstr("in the middle of the file"));
  ASSERT_EQ(Warnings(geometric).size(), 1U);
  EXPECT_THAT(Warnings(geometric)[0].message(),
              HasSubstr("its light lies 0,3,-5 voxels (z,y,x) from the centre that the rule `geometric` gives: the "
                        "result comes out shifted by 0,-3,5 voxels"));
  const PreparedPsf c = Prepare(there, shape, geometric.report);
  const auto peak = std::max_element(c.values.begin(), c.values.end()) - c.values.begin();
  EXPECT_EQ(static_cast<size_t>(peak), At(c.shape, c.centre.z, c.centre.y + 3, c.centre.x - 5));
}

}  // namespace
}  // namespace deconvoy::worker
