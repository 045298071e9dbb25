#include "client/cpp/recorded_planes.h"

#include <gmock/gmock.h>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;

constexpr Shape5 kShape{2, 1, 3, 4, 5};
constexpr int64_t kPlaneBytes = 40;

class RecordedPlanesTest : public ::testing::Test {
 protected:
  static PlaneBuffer::Bytes Plane() { return std::make_shared<const std::vector<std::byte>>(kPlaneBytes); }

  // The input as the server tells of it: it has the first planes only.
  static v1::Volume Input(int64_t planes) {
    v1::Volume input;
    input.set_name("volumes/v");
    *input.mutable_spec()->mutable_shape() = ToProto(kShape);
    input.set_committed_bytes(static_cast<uint64_t>(planes * kPlaneBytes));
    for (int64_t i = planes; i < kShape.t * kShape.z; ++i) {
      *input.add_missing() = ToProto(FrameBox{i / kShape.z, 0, {{i % kShape.z, 0, 0}, {1, kShape.y, kShape.x}}});
    }
    return input;
  }

  void SendAll() {
    while (planes_.has_next()) planes_.TakeNext();
  }

  RecordedPlanes planes_{kShape, v1::U16};
};

TEST_F(RecordedPlanesTest, RefusesWhatIsNoPlaneOfTheRecording) {
  const std::vector<std::byte> plane(kPlaneBytes);
  EXPECT_OK(planes_.Check(1, 0, 2, plane));
  EXPECT_EQ(ReasonOf(planes_.Check(2, 0, 0, plane)), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(planes_.Check(0, -1, 0, plane)), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(planes_.Check(0, 0, 0, std::span(plane).first(39))), v1::INVALID_FIELD);
}

TEST_F(RecordedPlanesTest, APlaneIsTakenOnce) {
  ASSERT_OK(planes_.Open(Input(0)));
  EXPECT_OK(planes_.Take(1, 0, 2, Plane()));
  EXPECT_TRUE(planes_.Has(1, 0, 2));
  EXPECT_FALSE(planes_.Has(1, 0, 1));
  EXPECT_EQ(ReasonOf(planes_.Take(1, 0, 2, Plane())), v1::BOX_OVERLAPS);
}

TEST_F(RecordedPlanesTest, HasRoomForOnePlaneHoweverLittleIsAllowed) {
  ASSERT_OK(planes_.Open(Input(0)));
  EXPECT_TRUE(planes_.HasRoom(1));
  ASSERT_OK(planes_.Take(0, 0, 0, Plane()));
  EXPECT_FALSE(planes_.HasRoom(2 * kPlaneBytes - 1));
  EXPECT_TRUE(planes_.HasRoom(2 * kPlaneBytes));
}

TEST_F(RecordedPlanesTest, CountsWhatIsTakenAndWhatIsDurable) {
  ASSERT_OK(planes_.Open(Input(0)));
  for (const int64_t z : {0, 1}) ASSERT_OK(planes_.Take(0, 0, z, Plane()));
  SendAll();
  v1::WriteVolumeResponse written;
  written.set_chunks_committed(1);
  written.set_committed_bytes(kPlaneBytes);
  EXPECT_EQ(planes_.Acknowledge(written).size(), 1U);
  EXPECT_EQ(planes_.counts().planes_total, 6);
  EXPECT_EQ(planes_.counts().planes_taken, 2);
  EXPECT_EQ(planes_.counts().planes_durable, 1);
  EXPECT_EQ(planes_.counts().buffered_bytes, kPlaneBytes);
  EXPECT_FALSE(planes_.all_durable());
  EXPECT_THAT(std::string(planes_.CheckAllTaken().message()), HasSubstr("t,c,z 0,0,2"));
}

TEST_F(RecordedPlanesTest, WhatTheServerHasIsTakenWhenASessionIsTakenUp) {
  ASSERT_OK(planes_.Open(Input(4)));
  EXPECT_TRUE(planes_.Has(1, 0, 0));
  EXPECT_FALSE(planes_.Has(1, 0, 1));
  EXPECT_EQ(planes_.counts().planes_durable, 4);
  ASSERT_OK(planes_.Take(1, 0, 1, Plane()));
  ASSERT_OK(planes_.Take(1, 0, 2, Plane()));
  EXPECT_OK(planes_.CheckAllTaken());
}

TEST_F(RecordedPlanesTest, AnotherCallTellsWhatBecameDurableInTheFirst) {
  ASSERT_OK(planes_.Open(Input(0)));
  for (const int64_t z : {0, 1}) ASSERT_OK(planes_.Take(0, 0, z, Plane()));
  SendAll();
  ASSERT_OK_AND_ASSIGN(const std::vector<FrameBox> durable, planes_.Open(Input(1)));
  EXPECT_EQ(durable.size(), 1U);
  EXPECT_EQ(planes_.counts().planes_durable, 1);
  EXPECT_TRUE(planes_.has_next()) << "the other plane is not sent again";
}

TEST_F(RecordedPlanesTest, AServerThatHasLostPlanesIsAnError) {
  ASSERT_OK(planes_.Open(Input(3)));
  EXPECT_EQ(ReasonOf(planes_.Open(Input(2)).status()), v1::CORRUPT_DATA);
}

}  // namespace
}  // namespace deconvoy::client
