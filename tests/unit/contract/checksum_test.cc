#include "proto/contract/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

using Bytes = std::vector<std::byte>;

std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

Bytes Filled(size_t count, int first, int step) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(first + static_cast<int>(i) * step);
  return bytes;
}

Bytes Random(size_t count) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  Bytes bytes(count);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

using Crc = uint32_t (*)(std::span<const std::byte>, uint32_t);

class Crc32cTest : public ::testing::TestWithParam<Crc> {};

// RFC 3720, B.4; the RFC prints the bytes in the order of transmission.
TEST_P(Crc32cTest, GivesTheValuesOfRfc3720) {
  const Crc crc = GetParam();
  EXPECT_EQ(crc(Filled(32, 0, 0), 0), 0x8a9136aaU);
  EXPECT_EQ(crc(Filled(32, 0xff, 0), 0), 0x62a8ab43U);
  EXPECT_EQ(crc(Filled(32, 0, 1), 0), 0x46dd794eU);
  EXPECT_EQ(crc(Filled(32, 31, -1), 0), 0x113fdb5cU);
  Bytes read_command(48);
  const std::vector<std::pair<size_t, int>> set{{0, 0x01},  {1, 0xc0},  {16, 0x14}, {22, 0x04},
                                                {27, 0x14}, {31, 0x18}, {32, 0x28}, {40, 0x02}};
  for (const auto& [position, value] : set) read_command[position] = static_cast<std::byte>(value);
  EXPECT_EQ(crc(read_command, 0), 0xd9963a56U);
}

TEST_P(Crc32cTest, GivesTheCheckValue) {
  EXPECT_EQ(GetParam()(AsBytes("123456789"), 0), 0xe3069283U);
  EXPECT_EQ(GetParam()({}, 0), 0U);
}

TEST_P(Crc32cTest, ContinuesAnEarlierOne) {
  const Bytes bytes = Random(100);
  const uint32_t whole = GetParam()(bytes, 0);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const std::span<const std::byte> all(bytes);
    EXPECT_EQ(GetParam()(all.subspan(cut), GetParam()(all.first(cut), 0)), whole) << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, Crc32cTest, ::testing::Values(&Crc32c, &Crc32cPortable));

TEST(Crc32c, IsTheSameOnBothPathsAtEveryLengthAndAlignment) {
  const Bytes bytes = Random(64);
  for (size_t first = 0; first < 9; ++first) {
    for (size_t count = 0; first + count <= bytes.size(); ++count) {
      const auto part = std::span<const std::byte>(bytes).subspan(first, count);
      EXPECT_EQ(Crc32c(part), Crc32cPortable(part)) << first << " " << count;
    }
  }
}

TEST(Sha256, GivesTheValuesOfFips180) {
  Sha256 sha;
  EXPECT_EQ(ToHex(sha.Finish()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  sha.Update(AsBytes("abc"));
  EXPECT_EQ(ToHex(sha.Finish()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, StartsAnewAndTakesPieces) {
  Sha256 sha;
  sha.Update(AsBytes("ab"));
  sha.Update(AsBytes("c"));
  const Sha256Digest pieces = sha.Finish();
  sha.Update(AsBytes("abc"));
  EXPECT_EQ(sha.Finish(), pieces);
}

TEST(Sha256, CanBeMoved) {
  Sha256 first;
  first.Update(AsBytes("ab"));
  Sha256 second = std::move(first);
  second.Update(AsBytes("c"));
  EXPECT_EQ(ToHex(second.Finish()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(VolumeDigester, IsTheDigestOfThePlanesDigests) {
  const Bytes bytes = Random(60);
  Sha256 plane, volume;
  for (size_t first = 0; first < bytes.size(); first += 20) {
    plane.Update(std::span<const std::byte>(bytes).subspan(first, 20));
    volume.Update(plane.Finish());
  }
  const Sha256Digest expected = volume.Finish();

  for (const size_t piece : {1U, 7U, 20U, 33U, 60U}) {
    VolumeDigester digester(20);
    for (size_t first = 0; first < bytes.size(); first += piece) {
      digester.Update(std::span<const std::byte>(bytes).subspan(first, std::min<size_t>(piece, bytes.size() - first)));
    }
    EXPECT_EQ(digester.Finish(), expected) << piece;
  }
}

TEST(VolumeDigester, DependsOnThePlaneSize) {
  const Bytes bytes = Random(60);
  VolumeDigester three(20), two(30);
  three.Update(bytes);
  two.Update(bytes);
  EXPECT_NE(three.Finish(), two.Finish());
}

TEST(VolumeDigesterDeathTest, RefusesAPartOfAPlane) {
  VolumeDigester digester(20);
  digester.Update(Random(21));
  EXPECT_DEATH(digester.Finish(), "");
}

TEST(ToHex, IsLowerCase) {
  EXPECT_EQ(ToHex({}), "");
  EXPECT_EQ(ToHex(AsBytes("\x01\xaf\xff")), "01afff");
}

}  // namespace
}  // namespace deconvoy
