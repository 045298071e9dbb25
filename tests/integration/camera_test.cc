// What a camera and its lamp do to an image, found and mended from the command line to the result.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "tests/integration/support/process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

constexpr Shape3 kShape{40, 96, 96};
constexpr Sigma kPsf{2, 1.5, 1.5};
constexpr double kBackground = 10, kGain = 0.5, kReadNoise = 2, kOffset = 100;
constexpr size_t kPlane = 96 * 96;

// Of the light of all planes, those of the last have 60 %.
double Fades(size_t z) {
  return std::pow(0.6, static_cast<double>(z) / 39);
}

// The corners of the field see half of the light.
double Field(size_t pixel) {
  const double y = static_cast<double>(pixel / 96) / 47.5 - 1, x = static_cast<double>(pixel % 96) / 47.5 - 1;
  return 1 - 0.25 * (y * y + x * x);
}

// Beads all over the volume, so that all planes have about as much light, and their image with a camera's noise: as it
// should be, and with all faults.
struct Scene {
  Scene() {
    const std::vector<Bead> beads = RandomBeads(kShape, 3000, 1500, {0, 4, 4}, 7);
    truth = Truth(beads, kShape);
    const std::vector<double> photons = Blurred(beads, kShape, kPsf);
    std::vector<double> faded = photons, field(kPlane);
    for (size_t i = 0; i < faded.size(); ++i) {
      faded[i] = ((photons[i] * Fades(i / kPlane)) + kBackground) * Field(i % kPlane) - kBackground;
    }
    for (size_t i = 0; i < kPlane; ++i) field[i] = 1000 * Field(i);
    Save("good", Noisy(photons, kBackground, 8));
    std::vector<double> faulty = Noisy(faded, kBackground, 9);
    for (const size_t pixel : kHot) {
      for (size_t z = 0; z < 40; ++z) faulty[z * kPlane + pixel] += 150;
    }
    Save("faulty", faulty);
    SaveStacks(Path("psf"), 1, 1, {13, 11, 11}, 0.2, {GaussianPsf({13, 11, 11}, kPsf.z, kPsf.y, kPsf.x)});
    EXPECT_OK(SaveImage(Path("flat"), MakeSpec({1, 1, 1, 96, 96}, v1::F32), field));
  }

  fs::path Path(const std::string& name) const { return folder.path() / (name + ".ome.tif"); }

  // As counts of a camera.
  void Save(const std::string& name, std::vector<double> photons) const {
    std::mt19937_64 random(11);
    std::normal_distribution<double> noise(0, kReadNoise);
    for (double& v : photons) v = std::round((v + noise(random)) / kGain + kOffset);
    EXPECT_OK(SaveImage(Path(name), MakeSpec({1, 1, kShape.z, kShape.y, kShape.x}, v1::U16), photons));
  }

  CliResult Run(const std::string& name, const std::vector<std::string>& options) const {
    return RunCli(With({"run", Path(name).string(), "--psf", Path("psf").string(), "--local", "-o",
                        Path("out").string(), "--offset", "100"},
                       options),
                  folder.path());
  }
  std::vector<double> Result(const std::string& name, const std::vector<std::string>& options) const {
    const CliResult result = Run(name, options);
    EXPECT_EQ(result.exit.code, 0) << result.err;
    const auto image = LoadImage(Path("out"));
    EXPECT_OK(image.status());
    return image.ok() ? image->voxels : std::vector<double>();
  }
  std::vector<std::string> Mended() const {
    return {"--gain", "0.5", "--read-noise", "2", "--bleaching", "correct", "--flat-field", Path("flat").string()};
  }

  static constexpr std::array<size_t, 3> kHot = {20 * 96 + 30, 60 * 96 + 61, 80 * 96 + 5};
  TemporaryFolder folder;
  std::vector<double> truth;
};

// Light of the last ten planes over that of the first ten.
double LastOverFirst(const std::vector<double>& volume) {
  const auto first = Planes(volume, kShape, 0, 10), last = Planes(volume, kShape, 30, 40);
  return Sum(last) / Sum(first);
}

TEST(CameraTest, AFaultyImageGivesNearlyWhatAGoodOneGives) {
  const Scene scene;
  const std::vector<double> good = scene.Result("good", {"--gain", "0.5", "--read-noise", "2"});
  const std::vector<double> mended = scene.Result("faulty", scene.Mended());
  const std::vector<double> left =
      scene.Result("faulty", {"--gain", "0.5", "--read-noise", "2", "--bad-pixels", "off"});
  RecordProperty("correlation", std::to_string(Correlation(good, scene.truth)) + " of the good image, " +
                                    std::to_string(Correlation(mended, scene.truth)) + " mended, " +
                                    std::to_string(Correlation(left, scene.truth)) + " as it is");
  const double best = Correlation(good, scene.truth), worst = Correlation(left, scene.truth);
  EXPECT_GT(Correlation(mended, scene.truth), (best + worst) / 2) << "nearer to the good image's result";
  EXPECT_NEAR(LastOverFirst(mended) / LastOverFirst(scene.truth), 1, 0.15) << "a specimen's own shape is in the fit";
  EXPECT_LT(LastOverFirst(left) / LastOverFirst(scene.truth), 0.8);
  EXPECT_LT(*std::max_element(mended.begin(), mended.end()), 1.5 * *std::max_element(good.begin(), good.end()));
}

TEST(CameraTest, TilesAgreeWithTheWhole) {
  const Scene scene;
  const std::vector<double> whole = scene.Result("faulty", With(scene.Mended(), {"--tile", "none"}));
  const std::vector<double> tiles = scene.Result("faulty", With(scene.Mended(), {"--tile", "40,48,48"}));
  EXPECT_LE(NrmseOfRange(tiles, whole), 1e-3);
}

TEST(CameraTest, MethodsThatNeedEveryVoxelDoToo) {
  const Scene scene;
  const std::vector<double> mended = scene.Result("faulty", With(scene.Mended(), {"--method", "wiener"}));
  const std::vector<double> left =
      scene.Result("faulty", {"--gain", "0.5", "--read-noise", "2", "--bad-pixels", "off", "--method", "wiener"});
  EXPECT_GT(Correlation(mended, scene.truth), Correlation(left, scene.truth) + 0.05);
}

TEST(CameraTest, GainIsEstimatedAndAllIsKeptWithTheJob) {
  const Scene scene;
  const CliResult result =
      scene.Run("faulty", {"--gain", "auto", "--flat-field", scene.Path("flat").string(), "--json"});
  ASSERT_EQ(result.exit.code, 0) << result.err;
  nlohmann::json job;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json event = nlohmann::json::parse(line);
    if (event.value("event", "") == "result") job = event.at("job");
  }
  const nlohmann::json& channel = job.at("channels").at(0);
  EXPECT_NEAR(channel.at("gain_photons_per_count").get<double>(), kGain, 0.05 * kGain) << channel;
  EXPECT_NEAR(channel.at("read_noise_photons").get<double>(), kReadNoise, 0.15 * kReadNoise) << channel;
  EXPECT_EQ(channel.at("bad_pixels"), nlohmann::json(Scene::kHot));
  EXPECT_GT(channel.at("flat_field_mean").get<double>(), 0);
  EXPECT_NE(job.dump().find("the light falls evenly by"), std::string::npos) << "it is said, though not corrected";
}

// Each plane has two photons of background more than the one before.
TEST(CameraTest, ABackgroundThatRisesIsTakenOffPlaneByPlane) {
  const Scene scene;
  ASSERT_OK_AND_ASSIGN(const Image good, LoadImage(scene.Path("good")));
  std::vector<double> rising = good.voxels;
  std::mt19937_64 random(17);
  std::string given;
  for (size_t z = 0; z < 40; ++z) {
    const double more = 2 * static_cast<double>(z);
    std::poisson_distribution<int> light(more);
    for (size_t i = z * kPlane; i < (z + 1) * kPlane && z > 0; ++i) rising[i] += std::round(light(random) / kGain);
    given += (z > 0 ? "," : "") + std::to_string((kBackground + more) / kGain);
  }
  EXPECT_OK(SaveImage(scene.Path("rising"), MakeSpec({1, 1, 40, 96, 96}, v1::U16), rising));
  const std::vector<std::string> camera = {"--gain", "0.5", "--read-noise", "2"};
  const std::vector<double> one = scene.Result("rising", camera);
  const std::vector<double> told = scene.Result("rising", With(camera, {"--background", given}));
  const std::vector<double> estimated = scene.Result("rising", With(camera, {"--background", "planes"}));
  const double expected = LastOverFirst(scene.truth);
  EXPECT_GT(LastOverFirst(one) / expected, 2) << "the background of the last planes counts as light";
  EXPECT_NEAR(LastOverFirst(told) / expected, 1, 0.1);
  EXPECT_NEAR(LastOverFirst(estimated) / expected, 1, 0.15) << "light is in the darkest parts of every plane";
  EXPECT_GT(Correlation(told, scene.truth), Correlation(one, scene.truth));
  EXPECT_GT(Correlation(estimated, scene.truth), Correlation(one, scene.truth));
  const CliResult said = scene.Run("rising", With(camera, {"--background", "planes"}));
  EXPECT_NE(said.err.find("background of channel 0, estimated for each plane: "), std::string::npos) << said.err;
  const CliResult few = scene.Run("rising", With(camera, {"--background", "20,21,22"}));
  EXPECT_EQ(few.exit.code, 3);
  EXPECT_NE(few.err.find("backgrounds are given for 3 planes, but the image has 40"), std::string::npos) << few.err;
}

// The planes from the 28th on have jumped.
TEST(CameraTest, AJumpBetweenPlanesIsCorrectedOnRequest) {
  const Scene scene;
  ASSERT_OK_AND_ASSIGN(const Image good, LoadImage(scene.Path("good")));
  std::vector<double> moved = good.voxels;
  for (size_t i = 28 * kPlane; i < moved.size(); ++i) {
    const size_t y = i / 96 % 96, x = i % 96;
    moved[i] = good.voxels[i / kPlane * kPlane + (y + 96 - 3) % 96 * 96 + (x + 5) % 96];
  }
  EXPECT_OK(SaveImage(scene.Path("moved"), MakeSpec({1, 1, 40, 96, 96}, v1::U16), moved));
  const std::vector<std::string> camera = {"--gain", "0.5", "--read-noise", "2"};
  const std::vector<double> expected = scene.Result("good", camera), left = scene.Result("moved", camera);
  const std::vector<double> corrected = scene.Result("moved", With(camera, {"--motion", "correct"}));
  EXPECT_GT(Correlation(corrected, expected), 0.97);
  EXPECT_LT(Correlation(left, expected), 0.8);
  const std::vector<double> tiles = scene.Result("moved", With(camera, {"--motion", "correct", "--tile", "40,48,48"}));
  EXPECT_LE(NrmseOfRange(tiles, corrected), 1e-3);
  const CliResult said = scene.Run("moved", With(camera, {"--motion", "correct"}));
  EXPECT_NE(said.err.find("at 1 place, most at plane 28, by "), std::string::npos) << said.err;
  const CliResult refused = scene.Run("moved", With(camera, {"--motion", "correct", "--boundary", "periodic"}));
  EXPECT_EQ(refused.exit.code, 2);
  EXPECT_NE(refused.err.find("--motion correct needs --boundary extend"), std::string::npos) << refused.err;
}

TEST(CameraTest, AGoodImageRaisesNothing) {
  const Scene scene;
  const CliResult result = scene.Run("good", {"--gain", "0.5", "--read-noise", "2"});
  EXPECT_EQ(result.exit.code, 0);
  for (const char* word : {"bad pixel", "stand out", "evenly", "flicker", "displaced", "drift"}) {
    EXPECT_EQ((result.out + result.err).find(word), std::string::npos) << word << "\n" << result.out << result.err;
  }
}

TEST(CameraTest, SaysWhyItRefuses) {
  const Scene scene;
  const CliResult shape = scene.Run("good", {"--flat-field", scene.Path("psf").string()});
  EXPECT_NE(shape.exit.code, 0);
  EXPECT_NE(shape.err.find("the flat field has"), std::string::npos) << shape.err;
  const CliResult gain = scene.Run("good", {"--gain", "some"});
  EXPECT_EQ(gain.exit.code, 2);
}

}  // namespace
}  // namespace deconvoy::testing
