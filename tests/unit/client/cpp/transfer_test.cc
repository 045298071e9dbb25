#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "client/cpp/client.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/fake_service.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::deconvoy::testing::FakeService;
using ::deconvoy::testing::FakeVolume;
using ::testing::Each;
using ::testing::SizeIs;

v1::VolumeSpec SpecOf(const Shape5& shape, v1::VoxelType type) {
  v1::VolumeSpec spec;
  *spec.mutable_shape() = ToProto(shape);
  spec.set_type(type);
  spec.set_display_name("test");
  return spec;
}

// A volume whose bytes all differ from their neighbours, and its digest.
struct TestVolume {
  TestVolume(const Shape5& extent, v1::VoxelType voxel_type) : shape(extent), type(voxel_type) {
    bytes.resize(static_cast<size_t>(VolumeBytes(shape, type)));
    uint32_t state = 12345;
    for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24);
  }

  int64_t plane_bytes() const { return shape.y * shape.x * BytesPerVoxel(type); }
  v1::VolumeSpec spec() const { return SpecOf(shape, type); }

  PlaneSource Source() const {
    return [this](int64_t t, int64_t c, int64_t z, std::span<std::byte> plane) {
      const auto offset = ((t * shape.c + c) * shape.z + z) * plane_bytes();
      std::copy_n(std::as_bytes(std::span(bytes)).begin() + offset, plane.size(), plane.begin());
      return absl::OkStatus();
    };
  }

  std::string Digest() const {
    VolumeDigester digester(plane_bytes());
    digester.Update(std::as_bytes(std::span(bytes)));
    const Sha256Digest digest = digester.Finish();
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
  }

  Shape5 shape;
  v1::VoxelType type;
  std::string bytes;
};

class TransferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ConnectOptions options;
    options.retry = {
        .initial = absl::Milliseconds(2), .longest = absl::Milliseconds(10), .total = absl::Milliseconds(500)};
    options.on_outage = [this](const Outage& outage) { outages_ += outage.over ? "b" : "a"; };
    ASSERT_OK_AND_ASSIGN(Client connected, Client::Connect(service_.address(), options));
    client_ = std::make_unique<Client>(connected);
  }

  // Uploads, and expects the server to hold exactly these bytes under the right digest.
  void ExpectUpload(const TestVolume& volume) {
    ASSERT_OK_AND_ASSIGN(const std::string name, client_->Upload(volume.spec(), volume.Source()));
    const FakeVolume stored = service_.volumes().at(name);
    EXPECT_EQ(stored.volume.state(), v1::COMPLETE);
    EXPECT_TRUE(stored.bytes == volume.bytes);
    EXPECT_EQ(stored.digest, volume.Digest());
  }

  // Downloads, and expects these bytes, each plane once and in order.
  absl::Status Download(const std::string& name, const TestVolume& volume) {
    std::string got;
    std::vector<std::tuple<int64_t, int64_t, int64_t>> order;
    const absl::Status status =
        client_->Download(name, [&](int64_t t, int64_t c, int64_t z, std::span<const std::byte> plane) {
          order.emplace_back(t, c, z);
          got.append(reinterpret_cast<const char*>(plane.data()), plane.size());
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
    EXPECT_TRUE(got == volume.bytes);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    return status;
  }

  FakeService service_;
  std::unique_ptr<Client> client_;
  std::string outages_;  // `a` for each time the server was away, `b` for back
};

// Planes that share a chunk, that fill several, and rows longer than one.
TEST_F(TransferTest, UploadsAndDownloadsAllLayouts) {
  const TestVolume volumes[] = {
      {{1, 1, 1, 1, 1}, v1::U8},        {{2, 3, 5, 7, 11}, v1::U16},    {{1, 2, 3, 700, 400}, v1::F32},
      {{1, 1, 2, 3, 300'000}, v1::U16}, {{3, 1, 20, 128, 128}, v1::U8},
  };
  for (const TestVolume& volume : volumes) {
    SCOPED_TRACE(volume.spec().ShortDebugString());
    ASSERT_OK_AND_ASSIGN(const std::string name, client_->Upload(volume.spec(), volume.Source()));
    EXPECT_TRUE(service_.volumes().at(name).bytes == volume.bytes);
    EXPECT_EQ(service_.volumes().at(name).digest, volume.Digest());
    EXPECT_OK(Download(name, volume));
  }
}

TEST_F(TransferTest, ResumesAnUploadThatBreaksAgainAndAgain) {
  const TestVolume volume({2, 1, 4, 900, 700}, v1::U16);
  service_.BreakStreams("Volumes.Write", {3, 0, 5, 1});
  ExpectUpload(volume);
  EXPECT_EQ(outages_, "aababab");
  EXPECT_EQ(service_.calls("Volumes.Write"), 5);
  EXPECT_EQ(service_.request_ids("Volumes.Create").size(), 1u);
}

TEST_F(TransferTest, SendsWhatIsDurableOnlyOnce) {
  const TestVolume volume({1, 1, 40, 512, 512}, v1::U16);
  service_.BreakStreams("Volumes.Write", {30});
  ExpectUpload(volume);
  EXPECT_EQ(service_.chunks_received(), 40u) << "30 before the break, 10 after it";
}

TEST_F(TransferTest, GivesUpAnUploadThatGoesNoFurther) {
  const TestVolume volume({1, 1, 2, 64, 64}, v1::U8);
  service_.FailNext("Volumes.Write", 1'000'000, MakeError({.reason = v1::SHUTTING_DOWN}, "stopping"));
  EXPECT_TRUE(absl::IsUnavailable(client_->Upload(volume.spec(), volume.Source()).status()));
}

TEST_F(TransferTest, DoesNotRepeatAnUploadThatIsRefusedAndRemovesIt) {
  const TestVolume volume({1, 1, 2, 64, 64}, v1::U8);
  service_.FailNext("Volumes.Write", 1, MakeError({.reason = v1::DISK_FULL}, "no room"));
  EXPECT_EQ(ReasonOf(client_->Upload(volume.spec(), volume.Source()).status()), v1::DISK_FULL);
  EXPECT_EQ(service_.calls("Volumes.Write"), 1);
  EXPECT_THAT(service_.volumes(), SizeIs(0));
}

TEST_F(TransferTest, AnUploadThatMayGoOnLaterStays) {
  const TestVolume volume({1, 1, 2, 64, 64}, v1::U8);
  service_.FailNext("Volumes.Write", 1, MakeError({.reason = v1::TOO_MANY_STREAMS}, "too many"));
  EXPECT_EQ(ReasonOf(client_->Upload(volume.spec(), volume.Source()).status()), v1::TOO_MANY_STREAMS);
  EXPECT_THAT(service_.volumes(), SizeIs(1));
}

TEST_F(TransferTest, AServerThatCanCommitNoMoreIsAskedWhy) {
  const TestVolume volume({1, 1, 80, 512, 512}, v1::U16);
  service_.FailCommit(3, MakeError({.reason = v1::DISK_FULL}, "no room"));
  EXPECT_EQ(ReasonOf(client_->Upload(volume.spec(), volume.Source()).status()), v1::DISK_FULL);
}

TEST_F(TransferTest, TakesALostAnswerOfFinishForWhatItIs) {
  const TestVolume volume({1, 1, 2, 64, 64}, v1::U8);
  service_.LoseAnswerOf("Volumes.Finish");
  ExpectUpload(volume);
  EXPECT_EQ(service_.calls("Volumes.Finish"), 2);
}

TEST_F(TransferTest, AnErrorOfTheSourceEndsTheUploadAndRemovesIt) {
  const TestVolume volume({1, 1, 9, 640, 640}, v1::U16);
  const PlaneSource source = [&](int64_t t, int64_t c, int64_t z, std::span<std::byte> plane) {
    if (z == 7) return MakeError({.reason = v1::INVALID_FIELD}, "the file is cut short");
    return volume.Source()(t, c, z, plane);
  };
  const auto name = client_->Upload(volume.spec(), source);
  EXPECT_EQ(ReasonOf(name.status()), v1::INVALID_FIELD);
  EXPECT_THAT(service_.volumes(), SizeIs(0));
}

TEST_F(TransferTest, StopEndsAnUploadAndRemovesIt) {
  const TestVolume volume({1, 1, 9, 640, 640}, v1::U16);
  std::stop_source stop;
  const PlaneSource source = [&](int64_t t, int64_t c, int64_t z, std::span<std::byte> plane) {
    if (z == 4) stop.request_stop();
    return volume.Source()(t, c, z, plane);
  };
  const auto name = client_->Upload(volume.spec(), source, {}, stop.get_token());
  EXPECT_TRUE(absl::IsCancelled(name.status())) << name.status();
  EXPECT_THAT(service_.volumes(), SizeIs(0));
}

TEST_F(TransferTest, AStoppedUploadThatCanBeFoundAgainStays) {
  const TestVolume volume({1, 1, 9, 640, 640}, v1::U16);
  std::stop_source stop;
  const TransferObserver stop_later = [&](const TransferProgress& at) {
    if (at.bytes_done > 0) stop.request_stop();
  };
  const auto stopped = client_->UploadOnce(volume.spec(), volume.Source(), {}, stop_later, stop.get_token());
  EXPECT_TRUE(absl::IsCancelled(stopped.status())) << stopped.status();
  const v1::ErrorInfo info = InfoOf(stopped.status());
  EXPECT_EQ(info.reason(), v1::CANCELLED_BY_USER);
  EXPECT_THAT(info.remedy(), ::testing::HasSubstr(info.metadata().at("volume")));
  EXPECT_THAT(service_.volumes(), SizeIs(1));
}

TEST_F(TransferTest, UploadProgressIsWhatIsDurableAndEndsAtAll) {
  const TestVolume volume({1, 1, 4, 700, 700}, v1::U16);
  std::vector<int64_t> done;
  ASSERT_OK(client_->Upload(volume.spec(), volume.Source(), [&](const TransferProgress& at) {
    EXPECT_EQ(at.bytes_total, static_cast<int64_t>(volume.bytes.size()));
    done.push_back(at.bytes_done);
  }));
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.back(), static_cast<int64_t>(volume.bytes.size()));
}

TEST_F(TransferTest, RefusesAWrongSpecBeforeItIsSent) {
  v1::VolumeSpec spec = SpecOf({1, 1, 0, 4, 4}, v1::U8);
  EXPECT_TRUE(absl::IsInvalidArgument(client_->Upload(spec, {}).status()));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
}

TEST_F(TransferTest, ResumesADownloadAtTheFirstPlaneNotDelivered) {
  const TestVolume volume({2, 2, 5, 600, 500}, v1::U16);
  ASSERT_OK_AND_ASSIGN(const std::string name, client_->Upload(volume.spec(), volume.Source()));
  service_.BreakStreams("Volumes.Read", {0, 4, 7, 1, 12});
  EXPECT_OK(Download(name, volume));
  EXPECT_EQ(outages_, "ababaabab");
  EXPECT_EQ(service_.calls("Volumes.Read"), 6);
}

TEST_F(TransferTest, ACorruptChunkEndsTheDownload) {
  const TestVolume volume({1, 1, 5, 600, 500}, v1::U16);
  ASSERT_OK_AND_ASSIGN(const std::string name, client_->Upload(volume.spec(), volume.Source()));
  service_.CorruptRead(2);
  EXPECT_EQ(ReasonOf(Download(name, volume)), v1::CHECKSUM_MISMATCH);
  EXPECT_EQ(service_.calls("Volumes.Read"), 1);
}

TEST_F(TransferTest, AnErrorOfTheSinkEndsTheDownload) {
  const TestVolume volume({1, 1, 50, 600, 500}, v1::U16);
  ASSERT_OK_AND_ASSIGN(const std::string name, client_->Upload(volume.spec(), volume.Source()));
  int planes = 0;
  const absl::Status status = client_->Download(name, [&](int64_t, int64_t, int64_t z, std::span<const std::byte>) {
    ++planes;
    return z == 3 ? MakeError({.reason = v1::DISK_FULL}, "no room") : absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
  EXPECT_EQ(planes, 4);
}

TEST_F(TransferTest, StopEndsADownload) {
  const TestVolume volume({1, 1, 50, 600, 500}, v1::U16);
  ASSERT_OK_AND_ASSIGN(const std::string name, client_->Upload(volume.spec(), volume.Source()));
  std::stop_source stop;
  const auto sink = [&](int64_t, int64_t, int64_t z, std::span<const std::byte>) {
    if (z == 3) stop.request_stop();
    return absl::OkStatus();
  };
  EXPECT_TRUE(absl::IsCancelled(client_->Download(name, sink, {}, stop.get_token())));
}

// --- Nothing is sent twice ---

TEST_F(TransferTest, TheSameImageIsNotSentAgain) {
  const TestVolume volume({2, 1, 4, 900, 700}, v1::U16);
  ASSERT_OK_AND_ASSIGN(const Client::Uploaded first, client_->UploadOnce(volume.spec(), volume.Source()));
  EXPECT_FALSE(first.found);
  EXPECT_TRUE(first.created);
  EXPECT_TRUE(service_.volumes().at(first.volume).bytes == volume.bytes);
  EXPECT_EQ(service_.volumes().at(first.volume).digest, volume.Digest());
  const uint64_t chunks = service_.chunks_received();
  int64_t read = 0;
  ASSERT_OK_AND_ASSIGN(
      const Client::Uploaded second,
      client_->UploadOnce(volume.spec(), volume.Source(), [&](const TransferProgress& at) { read = at.bytes_done; }));
  EXPECT_EQ(second.volume, first.volume);
  EXPECT_TRUE(second.found);
  EXPECT_FALSE(second.created);
  EXPECT_EQ(service_.chunks_received(), chunks);
  EXPECT_EQ(service_.calls("Volumes.Write"), 1);
  EXPECT_EQ(read, static_cast<int64_t>(volume.bytes.size()));
}

TEST_F(TransferTest, AnotherClientGoesOnWithAnUploadThatWasLeft) {
  const TestVolume volume({1, 1, 40, 512, 512}, v1::U16);
  service_.BreakStreams("Volumes.Write", {30});
  service_.FailNext("Volumes.Get", 1'000'000, MakeError({.reason = v1::SHUTTING_DOWN}, "stopping"));
  EXPECT_TRUE(absl::IsUnavailable(client_->UploadOnce(volume.spec(), volume.Source()).status()));
  ASSERT_THAT(service_.volumes(), SizeIs(1)) << "the upload is left as it is";
  service_.FailNext("Volumes.Get", 0, absl::OkStatus());
  ASSERT_OK_AND_ASSIGN(const Client other, Client::Connect(service_.address()));
  ASSERT_OK_AND_ASSIGN(const Client::Uploaded uploaded, other.UploadOnce(volume.spec(), volume.Source()));
  EXPECT_FALSE(uploaded.found);
  EXPECT_FALSE(uploaded.created) << "it is not this client's alone";
  EXPECT_THAT(service_.volumes(), SizeIs(1));
  EXPECT_TRUE(service_.volumes().at(uploaded.volume).bytes == volume.bytes);
  EXPECT_EQ(service_.chunks_received(), 40u) << "30 by the first, 10 by the second";
}

TEST_F(TransferTest, ReadingForTheDigestEndsOnRequest) {
  const TestVolume volume({1, 1, 4, 64, 64}, v1::U8);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(
      absl::IsCancelled(client_->UploadOnce(volume.spec(), volume.Source(), {}, {}, stop.get_token()).status()));
  EXPECT_THAT(service_.volumes(), SizeIs(0));
}

// --- Packed chunks ---

TEST_F(TransferTest, PacksBothWaysWhereItIsTold) {
  TestVolume volume({1, 1, 12, 512, 512}, v1::U16);
  for (size_t i = 0; i < volume.bytes.size(); ++i) volume.bytes[i] = static_cast<char>(i >> 12);
  for (const TransferCompression compression : {TransferCompression::kZstd, TransferCompression::kLz4}) {
    ConnectOptions options;
    options.compression = compression;
    ASSERT_OK_AND_ASSIGN(const Client packing, Client::Connect(service_.address(), options));
    const uint64_t before = service_.packed_chunks();
    ASSERT_OK_AND_ASSIGN(const std::string name, packing.Upload(volume.spec(), volume.Source()));
    EXPECT_EQ(service_.packed_chunks() - before, 12u);
    EXPECT_TRUE(service_.volumes().at(name).bytes == volume.bytes);
    std::string got;
    ASSERT_OK(packing.Download(name, [&](int64_t, int64_t, int64_t, std::span<const std::byte> plane) {
      got.append(reinterpret_cast<const char*>(plane.data()), plane.size());
      return absl::OkStatus();
    }));
    EXPECT_EQ(service_.packed_chunks() - before, 24u);
    EXPECT_TRUE(got == volume.bytes);
  }
}

TEST_F(TransferTest, PacksNothingToAServerOnThisMachine) {
  TestVolume volume({1, 1, 12, 512, 512}, v1::U16);
  std::fill(volume.bytes.begin(), volume.bytes.end(), '\0');
  ExpectUpload(volume);
  EXPECT_EQ(service_.packed_chunks(), 0u);
}

}  // namespace
}  // namespace deconvoy::client
