#include "client/cli/plane_feed.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::VolumeSpec SpecOf(const Shape5& shape, v1::VoxelType type) {
  v1::VolumeSpec spec;
  *spec.mutable_shape() = ToProto(shape);
  spec.set_type(type);
  return spec;
}

class PlaneFeedTest : public ::testing::Test {
 protected:
  FeedClock Clock() {
    return [this] { return now_; };
  }

  // A whole TIFF as bytes; every voxel of its planes is `first`, `first` + 1, ...
  std::string Tiff(const Shape5& shape, v1::VoxelType type, int first) const {
    const std::string file = (folder_.path() / ".made.tif").string();
    const auto writer = imageio::CreateImage(file, SpecOf(shape, type), {});
    EXPECT_OK(writer);
    for (int64_t i = 0; i < shape.frames() * shape.z; ++i) {
      const std::string plane(static_cast<size_t>(shape.y * shape.x * BytesPerVoxel(type)),
                              static_cast<char>(first + i));
      EXPECT_OK((*writer)->WritePlane(std::as_bytes(std::span(plane))));
    }
    EXPECT_OK((*writer)->Finish());
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // Writes and closes.
  void Put(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << bytes;
  }

  std::unique_ptr<PlaneFeed> Folder(bool channels_first = false) {
    return WatchFolder(folder_.path(), absl::Seconds(1), channels_first, Clock());
  }

  // The first bytes of the planes that are there.
  static std::vector<int> Planes(PlaneFeed& feed, size_t bytes = 12) {
    std::vector<int> values;
    std::vector<std::byte> plane(bytes);
    for (;;) {
      const auto state = feed.Next(plane);
      EXPECT_OK(state);
      if (!state.ok() || *state != FeedState::kPlane) return values;
      values.push_back(std::to_integer<int>(plane[0]));
    }
  }

  static absl::Status NextStatus(PlaneFeed& feed) {
    std::vector<std::byte> plane(12);
    return feed.Next(plane).status();
  }

  ::deconvoy::testing::TemporaryFolder folder_;
  absl::Time now_ = absl::UnixEpoch();
};

constexpr Shape5 kPlane{1, 1, 1, 3, 4};

TEST_F(PlaneFeedTest, FilesComeInTheOrderOfTheirNumbers) {
  const auto feed = Folder();
  ASSERT_OK_AND_ASSIGN(const auto nothing, feed->Start());
  EXPECT_FALSE(nothing.has_value());
  for (const int i : {10, 8, 9}) Put(fmt::format("p{}.tif", i), Tiff(kPlane, v1::U8, i));
  Put("notes.txt", "nothing");
  ASSERT_OK_AND_ASSIGN(const auto start, feed->Start());
  ASSERT_TRUE(start.has_value());
  EXPECT_EQ(start->plane.type(), v1::U8);
  EXPECT_EQ(start->plane.shape().y(), 3u);
  EXPECT_EQ(start->plane.shape().x(), 4u);
  EXPECT_THAT(Planes(*feed), ElementsAre(8, 9, 10));
  Put("p11.tif", Tiff(kPlane, v1::U8, 11));
  EXPECT_THAT(Planes(*feed), ElementsAre(11));
}

TEST_F(PlaneFeedTest, AFileThatIsStillOpenCountsWhenItRests) {
  const auto feed = Folder();
  const std::string bytes = Tiff(kPlane, v1::U8, 7);
  std::ofstream open(folder_.path() / "a1.tif", std::ios::binary);
  open << bytes.substr(0, bytes.size() / 2) << std::flush;
  EXPECT_THAT(Planes(*feed), ElementsAre());
  now_ += absl::Seconds(2);
  EXPECT_THAT(Planes(*feed), ElementsAre()) << "it rests, but is not whole";
  open << bytes.substr(bytes.size() / 2) << std::flush;
  EXPECT_THAT(Planes(*feed), ElementsAre()) << "it has just grown";
  now_ += absl::Seconds(2);
  EXPECT_THAT(Planes(*feed), ElementsAre(7));
}

TEST_F(PlaneFeedTest, FilesThatWereThereBeforeSettleTogetherAndCanBePassedOver) {
  for (int i = 1; i <= 5; ++i) Put(fmt::format("p{}.tif", i), Tiff(kPlane, v1::U8, i));
  const auto feed = Folder();
  EXPECT_THAT(Planes(*feed), ElementsAre());
  now_ += absl::Seconds(1);
  EXPECT_EQ(*feed->Next({}), FeedState::kPlane);
  EXPECT_EQ(*feed->Next({}), FeedState::kPlane);
  EXPECT_THAT(Planes(*feed), ElementsAre(3, 4, 5));
}

TEST_F(PlaneFeedTest, AGapInTheNumbersIsWaitedFor) {
  const auto feed = Folder();
  Put("p001.tif", Tiff(kPlane, v1::U8, 1));
  Put("p003.tif", Tiff(kPlane, v1::U8, 3));
  EXPECT_THAT(Planes(*feed), ElementsAre(1));
  EXPECT_THAT(feed->AwaitedText(), HasSubstr("number 2"));
  Put("p002.tif", Tiff(kPlane, v1::U8, 2));
  EXPECT_THAT(Planes(*feed), ElementsAre(2, 3));
}

TEST_F(PlaneFeedTest, AFileAfterItsTurnIsAnError) {
  const auto feed = Folder();
  Put("p5.tif", Tiff(kPlane, v1::U8, 5));
  EXPECT_THAT(Planes(*feed), ElementsAre(5));
  Put("p4.tif", Tiff(kPlane, v1::U8, 4));
  const absl::Status late = NextStatus(*feed);
  EXPECT_EQ(ReasonOf(late), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(late.message()), HasSubstr("p4.tif has come after p5.tif"));
}

TEST_F(PlaneFeedTest, PlanesOfAnotherSizeOrTypeAreAnError) {
  const auto feed = Folder();
  Put("p1.tif", Tiff(kPlane, v1::U8, 1));
  EXPECT_THAT(Planes(*feed), ElementsAre(1));
  Put("p2.tif", Tiff({1, 1, 1, 3, 5}, v1::U8, 2));
  EXPECT_THAT(std::string(NextStatus(*feed).message()), HasSubstr("p2.tif: has planes of 5 x 3 u8"));
}

TEST_F(PlaneFeedTest, StacksGiveTheirPlanesWithEitherAxisFastest) {
  Put("s1.tif", Tiff({2, 2, 3, 3, 4}, v1::U8, 0));
  const auto feed = Folder();
  now_ += absl::Seconds(1);
  ASSERT_OK(feed->Start());
  now_ += absl::Seconds(2);
  EXPECT_THAT(Planes(*feed), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  const auto other = Folder(true);
  ASSERT_OK(other->Start());
  now_ += absl::Seconds(2);
  EXPECT_THAT(Planes(*other), ElementsAre(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
}

// However much of the file is there, only pages that are whole are read, and each is right.
TEST_F(PlaneFeedTest, PagesOfAGrowingTiffComeOnceTheNextOneIsThere) {
  const std::string bytes = Tiff({1, 1, 6, 3, 4}, v1::U16, 0);
  const std::string file = (folder_.path() / "grows.tif").string();
  const auto feed = WatchTiff(file, absl::Seconds(1), Clock());
  std::vector<int> got;
  for (size_t size = 0; size < bytes.size(); size += 41) {
    Put("grows.tif", bytes.substr(0, size));
    ASSERT_OK(feed->Start());
    for (const int value : Planes(*feed, 24)) got.push_back(value);
  }
  EXPECT_GE(got.size(), 4u);
  EXPECT_LE(got.size(), 5u);
  Put("grows.tif", bytes);
  for (const int value : Planes(*feed, 24)) got.push_back(value);
  EXPECT_THAT(got, ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(feed->AwaitedText(), HasSubstr("page 6"));
  now_ += absl::Seconds(2);
  EXPECT_THAT(Planes(*feed, 24), ElementsAre(5));
}

TEST_F(PlaneFeedTest, AGrowingTiffThatLoopsOrShrinksIsAnError) {
  std::string bytes = Tiff({1, 1, 3, 3, 4}, v1::U8, 0);
  const auto number = [&bytes](size_t at, size_t count) {
    uint32_t value = 0;
    for (size_t i = count; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
    return value;
  };
  size_t next_at = 4;
  while (number(next_at, 4) != 0) next_at = number(next_at, 4) + 2 + 12 * number(number(next_at, 4), 2);
  const std::string sound = bytes;
  for (size_t i = 0; i < 4; ++i) bytes[next_at + i] = bytes[4 + i];
  Put("loops.tif", bytes);
  const auto loops = WatchTiff(folder_.path() / "loops.tif", absl::Seconds(1), Clock());
  EXPECT_THAT(std::string(loops->Start().status().message()), HasSubstr("directories loop"));

  Put("shrinks.tif", sound);
  const auto shrinks = WatchTiff(folder_.path() / "shrinks.tif", absl::Seconds(1), Clock());
  EXPECT_THAT(Planes(*shrinks), ElementsAre(0, 1));
  Put("shrinks.tif", sound.substr(0, 100));
  EXPECT_THAT(std::string(NextStatus(*shrinks).message()), HasSubstr("has become smaller"));
  Put("text.tif", "this is no image at all");
  EXPECT_EQ(ReasonOf(WatchTiff(folder_.path() / "text.tif", absl::Seconds(1), Clock())->Start().status()),
            v1::INVALID_FIELD);
}

TEST_F(PlaneFeedTest, RawPlanesComeFromAPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const auto feed = ReadRaw(ends[0], SpecOf(kPlane, v1::U8));
  std::vector<std::byte> plane(12);
  ASSERT_EQ(write(ends[1], "aaaaaaaaaaaabbbb", 16), 16);
  EXPECT_EQ(*feed->Next(plane), FeedState::kPlane);
  EXPECT_EQ(*feed->Next(plane), FeedState::kNothing);
  ASSERT_EQ(write(ends[1], "bbbbbbbb", 8), 8);
  EXPECT_EQ(*feed->Next(plane), FeedState::kPlane);
  EXPECT_EQ(plane[11], std::byte{'b'});
  EXPECT_FALSE(feed->replays());
  ASSERT_EQ(write(ends[1], "ccc", 3), 3);
  close(ends[1]);
  const absl::Status cut = feed->Next(plane).status();
  EXPECT_THAT(std::string(cut.message()), HasSubstr("ends inside plane 3: after 3 of its 12 bytes"));
  close(ends[0]);
}

TEST_F(PlaneFeedTest, StandardInputEndsBetweenPlanes) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  close(ends[1]);
  std::vector<std::byte> plane(12);
  EXPECT_EQ(*ReadRaw(ends[0], SpecOf(kPlane, v1::U8))->Next(plane), FeedState::kEnd);
  close(ends[0]);
}

}  // namespace
}  // namespace deconvoy::client
