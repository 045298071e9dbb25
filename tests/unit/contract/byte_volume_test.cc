#include "proto/contract/byte_volume.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/validation.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

TEST(ByteVolume, HoldsFilesUpToItsSize) {
  for (const int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{4088}, int64_t{4089}, int64_t{100'000}}) {
    const v1::VolumeSpec volume = ByteVolume(bytes, 3);
    EXPECT_OK(ValidateVolumeSpec(volume));
    EXPECT_OK(CheckByteVolume(volume, "volume"));
    EXPECT_EQ(volume.shape().t(), 3U);
    std::string file(static_cast<size_t>(bytes), 'x');
    if (!file.empty()) file.back() = '\0';
    ASSERT_OK_AND_ASSIGN(const std::string frame, ToFrameBytes(file, volume));
    EXPECT_EQ(frame.size(), size_t{volume.shape().y()} * volume.shape().x());
    ASSERT_OK_AND_ASSIGN(const std::string_view back, FromFrameBytes(frame));
    EXPECT_EQ(back, file);
  }
  EXPECT_EQ(ByteVolume(4088).shape().y(), 1U);
  EXPECT_EQ(ByteVolume(4089).shape().y(), 2U);
  EXPECT_OK(ValidateVolumeSpec(ByteVolume(limits::kModelStateBytes, 1000)));
}

TEST(ByteVolume, TheLengthIsLittleEndian) {
  ASSERT_OK_AND_ASSIGN(const std::string frame, ToFrameBytes(std::string(258, 'x'), ByteVolume(258)));
  EXPECT_EQ(frame.substr(0, 8), std::string("\x02\x01\0\0\0\0\0\0", 8));
}

TEST(ByteVolume, AFileThatIsTooLongIsRefused) {
  const v1::VolumeSpec volume = ByteVolume(4088);
  EXPECT_OK(ToFrameBytes(std::string(4088, 'x'), volume));
  EXPECT_EQ(ReasonOf(ToFrameBytes(std::string(4089, 'x'), volume).status()), v1::BAD_MODEL);
}

TEST(ByteVolume, BytesThatHoldNoFileAreRefused) {
  for (const std::string& frame :
       {std::string(), std::string(7, '\0'), std::string("\x01\0\0\0\0\0\0\0", 8), std::string(4096, '\xff')}) {
    EXPECT_EQ(ReasonOf(FromFrameBytes(frame).status()), v1::BAD_MODEL) << frame.size();
  }
  EXPECT_OK(FromFrameBytes(std::string(8, '\0')));
}

TEST(ByteVolume, OtherVolumesAreTold) {
  v1::VolumeSpec volume = ByteVolume(10);
  volume.set_type(v1::U16);
  EXPECT_EQ(InfoOf(CheckByteVolume(volume, "here")).field(), "here");
  volume = ByteVolume(10);
  volume.mutable_shape()->set_c(2);
  EXPECT_EQ(ReasonOf(CheckByteVolume(volume, "here")), v1::INVALID_FIELD);
  volume = ByteVolume(10);
  volume.mutable_shape()->set_x(512);
  EXPECT_EQ(ReasonOf(CheckByteVolume(volume, "here")), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy
