// Reading volumes that are still written, and boxes of them.
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "client/cpp/client.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/fake_service.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::deconvoy::testing::FakeService;

class FollowTest : public ::testing::Test {
 protected:
  static constexpr Shape5 kShape{1, 2, 6, 300, 400};

  void SetUp() override {
    ConnectOptions options;
    options.retry = {.initial = absl::Milliseconds(2), .longest = absl::Milliseconds(10), .total = absl::Seconds(20)};
    ASSERT_OK_AND_ASSIGN(Client connected, Client::Connect(service_.address(), options));
    client_ = std::make_unique<Client>(connected);
    *spec_.mutable_shape() = ToProto(kShape);
    spec_.set_type(v1::U16);
    bytes_.resize(static_cast<size_t>(VolumeBytes(kShape, v1::U16)));
    uint32_t state = 7;
    for (char& byte : bytes_) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24);
  }

  // Planes from the fourth on wait until LetGo.
  absl::StatusOr<std::string> Upload() {
    return client_->Upload(spec_, [this](int64_t, int64_t c, int64_t z, std::span<std::byte> plane) {
      std::unique_lock lock(mutex_);
      if (z >= 4) changed_.wait(lock, [this] { return go_; });
      const auto at = static_cast<size_t>((c * kShape.z + z)) * plane.size();
      std::copy_n(std::as_bytes(std::span(bytes_)).begin() + static_cast<std::ptrdiff_t>(at), plane.size(),
                  plane.begin());
      return absl::OkStatus();
    });
  }

  void LetGo() {
    const std::lock_guard lock(mutex_);
    go_ = true;
    changed_.notify_all();
  }

  BoxSink Sink() {
    return [this](const FrameBox& box, std::span<const std::byte> voxels) {
      got_.resize(bytes_.size());
      LetGo();  // something came before the volume was whole
      return ForEachRun(kShape, v1::U16, box, [&](const ByteRun& run) {
        const auto* from = reinterpret_cast<const char*>(voxels.data()) + run.box_offset;
        got_.replace(static_cast<size_t>(run.volume_offset), static_cast<size_t>(run.bytes), from,
                     static_cast<size_t>(run.bytes));
        return absl::OkStatus();
      });
    };
  }

  std::string WaitForVolume() const {
    while (service_.volumes().empty()) std::this_thread::yield();
    return service_.volumes().begin()->first;
  }

  FakeService service_;
  std::unique_ptr<Client> client_;
  v1::VolumeSpec spec_;
  std::string bytes_, got_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool go_ = false;
};

TEST_F(FollowTest, BoxesComeWhileTheVolumeIsWritten) {
  auto upload = std::async(std::launch::async, [this] { return Upload(); });
  int64_t done = 0;
  const absl::Status followed =
      client_->Follow(WaitForVolume(), Sink(), [&](const TransferProgress& at) { done = at.bytes_done; });
  EXPECT_OK(followed);
  LetGo();
  EXPECT_OK(upload.get());
  EXPECT_TRUE(got_ == bytes_);
  EXPECT_EQ(done, static_cast<int64_t>(bytes_.size()));
}

TEST_F(FollowTest, ABrokenStreamGoesOnWithWhatIsMissing) {
  service_.BreakStreams("Volumes.Read", {2, 0, 1});
  auto upload = std::async(std::launch::async, [this] { return Upload(); });
  const absl::Status followed = client_->Follow(WaitForVolume(), Sink());
  EXPECT_OK(followed);
  LetGo();
  EXPECT_OK(upload.get());
  EXPECT_TRUE(got_ == bytes_);
  EXPECT_GE(service_.calls("Volumes.Read"), 4);
}

TEST_F(FollowTest, AVolumeThatGoesEndsTheFollowing) {
  auto upload = std::async(std::launch::async, [this] { return Upload(); });
  const std::string volume = WaitForVolume();
  auto followed = std::async(std::launch::async, [&] {
    return client_->Follow(volume, [](const FrameBox&, std::span<const std::byte>) { return absl::OkStatus(); });
  });
  while (service_.calls("Volumes.Read") == 0) std::this_thread::yield();
  EXPECT_OK(client_->DeleteVolume(volume));
  EXPECT_EQ(ReasonOf(followed.get()), v1::VOLUME_GONE);
  LetGo();
  EXPECT_FALSE(upload.get().ok());
}

TEST_F(FollowTest, ACompleteVolumeIsFollowedToItsEndAtOnce) {
  LetGo();
  ASSERT_OK_AND_ASSIGN(const std::string volume, Upload());
  EXPECT_OK(client_->Follow(volume, Sink()));
  EXPECT_TRUE(got_ == bytes_);
}

TEST_F(FollowTest, ReadsOneBox) {
  LetGo();
  ASSERT_OK_AND_ASSIGN(const std::string volume, Upload());
  service_.BreakStreams("Volumes.Read", {1});
  const FrameBox box{0, 1, {{1, 20, 30}, {4, 250, 360}}};
  ASSERT_OK_AND_ASSIGN(const std::vector<std::byte> voxels, client_->ReadBox(volume, box));
  ASSERT_EQ(voxels.size(), 4u * 250 * 360 * 2);
  std::string expected;
  ASSERT_OK(ForEachRun(kShape, v1::U16, box, [&](const ByteRun& run) {
    expected.append(bytes_, static_cast<size_t>(run.volume_offset), static_cast<size_t>(run.bytes));
    return absl::OkStatus();
  }));
  EXPECT_TRUE(std::equal(voxels.begin(), voxels.end(), std::as_bytes(std::span(expected)).begin()));
  EXPECT_EQ(ReasonOf(client_->ReadBox(volume, {0, 2, box.box}).status()), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy::client
