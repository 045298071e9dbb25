// How the bytes of a chunk are packed for the way, and unpacked again. Only what travels is packed: files and checksums
// are of plain voxels.
//
// A chunk says how large it unpacks by its box, at most limits::kChunkBytes, and the memory for that is taken before
// anything is unpacked; so no chunk can make its reader take more than that, whatever its ratio. Thread safe.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy {

// Packs the bytes of a plain chunk where that makes them fewer; else leaves it as it is. With COMPRESSION_UNSPECIFIED,
// or an unknown value, it stays plain, too.
void Pack(v1::Chunk& chunk, v1::Compression compression);

// Makes a chunk of `volume` plain. A plain one stays as it is. Errors: BAD_COMPRESSION when it does not unpack to
// exactly the voxels of its box, or is of an unknown kind; LIMIT_EXCEEDED when it is too large, packed or unpacked;
// INVALID_FIELD for a box outside of the volume. Its checksum is not looked at.
absl::Status Unpack(v1::Chunk& chunk, const v1::VolumeSpec& volume);

// Packs the chunks of one transfer for as long as it pays: after the first ones it stops where they have not become a
// fifth smaller, unless it is to go on `always`. Not thread safe.
class Packer {
 public:
  explicit Packer(v1::Compression compression, bool always = false) : compression_(compression), always_(always) {}

  void Pack(v1::Chunk& chunk);

 private:
  v1::Compression compression_;
  const bool always_;
  int chunks_ = 0;  // looked at so far
  int64_t plain_bytes_ = 0, packed_bytes_ = 0;
};

}  // namespace deconvoy
