#include "proto/contract/optics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;

OpticsList List(std::initializer_list<double> apertures) {
  OpticsList list;
  for (const double na : apertures) {
    v1::Optics& optics = *list.Add();
    optics.set_na(na);
    optics.set_emission_um(0.52);
  }
  return list;
}

TEST(Optics, NoneAndSensibleOnesAreValid) {
  EXPECT_OK(ValidateOptics({}, v1::MICROSCOPY_UNSPECIFIED, "deconvolve"));
  EXPECT_OK(ValidateOptics(List({1.4}), v1::MICROSCOPY_UNSPECIFIED, "deconvolve"));
  EXPECT_OK(ValidateOptics(List({1.4, 1.2}), v1::WIDEFIELD, "deconvolve"));
}

TEST(Optics, WhatCanBeNoMicroscopeIsRefusedByItsField) {
  const absl::Status one = ValidateOptics(List({14}), v1::WIDEFIELD, "deconvolve");
  EXPECT_EQ(ReasonOf(one), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(one).field(), "deconvolve.optics.na");
  EXPECT_FALSE(InfoOf(one).remedy().empty());
  const absl::Status second = ValidateOptics(List({1.4, 0}), v1::WIDEFIELD, "check_psf");
  EXPECT_EQ(InfoOf(second).field(), "check_psf.optics.na");
  EXPECT_THAT(std::string(second.message()), HasSubstr("channel 1"));
  const absl::Status lacks = ValidateOptics(List({1.4}), v1::CONFOCAL, "deconvolve");
  EXPECT_EQ(InfoOf(lacks).field(), "deconvolve.optics.excitation_um");
}

TEST(Optics, AKindOfMicroscopeNeedsOptics) {
  EXPECT_EQ(InfoOf(ValidateOptics({}, v1::CONFOCAL, "deconvolve")).field(), "deconvolve.microscopy");
  EXPECT_EQ(InfoOf(ValidateOptics(List({1.4}), static_cast<v1::Microscopy>(99), "deconvolve")).field(),
            "deconvolve.microscopy");
}

TEST(Optics, ThereIsOneForAllChannelsOrOneForEach) {
  EXPECT_OK(ValidateOpticsCount({}, 3, "image", "deconvolve"));
  EXPECT_OK(ValidateOpticsCount(List({1}), 3, "image", "deconvolve"));
  EXPECT_OK(ValidateOpticsCount(List({1, 1, 1}), 3, "image", "deconvolve"));
  const absl::Status two = ValidateOpticsCount(List({1, 1}), 3, "image", "deconvolve");
  EXPECT_EQ(ReasonOf(two), v1::SHAPE_MISMATCH);
  EXPECT_EQ(std::string(two.message()), "there are optics of 2 channels, but the image has 3");
}

TEST(Optics, AreThoseOfTheirChannel) {
  EXPECT_EQ(OpticsOf({}, 1), nullptr);
  const OpticsList one = List({1.4}), two = List({1.4, 1.2});
  EXPECT_EQ(OpticsOf(one, 5)->na(), 1.4);
  EXPECT_EQ(OpticsOf(two, 1)->na(), 1.2);
}

}  // namespace
}  // namespace deconvoy
