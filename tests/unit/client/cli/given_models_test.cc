// Models that are given as files, in whole commands.
#include "client/cli/given_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// As a safetensors file begins; the fake's workers take it for a model.
std::string Weights(const std::string& text) {
  const std::string header = R"({"__metadata__":{"text":")" + text + R"("}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  return file + header;
}

class GivenModelsTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    std::filesystem::current_path(folder_.path());
    Write("RLN gfp.safetensors", Weights("gfp"));
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    ProgramTest::TearDown();
  }

  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(File(name), std::ios::binary) << bytes;
    return File(name);
  }
  Result Apply(const std::vector<std::string>& networks, const std::string& verb = "run") {
    std::vector<std::string> arguments = {verb, File("raw.tif"), "--psf", File("psf.tif"), "--method", "network"};
    if (verb == "run") arguments.insert(arguments.end(), {"-o", File("out.tif")});
    for (const std::string& network : networks) arguments.insert(arguments.end(), {"--network", network});
    return Served(arguments);
  }
  std::vector<std::string> ModelsOfLast() const {
    const v1::JobSpec last = service_.submitted().back();
    return {last.deconvolve().models().begin(), last.deconvolve().models().end()};
  }
  std::vector<std::string> Library() const {
    std::vector<std::string> names;
    for (const auto& [name, model] : service_.models()) names.push_back(name);
    return names;
  }
  void SetMethods(const std::string& unavailable) {
    v1::Method network, classical;
    network.set_name("network");
    network.set_needs_models(true);
    network.set_unavailable(unavailable);
    network.add_boundaries(v1::EXTEND);
    classical.set_name("rl");
    classical.add_boundaries(v1::EXTEND);
    v1::Method splitting = classical;
    splitting.set_name("pnp-admm");
    splitting.set_takes_denoiser(true);
    service_.SetMethods({network, classical, splitting});
  }

 private:
  const std::filesystem::path before_ = std::filesystem::current_path();
};

TEST_F(GivenModelsTest, AFileIsSentOnceAndStaysInTheLibrary) {
  const Result first = Apply({"./RLN gfp.safetensors"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("RLN gfp.safetensors is kept as models/rln-gfp@1"));
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/rln-gfp/versions/1"));
  EXPECT_THAT(service_.submitted(), SizeIs(2)) << "a check, and the deconvolution";
  EXPECT_THAT(service_.jobs(), IsEmpty());
  EXPECT_THAT(service_.volumes(), SizeIs(1)) << "the model's";
  const int sent = service_.calls("Volumes.Create");

  const Result second = Apply({File("RLN gfp.safetensors")});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("RLN gfp.safetensors is in the library, as models/rln-gfp@1"));
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/rln-gfp/versions/1"));
  EXPECT_THAT(service_.submitted(), SizeIs(3));
  EXPECT_EQ(service_.calls("Volumes.Create"), 2 * sent - 1) << "image and PSF, but no model";
  EXPECT_THAT(Library(), ElementsAre("models/rln-gfp/versions/1"));
}

TEST_F(GivenModelsTest, WhateverItIsCalledAndHoweverOldItIs) {
  for (const char* text : {"one", "two", "three"}) {
    ASSERT_EQ(Served({"models", "import", "other", Write("other", Weights(text))}).code, 0);
  }
  const Result older = Apply({Write("mine.safetensors", Weights("two")), "other@3"});
  ASSERT_EQ(older.code, 0) << older.err;
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/other/versions/2", "models/other/versions/3"));
  EXPECT_EQ(service_.calls("Models.Create"), 3);
}

TEST_F(GivenModelsTest, AnotherFileOfTheNameIsTheNextVersion) {
  std::filesystem::create_directory(File("new"));
  const Result both = Apply({File("RLN gfp.safetensors"), Write("new/rln-gfp.safetensors", Weights("new"))});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/rln-gfp/versions/1", "models/rln-gfp/versions/2"));
}

TEST_F(GivenModelsTest, SubmittedJobsAndDenoisersTakeFilesToo) {
  SetMethods("");
  const Result submitted = Apply({"./RLN gfp.safetensors"}, "submit");
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/rln-gfp/versions/1"));
  EXPECT_THAT(service_.jobs(), SizeIs(1)) << "without the check";
  const Result denoised = RunJob({"--method", "pnp-admm", "--network", Write("clean.safetensors", Weights("clean"))});
  ASSERT_EQ(denoised.code, 0) << denoised.err;
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/clean/versions/1"));
}

TEST_F(GivenModelsTest, APreflightLeavesNothing) {
  const Result accepted = Apply({"./RLN gfp.safetensors"}, "preflight");
  EXPECT_EQ(accepted.code, 0) << accepted.err;
  EXPECT_EQ(service_.calls("Models.Create"), 1);
  EXPECT_THAT(Library(), IsEmpty());
  EXPECT_THAT(service_.volumes(), IsEmpty());
  ASSERT_EQ(Served({"models", "import", "known", File("RLN gfp.safetensors")}).code, 0);
  EXPECT_EQ(Apply({"./RLN gfp.safetensors"}, "preflight").code, 0);
  EXPECT_THAT(Library(), ElementsAre("models/known/versions/1")) << "that was there before";
}

TEST_F(GivenModelsTest, WhatIsNoModelIsRefusedBeforeAnythingIsSent) {
  struct Case {
    std::string network;
    int code;
    std::string says;
  };
  const std::string pickle = "\x80\x02}q.", zip = "PK\3\4" + std::string(100, 'x');
  for (const Case& wrong : std::vector<Case>{
           {"./gone.safetensors", 3, "give --network gone where a model of the server's library is meant"},
           {"models/Gone", 3, "there is no file models/Gone"},
           {".", 2, "gives no name"},
           {Write("empty.safetensors", ""), 3, "does not begin as a safetensors file does"},
           {Write("text.safetensors", "a text of more than eight bytes"), 3, "does not begin"},
           {Write("cut.safetensors", Weights("cut").substr(0, 20)), 3, "does not begin"},
           {Write("net.pt", pickle), 3, "a pickle"},
           {Write("script.pt", zip), 3, "have an administrator keep it with `deconvoy models import script-pt FILE"},
           {Write("60x.safetensors", Weights("60x")), 2, "gives no name"}}) {
    for (const char* verb : {"run", "submit", "preflight"}) {
      const Result refused = Apply({wrong.network}, verb);
      EXPECT_EQ(refused.code, wrong.code) << verb << " " << wrong.network << ": " << refused.err;
      EXPECT_THAT(refused.err, HasSubstr(wrong.says)) << verb << " " << wrong.network;
    }
  }
  std::filesystem::create_directory(File("planes"));
  const Result stream = Served({"stream", File("planes"), "--shape", "1,1,3", "--psf", File("psf.tif"), "-o",
                                File("out.tif"), "--method", "network", "--network", "./gone.safetensors"});
  EXPECT_EQ(stream.code, 3);
  EXPECT_THAT(stream.err, HasSubstr("there is no file"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  EXPECT_EQ(service_.calls("Models.List"), 0);
}

TEST_F(GivenModelsTest, OneThatAWorkerRefusesIsTakenAway) {
  service_.SetOutcome(MakeError({.reason = v1::BAD_MODEL}, "the array 'a' is missing"));
  const Result refused = Apply({"./RLN gfp.safetensors"});
  EXPECT_EQ(refused.code, 3) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("RLN gfp.safetensors: "));
  EXPECT_THAT(refused.err, HasSubstr("the array 'a' is missing"));
  EXPECT_THAT(service_.volumes(), IsEmpty());
  EXPECT_THAT(service_.jobs(), IsEmpty());
  EXPECT_EQ(service_.calls("Models.Create"), 0);
}

TEST_F(GivenModelsTest, ANameIsTheLibrarysAndAPathTheFiles) {
  ASSERT_EQ(Served({"models", "import", "both", Write("library", Weights("library"))}).code, 0);
  Write("both", Weights("file"));
  std::filesystem::create_directory(File("models"));
  Write("models/both", Weights("deep"));
  for (const char* name : {"both", "models/both"}) {
    const Result named = Apply({name});
    ASSERT_EQ(named.code, 0) << named.err;
    EXPECT_THAT(ModelsOfLast(), ElementsAre("models/both")) << name;
  }
  ASSERT_EQ(Apply({"./both"}).code, 0);
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/both/versions/2"));
  ASSERT_EQ(Apply({"./models/both"}).code, 0);
  EXPECT_THAT(ModelsOfLast(), ElementsAre("models/both/versions/3"));
}

TEST_F(GivenModelsTest, ANameThatIsMissingSaysWhereItsFileIs) {
  Write("rln.safetensors", Weights("rln"));
  const Result missing = Apply({"rln"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, HasSubstr("Give --network ./rln.safetensors"));
  const Result nowhere = Apply({"care"});
  EXPECT_EQ(nowhere.code, 3);
  EXPECT_THAT(nowhere.err, Not(HasSubstr("./")));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(GivenModelsTest, WithoutAWorkerThatRunsModelsNothingIsSent) {
  SetMethods("this worker was built without LibTorch");
  for (const char* method : {"network", "pnp-admm"}) {
    const Result refused = RunJob({"--method", method, "--network", "./RLN gfp.safetensors"});
    EXPECT_EQ(refused.code, 7) << refused.err;
    EXPECT_THAT(refused.err, HasSubstr("no worker can run models: this worker was built without LibTorch")) << method;
  }
  SetMethods("");
  const Result classical = RunJob({"--method", "rl", "--network", "./RLN gfp.safetensors"});
  EXPECT_EQ(classical.code, 2) << classical.err;
  EXPECT_THAT(classical.err, HasSubstr("the method 'rl' uses no model"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

}  // namespace
}  // namespace deconvoy::client
