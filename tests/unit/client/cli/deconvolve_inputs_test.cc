#include "client/cli/deconvolve_inputs.h"

#include <gtest/gtest.h>

#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

TEST(ResultSpec, ViewsThatBecomeOneTakeTheRoomOfOne) {
  DeconvolveInputs inputs;
  v1::VolumeSpec& image = inputs.image.spec;
  *image.mutable_shape() = ToProto(Shape5{2, 3, 4, 5, 6});
  image.set_type(v1::U16);
  for (int i = 0; i < 3; ++i) image.add_channels();
  v1::DeconvolveSpec deconvolve;
  EXPECT_EQ(ResultSpec(inputs, deconvolve).shape().c(), 3U) << "the method is not known";
  inputs.method.emplace();
  EXPECT_EQ(ResultSpec(inputs, deconvolve).shape().c(), 3U);
  inputs.method->set_joins_channels(true);
  deconvolve.set_output_type(v1::F32);
  const v1::VolumeSpec joined = ResultSpec(inputs, deconvolve);
  EXPECT_EQ(joined.shape().c(), 1U);
  EXPECT_EQ(joined.shape().t(), 2U);
  EXPECT_EQ(joined.channels_size(), 0);
  EXPECT_EQ(joined.type(), v1::F32);
}

}  // namespace
}  // namespace deconvoy::client
