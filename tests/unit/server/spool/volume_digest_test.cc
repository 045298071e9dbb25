#include "server/spool/volume_digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <span>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

class VolumeDigestTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> MakeFile(const std::vector<std::byte>& bytes) {
    auto file = files_.Create(folder_.path() / std::to_string(++count_));
    EXPECT_OK(file);
    EXPECT_OK((*file)->WriteAt(0, bytes));
    return *std::move(file);
  }

  const deconvoy::testing::TemporaryFolder folder_;
  const std::unique_ptr<FileSystem> real_files_ = MakePosixFileSystem();
  deconvoy::testing::FaultyFileSystem files_{*real_files_};
  int count_ = 0;
};

// Planes far smaller than a buffer, of about its size, and larger; few and many.
TEST_F(VolumeDigestTest, IsThatOfOnePassWhateverThePlanes) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  const std::pair<int64_t, int64_t> cases[] = {{1, 1},       {1000, 7},          {5, 300'000},
                                               {3, 1 << 20}, {2, (1 << 20) + 3}, {40, 1 << 20}};
  for (const auto& [planes, plane_bytes] : cases) {
    std::vector<std::byte> bytes(static_cast<size_t>(planes * plane_bytes));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    VolumeDigester expected(plane_bytes);
    expected.Update(bytes);
    const auto file = MakeFile(bytes);
    ASSERT_OK_AND_ASSIGN(const Sha256Digest digest, DigestOfPlanes(*file, planes, plane_bytes));
    EXPECT_EQ(digest, expected.Finish()) << planes << " planes of " << plane_bytes;
  }
}

TEST_F(VolumeDigestTest, PlanesThatAreKnownAreNotRead) {
  constexpr int64_t kPlanes = 25, kPlaneBytes = 200'000;
  std::mt19937_64 random(deconvoy::testing::Seed());
  std::vector<std::byte> bytes(kPlanes * kPlaneBytes);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  VolumeDigester expected(kPlaneBytes);
  expected.Update(bytes);
  const Sha256Digest whole = expected.Finish();
  for (const int share : {1, 2, 5}) {
    std::map<int64_t, Sha256Digest> known;
    std::vector<std::byte> on_disk = bytes;
    for (int64_t plane = 0; plane < kPlanes; ++plane) {
      if (static_cast<int>(random() % 5) >= share) continue;
      const auto there = std::span(on_disk).subspan(static_cast<size_t>(plane * kPlaneBytes), kPlaneBytes);
      Sha256 digest;
      digest.Update(there);
      known[plane] = digest.Finish();
      std::ranges::fill(there, std::byte{0});
    }
    const auto file = MakeFile(on_disk);
    ASSERT_OK_AND_ASSIGN(const Sha256Digest digest, DigestOfPlanes(*file, kPlanes, kPlaneBytes, known));
    EXPECT_EQ(digest, whole) << known.size() << " planes known";
  }
}

TEST_F(VolumeDigestTest, AReadThatFailsInAnyThreadIsItsError) {
  const auto file = MakeFile(std::vector<std::byte>(20 << 20));
  for (const int64_t n : {1, 2, 7, 20}) {
    files_.FailAt(n, deconvoy::testing::Fault::kIoError);
    EXPECT_EQ(ReasonOf(DigestOfPlanes(*file, 20, 1 << 20).status()), v1::STORAGE_FAILURE) << n;
  }
}

}  // namespace
}  // namespace deconvoy::server
