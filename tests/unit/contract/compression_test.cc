#include "proto/contract/compression.h"

#include <gtest/gtest.h>
#include <lz4.h>
#include <zstd.h>

#include <random>
#include <span>
#include <string>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

constexpr v1::Compression kKinds[] = {v1::ZSTD, v1::LZ4};

// One plane of 512 x 512 voxels of 16 bits: a chunk of the largest size.
v1::VolumeSpec Plane(uint32_t rows = 512) {
  v1::VolumeSpec spec;
  spec.mutable_shape()->set_t(1);
  spec.mutable_shape()->set_c(1);
  spec.mutable_shape()->set_z(1);
  spec.mutable_shape()->set_y(rows);
  spec.mutable_shape()->set_x(512);
  spec.set_type(v1::U16);
  return spec;
}

std::string Calm(size_t bytes) {
  std::string data(bytes, '\0');
  for (size_t i = 0; i < bytes; i += 2) data[i] = static_cast<char>(i / 1000);
  return data;
}

std::string Noise(size_t bytes) {
  std::mt19937_64 random(deconvoy::testing::Seed());
  std::string data(bytes, '\0');
  for (char& byte : data) byte = static_cast<char>(random());
  return data;
}

v1::Chunk ChunkOf(std::string data, int64_t rows = 512) {
  v1::Chunk chunk;
  *chunk.mutable_box() = ToProto(FrameBox{.t = 0, .c = 0, .box = {{}, {1, rows, 512}}});
  chunk.set_crc32c(Crc32c(std::as_bytes(std::span(data))));
  chunk.set_data(std::move(data));
  return chunk;
}

// A chunk of these packed bytes, whatever they are.
v1::Chunk Packed(v1::Compression kind, std::string bytes, int64_t rows = 512) {
  v1::Chunk chunk = ChunkOf(std::move(bytes), rows);
  chunk.set_compression(kind);
  return chunk;
}

std::string PackedBytes(v1::Compression kind, const std::string& plain) {
  std::string packed;
  if (kind == v1::ZSTD) {
    packed.resize(ZSTD_compressBound(plain.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
  } else {
    packed.resize(static_cast<size_t>(LZ4_compressBound(static_cast<int>(plain.size()))));
    packed.resize(static_cast<size_t>(LZ4_compress_default(plain.data(), packed.data(), static_cast<int>(plain.size()),
                                                           static_cast<int>(packed.size()))));
  }
  return packed;
}

TEST(Compression, GivesTheSameVoxelsBack) {
  for (const v1::Compression kind : kKinds) {
    const v1::Chunk plain = ChunkOf(Calm(limits::kChunkBytes));
    v1::Chunk chunk = plain;
    Pack(chunk, kind);
    EXPECT_EQ(chunk.compression(), kind);
    EXPECT_LT(chunk.data().size(), plain.data().size() / 4);
    EXPECT_EQ(chunk.crc32c(), plain.crc32c());
    EXPECT_EQ(ReasonOf(ValidateChunk(chunk, Plane())), v1::BAD_COMPRESSION) << "it is to be unpacked first";
    ASSERT_OK(Unpack(chunk, Plane()));
    EXPECT_EQ(chunk.compression(), v1::COMPRESSION_UNSPECIFIED);
    EXPECT_TRUE(chunk.data() == plain.data());
    EXPECT_OK(ValidateChunk(chunk, Plane()));
  }
}

TEST(Compression, LeavesWhatDoesNotShrink) {
  for (const v1::Compression kind : kKinds) {
    v1::Chunk chunk = ChunkOf(Noise(limits::kChunkBytes));
    Pack(chunk, kind);
    EXPECT_EQ(chunk.compression(), v1::COMPRESSION_UNSPECIFIED);
    EXPECT_EQ(chunk.data().size(), limits::kChunkBytes);
    EXPECT_OK(Unpack(chunk, Plane()));
  }
}

TEST(Compression, RefusesAnotherNumberOfVoxels) {
  for (const v1::Compression kind : kKinds) {
    for (const size_t bytes : {limits::kChunkBytes - 2, limits::kChunkBytes + 2, size_t{0}, size_t{64} << 20U}) {
      v1::Chunk chunk = Packed(kind, PackedBytes(kind, std::string(bytes, '\7')));
      ASSERT_LE(chunk.data().size(), limits::kChunkBytes) << "a bomb that fits into a chunk";
      EXPECT_EQ(ReasonOf(Unpack(chunk, Plane())), v1::BAD_COMPRESSION) << kind << " of " << bytes;
    }
  }
}

TEST(Compression, RefusesBytesAfterTheEnd) {
  for (const v1::Compression kind : kKinds) {
    const std::string whole = PackedBytes(kind, Calm(limits::kChunkBytes));
    v1::Chunk longer = Packed(kind, whole + '\0');
    EXPECT_EQ(ReasonOf(Unpack(longer, Plane())), v1::BAD_COMPRESSION);
    v1::Chunk shorter = Packed(kind, whole.substr(0, whole.size() - 1));
    EXPECT_EQ(ReasonOf(Unpack(shorter, Plane())), v1::BAD_COMPRESSION);
  }
  const std::string half = PackedBytes(v1::ZSTD, Calm(limits::kChunkBytes / 2));
  v1::Chunk two_frames = Packed(v1::ZSTD, half + half);
  EXPECT_EQ(ReasonOf(Unpack(two_frames, Plane())), v1::BAD_COMPRESSION);
}

TEST(Compression, RefusesGarbage) {
  for (const v1::Compression kind : kKinds) {
    v1::Chunk chunk = Packed(kind, Noise(1000));
    EXPECT_EQ(ReasonOf(Unpack(chunk, Plane())), v1::BAD_COMPRESSION);
    v1::Chunk empty = Packed(kind, "");
    EXPECT_EQ(ReasonOf(Unpack(empty, Plane())), v1::BAD_COMPRESSION);
  }
  v1::Chunk unknown = Packed(static_cast<v1::Compression>(77), "x");
  EXPECT_EQ(InfoOf(Unpack(unknown, Plane())).field(), "chunk.compression");
}

TEST(Compression, RefusesBoxesAboveTheLimitBeforeItTakesMemory) {
  const uint32_t rows = 1 << 20;
  v1::Chunk bomb = Packed(v1::ZSTD, PackedBytes(v1::ZSTD, std::string(1000, '\0')), rows);
  EXPECT_EQ(ReasonOf(Unpack(bomb, Plane(rows))), v1::LIMIT_EXCEEDED);
  v1::Chunk outside = Packed(v1::ZSTD, PackedBytes(v1::ZSTD, std::string(1000, '\0')), rows);
  EXPECT_EQ(InfoOf(Unpack(outside, Plane())).field(), "chunk.box");
  v1::Chunk large = Packed(v1::LZ4, std::string(limits::kChunkBytes + 1, '\0'));
  EXPECT_EQ(ReasonOf(Unpack(large, Plane())), v1::LIMIT_EXCEEDED);
}

TEST(Packer, StopsWhereItDoesNotPay) {
  Packer packer(v1::ZSTD);
  for (int i = 0; i < 8; ++i) {
    v1::Chunk noise = ChunkOf(Noise(limits::kChunkBytes));
    packer.Pack(noise);
  }
  v1::Chunk calm = ChunkOf(Calm(limits::kChunkBytes));
  packer.Pack(calm);
  EXPECT_EQ(calm.compression(), v1::COMPRESSION_UNSPECIFIED);
}

TEST(Packer, GoesOnWhereItPays) {
  Packer packer(v1::LZ4);
  for (int i = 0; i < 20; ++i) {
    v1::Chunk calm = ChunkOf(Calm(limits::kChunkBytes));
    packer.Pack(calm);
    EXPECT_EQ(calm.compression(), v1::LZ4) << i;
  }
  Packer none(v1::COMPRESSION_UNSPECIFIED);
  v1::Chunk calm = ChunkOf(Calm(limits::kChunkBytes));
  none.Pack(calm);
  EXPECT_EQ(calm.compression(), v1::COMPRESSION_UNSPECIFIED);
}

}  // namespace
}  // namespace deconvoy
