#include "worker/session/staged_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kPlane = int64_t{1} << 23;  // bytes: a slab has one plane
constexpr Shape3 kShape{4, 1, kPlane};

// A volume whose voxels are their plane's number. Knows which planes were asked for.
class CountingSource : public VolumeSource {
 public:
  absl::Status Read(const v1::VolumeAccess&, const FrameBox& box, std::span<std::byte> target) override {
    const std::lock_guard lock(mutex_);
    if (out_of_memory_) throw std::bad_alloc();
    if (!failure_.ok()) return failure_;
    for (int64_t z = 0; z < box.box.shape.z; ++z) {
      planes_.push_back(box.box.origin.z + z);
      const size_t bytes = target.size() / static_cast<size_t>(box.box.shape.z);
      std::fill_n(target.data() + static_cast<size_t>(z) * bytes, bytes, static_cast<std::byte>(planes_.back()));
    }
    return absl::OkStatus();
  }
  void FailWith(absl::Status failure) {
    const std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
  }
  void RunOutOfMemory(bool out) {
    const std::lock_guard lock(mutex_);
    out_of_memory_ = out;
  }
  std::vector<int64_t> Planes() {
    const std::lock_guard lock(mutex_);
    return planes_;
  }

 private:
  std::mutex mutex_;
  std::vector<int64_t> planes_;
  absl::Status failure_;
  bool out_of_memory_ = false;
};

class StagedSourceTest : public ::testing::Test {
 protected:
  StagedSourceTest() {
    volume_.set_volume("volumes/a");
    volume_.mutable_spec()->set_type(v1::U8);
    *volume_.mutable_spec()->mutable_shape() = ToProto(Shape5{1, 1, kShape.z, kShape.y, kShape.x});
  }
  static FrameBox Planes(int64_t z, int64_t count) { return {0, 0, {{z, 0, 0}, {count, kShape.y, kShape.x}}}; }
  // The first voxel of each plane.
  std::vector<int> Read(const FrameBox& box) {
    std::vector<std::byte> bytes(static_cast<size_t>(box.box.shape.voxels()));
    EXPECT_OK(staged_.Read(volume_, box, bytes));
    std::vector<int> planes;
    const auto plane = static_cast<size_t>(box.box.shape.y * box.box.shape.x);
    for (size_t i = 0; i < bytes.size(); i += plane) planes.push_back(static_cast<int>(bytes[i]));
    return planes;
  }

  v1::VolumeAccess volume_;
  CountingSource source_;
  StagedSource staged_{source_};
};

TEST_F(StagedSourceTest, GivesWhatWasReadAheadAndReadsItOnce) {
  staged_.Announce({{&volume_, Planes(0, 4)}});
  ASSERT_OK(staged_.Fill());
  EXPECT_THAT(source_.Planes(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Read(Planes(0, 3)), ElementsAre(0, 1, 2));
  EXPECT_THAT(Read({0, 0, {{3, 0, 5}, {1, 1, 10}}}), ElementsAre(3)) << "a part of a plane";
  EXPECT_EQ(source_.Planes().size(), 4U);
}

TEST_F(StagedSourceTest, ReadsWhatItDoesNotHold) {
  staged_.Announce({{&volume_, Planes(1, 2)}});
  ASSERT_OK(staged_.Fill());
  EXPECT_THAT(Read(Planes(0, 4)), ElementsAre(0, 1, 2, 3)) << "more than it holds";
  EXPECT_EQ(source_.Planes().size(), 6U);
  v1::VolumeAccess other = volume_;
  other.set_volume("volumes/b");
  std::vector<std::byte> bytes(kPlane);
  EXPECT_OK(staged_.Read(other, Planes(1, 1), bytes));
  EXPECT_EQ(source_.Planes().size(), 7U) << "another volume";
}

TEST_F(StagedSourceTest, ForgetsWhatWasRead) {
  staged_.Announce({{&volume_, Planes(0, 4)}});
  ASSERT_OK(staged_.Fill());
  EXPECT_THAT(Read(Planes(0, 2)), ElementsAre(0, 1));
  EXPECT_THAT(Read(Planes(0, 2)), ElementsAre(0, 1)) << "the right voxels all the same";
  EXPECT_THAT(source_.Planes(), ElementsAre(0, 1, 2, 3, 0, 1));
}

TEST_F(StagedSourceTest, AReaderWaitsForWhatWasAnnounced) {
  staged_.Announce({{&volume_, Planes(0, 4)}});
  std::vector<int> read;
  std::thread reader([&] {
    for (int64_t z = 0; z < 4; ++z) read.push_back(Read(Planes(z, 1))[0]);
  });
  ASSERT_OK(staged_.Fill());
  reader.join();
  EXPECT_THAT(read, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(source_.Planes(), ElementsAre(0, 1, 2, 3)) << "each plane once";
}

TEST_F(StagedSourceTest, WhatCouldNotBeReadAheadIsReadAgain) {
  staged_.Announce({{&volume_, Planes(0, 4)}});
  source_.FailWith(absl::UnavailableError("away"));
  std::vector<int> read;
  EXPECT_TRUE(absl::IsUnavailable(staged_.Fill()));
  std::vector<std::byte> bytes(kPlane);
  EXPECT_TRUE(absl::IsUnavailable(staged_.Read(volume_, Planes(0, 1), bytes)));
  source_.FailWith(absl::OkStatus());
  EXPECT_THAT(Read(Planes(0, 4)), ElementsAre(0, 1, 2, 3));
}

TEST_F(StagedSourceTest, AnAllocationThatFailsIsAnErrorAndEndsReadingAhead) {
  staged_.Announce({{&volume_, Planes(0, 4)}});
  source_.RunOutOfMemory(true);
  EXPECT_EQ(ReasonOf(staged_.Fill()), v1::OUT_OF_MEMORY);
  source_.RunOutOfMemory(false);
  EXPECT_THAT(Read(Planes(0, 4)), ElementsAre(0, 1, 2, 3)) << "nobody waits";
}

TEST_F(StagedSourceTest, ClosingEndsReadingAheadAndLetsReadersGo) {
  staged_.Announce({{&volume_, Planes(0, 4)}});
  std::vector<int> read;
  std::thread reader([&] { read = Read(Planes(2, 1)); });
  staged_.Close();
  reader.join();
  EXPECT_THAT(read, ElementsAre(2));
  ASSERT_OK(staged_.Fill());
  EXPECT_THAT(source_.Planes(), ElementsAre(2)) << "nothing more was read ahead";
}

TEST_F(StagedSourceTest, HoldsSeveralBoxes) {
  v1::VolumeAccess previous = volume_;
  previous.set_volume("volumes/previous");
  staged_.Announce({{&volume_, Planes(0, 2)}, {&previous, Planes(0, 2)}});
  ASSERT_OK(staged_.Fill());
  EXPECT_THAT(source_.Planes(), ElementsAre(0, 1, 0, 1));
  std::vector<std::byte> bytes(2 * kPlane);
  EXPECT_OK(staged_.Read(previous, Planes(0, 2), bytes));
  EXPECT_THAT(Read(Planes(0, 2)), ElementsAre(0, 1));
  EXPECT_EQ(source_.Planes().size(), 4U);
}

}  // namespace
}  // namespace deconvoy::worker
