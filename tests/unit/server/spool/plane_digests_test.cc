#include "server/spool/plane_digests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PlaneHasherTest : public ::testing::Test {
 protected:
  static constexpr int64_t kPlaneBytes = 1000, kPlanes = 6;

  PlaneHasherTest() {
    std::mt19937_64 random(deconvoy::testing::Seed());
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random());
  }

  void Take(int64_t begin, int64_t end) {
    hasher_.Take(begin, std::span(bytes_).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)),
                 ended_);
  }
  std::vector<int64_t> Ended() const {
    std::vector<int64_t> numbers;
    for (const auto& [number, digest] : ended_) {
      Sha256 plane;
      plane.Update(std::span(bytes_).subspan(static_cast<size_t>(number * kPlaneBytes), kPlaneBytes));
      EXPECT_EQ(digest, plane.Finish()) << number;
      numbers.push_back(number);
    }
    return numbers;
  }

  std::vector<std::byte> bytes_ = std::vector<std::byte>(kPlaneBytes * kPlanes);
  PlaneHasher hasher_{kPlaneBytes};
  std::vector<PlaneDigest> ended_;
};

TEST_F(PlaneHasherTest, DigestsWhatComesInOrderWhateverThePieces) {
  Take(0, 1);
  Take(1, 999);
  EXPECT_THAT(Ended(), IsEmpty());
  Take(999, 3500);
  Take(3500, 6000);
  EXPECT_THAT(Ended(), ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_F(PlaneHasherTest, APlaneWithAGapIsLeftOut) {
  Take(0, 400);
  Take(500, 1500);   // not the rest of the first one; the beginning of the second one
  Take(1500, 2200);  // its rest
  Take(2300, 2900);
  Take(4000, 5000);
  Take(3000, 4000);
  EXPECT_THAT(Ended(), ElementsAre(1, 4, 3));
}

TEST_F(PlaneHasherTest, BytesInTheMiddleOfAPlaneBeginNothing) {
  Take(1200, 1800);
  Take(1800, 2000);
  EXPECT_THAT(Ended(), IsEmpty());
  Take(2000, 3000);
  EXPECT_THAT(Ended(), ElementsAre(2));
}

TEST_F(PlaneHasherTest, WhatIsForgottenDoesNotCount) {
  Take(0, 900);
  hasher_.Forget();
  Take(900, 1000);
  EXPECT_THAT(Ended(), IsEmpty());
  Take(0, 1000);
  EXPECT_THAT(Ended(), ElementsAre(0));
}

TEST(PlaneDigests, KeepsEachPlaneOnceAndNotTooMany) {
  PlaneDigests digests;
  digests.Add({{3, Sha256Digest{std::byte{1}}}, {1, Sha256Digest{std::byte{2}}}});
  digests.Add({{3, Sha256Digest{std::byte{1}}}});
  EXPECT_THAT(digests.All(), SizeIs(2));
  EXPECT_EQ(digests.All().at(1), Sha256Digest{std::byte{2}});
  for (int64_t i = 0; i < 100'000; ++i) digests.Add({{i, {}}});
  EXPECT_LE(digests.All().size(), 32'768U);
}

}  // namespace
}  // namespace deconvoy::server
