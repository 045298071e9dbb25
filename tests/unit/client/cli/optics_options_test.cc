#include "client/cli/options/optics_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/model_psf.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<v1::ModelPsfSpec> ParseModel(const std::string& line) {
  CLI::App verb;
  PsfModelOptions options;
  AddPsfModelOptions(verb, options);
  try {
    verb.parse(line);
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what());
  }
  EXPECT_EQ(options.given(), !line.empty());
  v1::ModelPsfSpec spec;
  const absl::Status status = SetPsfModel(options, spec);
  if (!status.ok()) return status;
  return spec;
}

TEST(PsfModelOptionsTest, WithoutThemItIsVectorialAndIdeal) {
  ASSERT_OK_AND_ASSIGN(const v1::ModelPsfSpec spec, ParseModel(""));
  EXPECT_EQ(spec.model(), v1::RICHARDS_WOLF);
  EXPECT_EQ(spec.optics().zernike_size(), 0);
}

TEST(PsfModelOptionsTest, EveryModelHasItsName) {
  EXPECT_EQ(ParseModel("--model richards-wolf")->model(), v1::RICHARDS_WOLF);
  EXPECT_EQ(ParseModel("--model debye")->model(), v1::DEBYE);
  EXPECT_EQ(ParseModel("--model gibson-lanni")->model(), v1::GIBSON_LANNI);
  EXPECT_EQ(ParseModel("--model born-wolf")->model(), v1::BORN_WOLF);
  EXPECT_EQ(ParseModel("--model gaussian")->model(), v1::GAUSSIAN);
  EXPECT_EQ(PsfModelName(v1::GIBSON_LANNI), "gibson-lanni");
  EXPECT_EQ(PsfModelName(v1::PSF_MODEL_UNSPECIFIED), "richards-wolf");
}

TEST(PsfModelOptionsTest, AberrationsArrive) {
  ASSERT_OK_AND_ASSIGN(const v1::ModelPsfSpec spec, ParseModel("--zernike 8=0.05,11=-0.1"));
  ASSERT_EQ(spec.optics().zernike_size(), 2);
  double coma = 0, spherical = 0;
  for (const v1::ZernikeTerm& term : spec.optics().zernike()) (term.noll() == 8 ? coma : spherical) = term.rms_waves();
  EXPECT_EQ(coma, 0.05);
  EXPECT_EQ(spherical, -0.1);
}

TEST(PsfModelOptionsTest, WrongUseIsSaid) {
  EXPECT_EQ(ExitCodeOf(ParseModel("--model airy").status()), ExitCode::kUsage);
  for (const char* text : {"8.5=0.1", "coma=0.1", "8=much", "8"}) {
    const absl::Status status = ParseModel(std::string("--zernike ") + text).status();
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kUsage) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("--zernike")) << text;
  }
}

}  // namespace
}  // namespace deconvoy::client
