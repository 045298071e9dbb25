// What every method of the registry refuses: values beyond what its description says, with the range or the choices.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "tests/support/test_support.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

void ExpectRefused(const v1::Method& method, const v1::Parameter& parameter, const std::string& text,
                   v1::ErrorReason reason) {
  SCOPED_TRACE(fmt::format("{} {}={}", method.name(), parameter.name(), text));
  const absl::Status status = ResolveParameters(method, {{parameter.name(), text}}).status();
  EXPECT_EQ(ReasonOf(status), reason) << status;
  EXPECT_EQ(InfoOf(status).field(), fmt::format("deconvolve.parameters[\"{}\"]", parameter.name()));
  EXPECT_THAT(std::string(status.message()), HasSubstr(parameter.name()));
}

TEST(MethodParameters, NumbersBeyondTheirRangeAreRefused) {
  for (const Method* method : AllMethods()) {
    const v1::Method& d = method->description();
    for (const v1::Parameter& parameter : d.parameters()) {
      if (parameter.type() != v1::REAL && parameter.type() != v1::INTEGER) continue;
      ASSERT_LT(parameter.minimum(), parameter.maximum()) << d.name() << " " << parameter.name();
      const bool whole = parameter.type() == v1::INTEGER;
      const double step = whole ? 1 : 1e-3;
      for (const double value : {parameter.minimum() - step, parameter.maximum() * 1.001 + 1}) {
        ExpectRefused(d, parameter, whole ? fmt::format("{:.0f}", value) : fmt::format("{}", value),
                      v1::PARAMETER_OUT_OF_RANGE);
      }
      EXPECT_FALSE(ResolveParameters(d, {{parameter.name(), "nan"}}).ok()) << d.name() << " " << parameter.name();
      EXPECT_FALSE(ResolveParameters(d, {{parameter.name(), "inf"}}).ok()) << d.name() << " " << parameter.name();
      EXPECT_OK(ResolveParameters(d, {{parameter.name(), parameter.default_value()}}));
    }
  }
}

TEST(MethodParameters, UnknownChoicesAreRefusedWithThoseThereAre) {
  for (const Method* method : AllMethods()) {
    const v1::Method& d = method->description();
    for (const v1::Parameter& parameter : d.parameters()) {
      if (parameter.type() == v1::BOOLEAN) ExpectRefused(d, parameter, "maybe", v1::INVALID_FIELD);
      if (parameter.type() != v1::CHOICE) continue;
      ExpectRefused(d, parameter, "db4", v1::PARAMETER_OUT_OF_RANGE);
      const absl::Status status = ResolveParameters(d, {{parameter.name(), "db4"}}).status();
      for (const v1::ParameterChoice& choice : parameter.choices()) {
        EXPECT_THAT(std::string(status.message()) + InfoOf(status).remedy(), HasSubstr(choice.name()));
      }
    }
  }
}

TEST(MethodParameters, MethodsThatTakeADenoiserAreMadeWithOne) {
  int taken = 0;
  for (const Method* method : AllMethods()) {
    const v1::Method& d = method->description();
    const auto with = MethodWithDenoiser(d.name(), *AllDenoisers().front());
    ASSERT_EQ(with != nullptr, d.takes_denoiser()) << d.name();
    if (with == nullptr) continue;
    EXPECT_EQ(with->description().name(), d.name());
    ++taken;
  }
  EXPECT_GT(taken, 0);
}

TEST(MethodParameters, EveryMethodThatIteratesHasABound) {
  int found = 0;
  for (const Method* method : AllMethods()) {
    for (const v1::Parameter& parameter : method->description().parameters()) {
      if (parameter.name() != "iterations") continue;
      ++found;
      EXPECT_EQ(parameter.minimum(), 1);
      ExpectRefused(method->description(), parameter, "0", v1::PARAMETER_OUT_OF_RANGE);
      ExpectRefused(method->description(), parameter, "1000000000", v1::PARAMETER_OUT_OF_RANGE);
    }
  }
  EXPECT_GE(found, 10);
}

// Before anything is computed: no PSF of sum 1 bears such a step.
TEST(MethodParameters, StepsThatGrowWithoutLimitAreRefusedAtOnce) {
  int found = 0;
  for (const Method* method : AllMethods()) {
    const v1::Method& d = method->description();
    const auto has = [&](std::string_view name) {
      return std::ranges::any_of(d.parameters(), [&](const auto& parameter) { return parameter.name() == name; });
    };
    if (!has("step") || d.name() == "van-cittert") continue;  // its bound is that of its range
    ++found;
    const auto refused = [&](const std::map<std::string, std::string>& given) {
      const auto parameters = ResolveParameters(d, given);
      EXPECT_OK(parameters);
      return InfoOf(method->Review(*parameters, PsfFacts{}).status()).field() == "deconvolve.parameters[\"step\"]";
    };
    EXPECT_TRUE(refused({{"step", "2"}})) << d.name();
    EXPECT_FALSE(refused({{"step", "0.9"}})) << d.name();
    if (!has("acceleration")) continue;
    EXPECT_TRUE(refused({{"step", "1.5"}, {"acceleration", "nesterov"}})) << d.name();
  }
  EXPECT_EQ(found, 8);
}

// What each method's defaults are, it takes.
TEST(MethodParameters, DefaultsGoTogether) {
  for (const Method* method : AllMethods()) {
    const auto parameters = ResolveParameters(method->description(), {});
    ASSERT_OK(parameters);
    EXPECT_TRUE(method->Review(*parameters, PsfFacts{}).ok()) << method->description().name();
  }
}

absl::Status OnFrame(const std::string& method, const std::map<std::string, std::string>& given, double at_corner,
                     const Shape3& frame) {
  const Method& known = *FindMethod(method);
  const auto parameters = ResolveParameters(known.description(), given);
  EXPECT_OK(parameters);
  PsfFacts psf;
  psf.at_corner = at_corner;
  return known.ReviewFrame(*parameters, psf, frame);
}

// What is wrong with every tile is said before the first one.
TEST(MethodParameters, WhatAFrameCannotHaveIsRefusedWithTheBound) {
  for (const char* method : {"ista", "fista"}) {
    EXPECT_OK(OnFrame(method, {{"scales", "2"}}, 0, {6, 10, 12}));
    const absl::Status scales = OnFrame(method, {{"scales", "4"}}, 0, {6, 10, 12});
    EXPECT_EQ(InfoOf(scales).field(), "deconvolve.parameters[\"scales\"]") << scales;
    EXPECT_NE(InfoOf(scales).remedy().find("at most 2"), std::string::npos) << InfoOf(scales).remedy();
  }
  // w^4 is 9 pi^4 = 876.7 at the highest frequency of a stack, 4 pi^4 = 389.6 at that of a plane.
  for (const char* method : {"tikhonov-miller", "ictm"}) {
    const std::map<std::string, std::string> given = {{"lambda", "0.1"}, {"step", "0.03"}};
    const absl::Status step = OnFrame(method, given, 0.5, {6, 10, 12});
    EXPECT_EQ(InfoOf(step).field(), "deconvolve.parameters[\"step\"]") << step;
    EXPECT_NE(InfoOf(step).remedy().find("below 0.02275"), std::string::npos) << InfoOf(step).remedy();
    EXPECT_OK(OnFrame(method, given, 0.5, {1, 10, 12}));
    std::map<std::string, std::string> fast = given;
    fast["acceleration"] = "nesterov";
    const absl::Status halved = OnFrame(method, fast, 0.5, {6, 10, 12});
    EXPECT_NE(InfoOf(halved).remedy().find("at most 0.01137"), std::string::npos) << InfoOf(halved).remedy();
    fast["step"] = "0.0113";
    EXPECT_OK(OnFrame(method, fast, 0.5, {6, 10, 12}));
    EXPECT_OK(OnFrame(method, {{"lambda", "0.1"}, {"step", "0"}}, 0.5, {6, 10, 12}));
  }
}

}  // namespace
}  // namespace deconvoy::worker
