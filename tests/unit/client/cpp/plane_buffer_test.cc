#include "client/cpp/plane_buffer.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

// Planes of 1 MiB: two pieces each.
constexpr int64_t kSide = 1024;

FrameBox PlaneAt(int64_t z) {
  return {0, 0, {{z, 0, 0}, {1, kSide, kSide}}};
}

PlaneBuffer::Bytes Bytes() {
  return std::make_shared<const std::vector<std::byte>>(static_cast<size_t>(kSide * kSide));
}

TEST(PlaneBuffer, APlaneIsForgottenWhenAllItsPiecesAreDurable) {
  PlaneBuffer buffer(v1::U8);
  buffer.Add(PlaneAt(0), Bytes());
  buffer.Add(PlaneAt(1), Bytes());
  EXPECT_EQ(buffer.bytes(), 2 * kSide * kSide);
  int64_t sent = 0;
  while (const auto piece = buffer.TakeNext()) {
    EXPECT_EQ(piece->offset, sent % 2 * (kSide * kSide / 2));
    EXPECT_EQ(piece->bytes, kSide * kSide / 2);
    EXPECT_EQ(piece->box.box.origin.z, sent / 2);
    ++sent;
  }
  EXPECT_EQ(sent, 4);
  EXPECT_TRUE(buffer.Acknowledge(1).empty());
  EXPECT_EQ(buffer.Acknowledge(3), std::vector<FrameBox>{PlaneAt(0)});
  EXPECT_TRUE(buffer.Acknowledge(3).empty()) << "told again";
  EXPECT_EQ(buffer.Acknowledge(99), std::vector<FrameBox>{PlaneAt(1)}) << "more than was sent";
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.bytes(), 0);
}

TEST(PlaneBuffer, ANewCallSendsWhatIsMissingOnly) {
  PlaneBuffer buffer(v1::U8);
  for (int64_t z = 0; z < 3; ++z) buffer.Add(PlaneAt(z), Bytes());
  for (int i = 0; i < 3; ++i) buffer.TakeNext();
  // The first plane came whole, of the second the lower half is missing, the third wholly.
  v1::Volume volume;
  *volume.add_missing() = ToProto(FrameBox{0, 0, {{1, kSide / 2, 0}, {1, kSide / 2, kSide}}});
  *volume.add_missing() = ToProto(PlaneAt(2));
  EXPECT_EQ(buffer.Restart(MissingBoxes(volume)), std::vector<FrameBox>{PlaneAt(0)});
  std::vector<int64_t> origins;
  while (const auto piece = buffer.TakeNext())
    origins.push_back(piece->box.box.origin.z * 10'000 + piece->box.box.origin.y);
  EXPECT_EQ(origins, (std::vector<int64_t>{10'512, 20'000, 20'512}));
  EXPECT_EQ(buffer.Acknowledge(1), std::vector<FrameBox>{PlaneAt(1)});
  EXPECT_FALSE(buffer.has_next());
  buffer.Add(PlaneAt(3), Bytes());
  EXPECT_TRUE(buffer.has_next());
}

TEST(PlaneBuffer, AListThatWasCutShortLeavesTheRestMissing) {
  PlaneBuffer buffer(v1::U8);
  v1::Volume volume;
  for (int64_t z = 0; z < 1000; ++z) *volume.add_missing() = ToProto(PlaneAt(2 * z));
  buffer.Add(PlaneAt(3), Bytes());
  buffer.Add(PlaneAt(5000), Bytes());
  EXPECT_EQ(buffer.Restart(MissingBoxes(volume)), std::vector<FrameBox>{PlaneAt(3)});
}

}  // namespace
}  // namespace deconvoy::client
