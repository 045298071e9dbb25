#include "proto/contract/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;

v1::Parameter* Add(v1::Method& method, const std::string& name, v1::ParameterType type, const std::string& fallback) {
  v1::Parameter* parameter = method.add_parameters();
  parameter->set_name(name);
  parameter->set_type(type);
  parameter->set_default_value(fallback);
  return parameter;
}

v1::Method Example() {
  v1::Method method;
  method.set_name("rl");
  method.set_bytes_per_padded_voxel(17);
  v1::Parameter* iterations = Add(method, "iterations", v1::INTEGER, "30");
  iterations->set_minimum(1);
  iterations->set_maximum(10000);
  v1::Parameter* floor = Add(method, "floor", v1::REAL, "1e-3");
  floor->set_minimum(0);
  floor->set_maximum(0.5);
  Add(method, "verbose", v1::BOOLEAN, "false");
  v1::Parameter* acceleration = Add(method, "acceleration", v1::CHOICE, "heavy-ball");
  acceleration->add_choices()->set_name("none");
  v1::ParameterChoice* heavy_ball = acceleration->add_choices();
  heavy_ball->set_name("heavy-ball");
  heavy_ball->set_extra_bytes_per_padded_voxel(4);
  return method;
}

TEST(Parameters, DefaultsAreFilledIn) {
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(Example(), {}));
  EXPECT_EQ(parameters.Integer("iterations"), 30);
  EXPECT_DOUBLE_EQ(parameters.Real("floor"), 1e-3);
  EXPECT_FALSE(parameters.Boolean("verbose"));
  EXPECT_EQ(parameters.Choice("acceleration"), "heavy-ball");
  EXPECT_EQ(parameters.texts().size(), 4U);
  EXPECT_EQ(parameters.texts().at("floor"), "1e-3");
}

TEST(Parameters, OnlyAnAutomaticParameterMayBeAuto) {
  v1::Method method = Example();
  const absl::Status refused = ResolveParameters(method, {{"iterations", "auto"}}).status();
  EXPECT_EQ(ReasonOf(refused), v1::INVALID_FIELD);
  EXPECT_THAT(InfoOf(refused).remedy(), ::testing::Not(HasSubstr("auto")));
  method.mutable_parameters(0)->set_automatic(true);
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(method, {{"iterations", "auto"}}));
  EXPECT_TRUE(parameters.IsAuto("iterations"));
  EXPECT_FALSE(parameters.IsAuto("floor"));
  EXPECT_EQ(parameters.texts().at("iterations"), "auto");
  ASSERT_OK_AND_ASSIGN(const Parameters given, ResolveParameters(method, {{"iterations", "7"}}));
  EXPECT_FALSE(given.IsAuto("iterations"));
  const absl::Status wrong = ResolveParameters(method, {{"iterations", "automatic"}}).status();
  EXPECT_THAT(InfoOf(wrong).remedy(), HasSubstr("a whole number from 1 to 10000, or `auto`"));
}

TEST(MethodMemory, AutomaticIterationsTakeRoomForWhatIsHeldOut) {
  v1::Method method = Example();
  method.mutable_parameters(0)->set_automatic(true);
  const MethodMemory given = MemoryOf(method, ResolveParameters(method, {}).value());
  const MethodMemory found = MemoryOf(method, ResolveParameters(method, {{"iterations", "auto"}}).value());
  EXPECT_EQ(found.millibytes_per_padded_voxel, given.millibytes_per_padded_voxel + 8'000);
  EXPECT_EQ(found.millibytes_per_measured_voxel, given.millibytes_per_measured_voxel + 12'000);
}

TEST(Parameters, GivenValuesReplaceDefaults) {
  ASSERT_OK_AND_ASSIGN(
      const Parameters parameters,
      ResolveParameters(Example(),
                        {{"iterations", "10000"}, {"floor", "0.5"}, {"verbose", "true"}, {"acceleration", "none"}}));
  EXPECT_EQ(parameters.Integer("iterations"), 10000);
  EXPECT_DOUBLE_EQ(parameters.Real("floor"), 0.5);
  EXPECT_TRUE(parameters.Boolean("verbose"));
  EXPECT_EQ(parameters.Choice("acceleration"), "none");
}

struct Refusal {
  std::string name, text;
  v1::ErrorReason reason;
};

TEST(Parameters, RefusesWrongTypesAndRanges) {
  const std::vector<Refusal> refusals{{"iterations", "0", v1::PARAMETER_OUT_OF_RANGE},
                                      {"iterations", "10001", v1::PARAMETER_OUT_OF_RANGE},
                                      {"iterations", "-5", v1::PARAMETER_OUT_OF_RANGE},
                                      {"iterations", "many", v1::INVALID_FIELD},
                                      {"iterations", "10.5", v1::INVALID_FIELD},
                                      {"iterations", "", v1::INVALID_FIELD},
                                      {"iterations", "10 ", v1::INVALID_FIELD},
                                      {"iterations", "0x10", v1::INVALID_FIELD},
                                      {"iterations", "99999999999999999999", v1::INVALID_FIELD},
                                      {"floor", "-1e-9", v1::PARAMETER_OUT_OF_RANGE},
                                      {"floor", "0.51", v1::PARAMETER_OUT_OF_RANGE},
                                      {"floor", "nan", v1::INVALID_FIELD},
                                      {"floor", "inf", v1::INVALID_FIELD},
                                      {"floor", "0,1", v1::INVALID_FIELD},
                                      {"floor", "1e999", v1::INVALID_FIELD},
                                      {"verbose", "yes", v1::INVALID_FIELD},
                                      {"verbose", "TRUE", v1::INVALID_FIELD},
                                      {"acceleration", "nesterov", v1::PARAMETER_OUT_OF_RANGE},
                                      {"acceleration", "", v1::PARAMETER_OUT_OF_RANGE}};
  for (const Refusal& refusal : refusals) {
    const absl::Status status = ResolveParameters(Example(), {{refusal.name, refusal.text}}).status();
    EXPECT_EQ(ReasonOf(status), refusal.reason) << refusal.name << "=" << refusal.text;
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.parameters[\"" + refusal.name + "\"]");
  }
}

TEST(Parameters, ErrorsSayWhatIsAllowed) {
  const auto message = [](const std::string& name, const std::string& text) {
    return std::string(ResolveParameters(Example(), {{name, text}}).status().message());
  };
  EXPECT_EQ(message("iterations", "0"), "parameter `iterations` is `0`, but must be a whole number from 1 to 10000");
  EXPECT_EQ(message("floor", "7"), "parameter `floor` is `7`, but must be a number from 0 to 0.5");
  EXPECT_THAT(message("acceleration", "x"), HasSubstr("one of `none`, `heavy-ball`"));
  EXPECT_THAT(message("verbose", "x"), HasSubstr("`true` or `false`"));
}

TEST(Parameters, UnknownNamesAreRefusedWithTheNearest) {
  const absl::Status status = ResolveParameters(Example(), {{"iteration", "3"}}).status();
  EXPECT_EQ(ReasonOf(status), v1::UNKNOWN_PARAMETER);
  EXPECT_EQ(InfoOf(status).remedy(), "Did you mean `iterations`?");
  EXPECT_EQ(InfoOf(status).field(), "deconvolve.parameters[\"iteration\"]");
  const absl::Status far = ResolveParameters(Example(), {{"lambda_tv", "3"}}).status();
  EXPECT_THAT(InfoOf(far).remedy(), HasSubstr("iterations, floor, verbose, acceleration"));
}

TEST(Parameters, AMethodWithABadDescriptionIsAnErrorNotACrash) {
  v1::Method method = Example();
  method.mutable_parameters(0)->set_default_value("lots");
  EXPECT_EQ(ReasonOf(ResolveParameters(method, {}).status()), v1::INVALID_FIELD);
  method.mutable_parameters(0)->set_default_value("30");
  method.mutable_parameters(0)->set_maximum(std::nan(""));
  EXPECT_EQ(ReasonOf(ResolveParameters(method, {}).status()), v1::PARAMETER_OUT_OF_RANGE);
  method.mutable_parameters(0)->set_type(v1::PARAMETER_TYPE_UNSPECIFIED);
  EXPECT_EQ(ReasonOf(ResolveParameters(method, {}).status()), v1::INVALID_FIELD);
}

TEST(Parameters, AParameterDescribedTwiceIsRefused) {
  v1::Method method = Example();
  Add(method, "iterations", v1::BOOLEAN, "true");
  EXPECT_EQ(ReasonOf(ResolveParameters(method, {}).status()), v1::INVALID_FIELD);
}

TEST(ParametersDeathTest, AskingForWhatIsNotDeclaredEndsTheProgram) {
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(Example(), {}));
  EXPECT_DEATH(parameters.Real("no_such"), "");
  EXPECT_DEATH(parameters.Real("iterations"), "");
  EXPECT_DEATH(parameters.Choice("verbose"), "");
}

TEST(MemoryOf, AddsWhatTheChoiceNeeds) {
  v1::Method method = Example();
  method.set_bytes_per_measured_voxel(4.5);
  method.set_bytes_per_weight(4);
  ASSERT_OK_AND_ASSIGN(const Parameters plain, ResolveParameters(method, {{"acceleration", "none"}}));
  ASSERT_OK_AND_ASSIGN(const Parameters heavy_ball, ResolveParameters(method, {}));
  EXPECT_EQ(MemoryOf(method, plain).millibytes_per_padded_voxel, 17'000);
  EXPECT_EQ(MemoryOf(method, heavy_ball).millibytes_per_padded_voxel, 21'000);
  EXPECT_EQ(MemoryOf(method, plain).millibytes_per_measured_voxel, 4'500);
  EXPECT_EQ(MemoryOf(method, plain).bytes_per_weight, 4);
  EXPECT_EQ(MemoryOf(method, plain).result_bytes_per_measured_voxel, 8);
  EXPECT_EQ(MemoryOf(method, plain, /*residual=*/true).result_bytes_per_measured_voxel, 12);
}

TEST(MemoryOf, BoundsWhatNoMachineHas) {
  v1::Method method;
  method.set_bytes_per_padded_voxel(1.6768e246);
  method.set_bytes_per_measured_voxel(-1);
  const MethodMemory memory = MemoryOf(method, {});
  EXPECT_EQ(memory.millibytes_per_padded_voxel, 1'000'000'000'000'000);
  EXPECT_EQ(memory.millibytes_per_measured_voxel, 0);
  method.set_bytes_per_padded_voxel(std::nan(""));
  EXPECT_EQ(MemoryOf(method, {}).millibytes_per_padded_voxel, 1'000'000'000'000'000);
}

}  // namespace
}  // namespace deconvoy
