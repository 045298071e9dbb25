// The checksum of a box as its volume's file has it.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"
#include "server/spool/file_system.h"

namespace deconvoy::server {

// CRC-32C of the bytes of `box`, z,y,x order, read in pieces of at most 512 KiB into `buffer`, which is scratch.
// Errors: those of the file. REQUIRES: the box lies inside the volume.
absl::StatusOr<uint32_t> Crc32cOfBox(const File& file, const Shape5& shape, v1::VoxelType type, const FrameBox& box,
                                     std::vector<std::byte>& buffer);

}  // namespace deconvoy::server
