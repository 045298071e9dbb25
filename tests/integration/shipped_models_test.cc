// The models of deploy/models, as a user applies them: what they are worth, and what jobs tell of images that they are
// not for. SKIPPED where the worker was built without LibTorch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ShippedModels : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start()) << server_.Log();
    const CliResult network = Do({"methods", "network", "--json"});
    const std::string unavailable = LastJson(network.out).value("unavailable", "");
    if (!unavailable.empty()) GTEST_SKIP() << unavailable;
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }
  static std::string Shipped(const std::string& name) { return (SourceDir() / "deploy/models" / name).string(); }

  // A verb that must succeed.
  CliResult Do(const std::vector<std::string>& arguments) const {
    CliResult result = server_.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << arguments[0] << " " << arguments[1] << ": " << result.err << server_.Log();
    return result;
  }
  // A specimen in the folder of its name, 300 photons at the brightest voxel of its image and 10 of background.
  void Simulate(const std::string& name, const std::string& kind, const std::string& psf,
                const std::vector<std::string>& more = {"--photons", "300", "--background", "10"},
                const std::string& shape = "48,160,160") const {
    Do(With({"simulate", "-o", File(name), "--shape", shape, "--kind", kind, "--seed", "301", "--psf", psf,
             "--voxel-um", "0.2,0.1,0.1", "--read-noise", "0", "--offset", "0"},
            more));
  }
  // The job as JSON.
  nlohmann::json Deconvolve(const std::string& name, const std::string& output, const std::string& psf,
                            const std::vector<std::string>& how, const std::string& background = "10") const {
    return LastJson(Do(With({"run", File(name + "/raw.ome.tif"), "--psf", psf, "-o", File(output), "--offset", "0",
                             "--background", background, "--json"},
                            how))
                        .out)["job"];
  }
  nlohmann::json ApplyRln(const std::string& name, const std::string& psf, const std::string& background = "10") const {
    return Deconvolve(name, "out.tif", psf, {"--method", "network", "--network", Shipped("rln-widefield.safetensors")},
                      background);
  }
  nlohmann::json Compare(const std::string& file, const std::string& with) const {
    const CliResult compared = RunCli({"compare", File(file), File(with), "--json"}, folder_.path());
    EXPECT_EQ(compared.exit.code, 0) << compared.err;
    return LastJson(compared.out);
  }

  static std::vector<std::string> Warnings(const nlohmann::json& job) {
    std::vector<std::string> messages;
    for (const auto& finding : job["findings"]) {
      if (finding["severity"] == "WARNING") messages.push_back(finding["message"]);
    }
    return messages;
  }
  // Standard deviations of the noise that a voxel of the image is away from H x + b, root of the mean squares.
  static double Residual(const nlohmann::json& job) {
    const auto& quality = job["result"]["quality"];
    return std::sqrt(quality["residual_squares"].get<double>() / quality["voxels"].get<double>());
  }
  static double Bias(const nlohmann::json& job) {
    const auto& quality = job["result"]["quality"];
    return std::abs(quality["residual_sum"].get<double>() / quality["voxels"].get<double>());
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  const std::string psf_ = Shipped("psf.ome.tif");
};

// On kinds that it has learned from, and on filaments, which it has not.
TEST_F(ShippedModels, RlnIsNearerToTheTruthThanTheImageAndTwentyIterations) {
  for (const std::string kind : {"mixed", "nuclei", "shells", "filaments"}) {
    Simulate(kind, kind, psf_);
    Deconvolve(kind, "rl.tif", psf_, {"--method", "rl", "--iterations", "20", "--set", "acceleration=none"});
    ApplyRln(kind, psf_);
    const std::string truth = kind + "/truth.ome.tif";
    const auto image = Compare(kind + "/raw.ome.tif", truth), rl = Compare("rl.tif", truth),
               rln = Compare("out.tif", truth);
    EXPECT_LT(rln["nrmse"], image["nrmse"]) << kind;
    EXPECT_LT(rln["nrmse"], rl["nrmse"]) << kind;
    EXPECT_GT(rln["ncc"], image["ncc"]) << kind;
    EXPECT_GT(rln["ncc"], rl["ncc"]) << kind;
  }
}

TEST_F(ShippedModels, TvIsNearTwoHundredIterations) {
  Simulate("mixed", "mixed", psf_);
  Deconvolve("mixed", "iterations.tif", psf_, {"--method", "rl-tv", "--iterations", "200"});
  Deconvolve("mixed", "pass.tif", psf_, {"--method", "network", "--network", Shipped("tv-widefield.safetensors")});
  const auto pass = Compare("pass.tif", "iterations.tif"), image = Compare("mixed/raw.ome.tif", "iterations.tif");
  EXPECT_GT(pass["ncc"], 0.8);
  EXPECT_GT(pass["ncc"], image["ncc"]);
  EXPECT_LT(pass["relative_l2"], image["relative_l2"]);
}

// Better than total variation as the denoiser of as many iterations, and in tiles about as on the whole.
TEST_F(ShippedModels, TheDenoiserServesPlugAndPlay) {
  Simulate("filaments", "filaments", psf_, {"--photons", "300", "--background", "10"}, "16,64,64");
  const std::vector<std::string> tv = {"--method", "pnp-admm", "--iterations", "10"};
  const std::vector<std::string> learned = With(tv, {"--network", Shipped("dncnn3d-widefield.safetensors")});
  Deconvolve("filaments", "tv.tif", psf_, tv);
  Deconvolve("filaments", "learned.tif", psf_, learned);
  Deconvolve("filaments", "tiled.tif", psf_, With(learned, {"--tile", "16,32,64"}));
  const std::string truth = "filaments/truth.ome.tif";
  const auto image = Compare("filaments/raw.ome.tif", truth), by_tv = Compare("tv.tif", truth),
             by_model = Compare("learned.tif", truth);
  EXPECT_LT(by_model["nrmse"], by_tv["nrmse"]);
  EXPECT_LT(by_model["nrmse"], image["nrmse"]);
  EXPECT_GT(by_model["ncc"], by_tv["ncc"]);
  EXPECT_LT(Compare("tiled.tif", "learned.tif")["relative_l2"], 0.02);
}

TEST_F(ShippedModels, WhatTheyAreForRaisesNoWarning) {
  for (const std::string kind : {"mixed", "nuclei"}) {
    Simulate(kind, kind, psf_);
    const auto job = ApplyRln(kind, psf_);
    EXPECT_THAT(Warnings(job), IsEmpty()) << kind;
    EXPECT_LT(Residual(job), 1.1) << kind;
    EXPECT_LT(Bias(job), 0.2) << kind;
    EXPECT_GT(job["result"]["trust"]["patches"], 0) << kind;
  }
}

TEST_F(ShippedModels, AnotherPsfIsTold) {
  const std::string other = File("other.ome.tif");
  Do({"psf", "generate", "-o", other, "--optics", "na=0.8,ri_immersion=1,emission_um=0.67", "--voxel-um", "0.2,0.1,0.1",
      "--shape", "31,95,95"});
  Simulate("blurred", "mixed", other);
  const auto told = ApplyRln("blurred", other);
  EXPECT_THAT(Warnings(told), Contains(HasSubstr("ANOTHER PSF")));
  EXPECT_GT(Bias(told), 0.5);
  const auto hidden = ApplyRln("blurred", psf_);
  EXPECT_THAT(Warnings(hidden), Contains(AnyOf(HasSubstr("darker than"), HasSubstr("brighter than"))))
      << "the job names the model's PSF, which is not the image's";
  EXPECT_GT(Residual(hidden), 1.2);
}

TEST_F(ShippedModels, NoiseAloneIsTold) {
  Simulate("noise", "points", psf_, {"--photons", "0.01", "--background", "100"});
  const auto job = ApplyRln("noise", psf_, "100");
  EXPECT_THAT(Warnings(job), Contains(HasSubstr("unlike those that the models were trained with")));
  EXPECT_GT(job["result"]["trust"]["strange_patches"].get<double>(),
            0.9 * job["result"]["trust"]["patches"].get<double>());
}

TEST_F(ShippedModels, StructuresNeverSeenAreTold) {
  Simulate("filaments", "filaments", psf_);
  const auto job = ApplyRln("filaments", psf_);
  EXPECT_THAT(Warnings(job), Contains(HasSubstr("the residual is not noise")));
  EXPECT_GT(Residual(job), 1.1);
}

}  // namespace
}  // namespace deconvoy::testing
