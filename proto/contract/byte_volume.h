// Files in volumes: a frame of U8 that holds a file of any length, so that what carries volumes carries files, too.
//
// A frame has one plane of rows of 4096 bytes: the file's length as eight bytes, little endian, then the file, then
// zeros. Described in docs/formats/models.md.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy {

// A volume of `frames` time points, each of which can hold a file of `bytes`. REQUIRES: bytes from 0 to
// limits::kModelStateBytes, frames at least 1.
v1::VolumeSpec ByteVolume(int64_t bytes, int64_t frames = 1);

// INVALID_FIELD unless the volume is one of those; `field` names it.
absl::Status CheckByteVolume(const v1::VolumeSpec& volume, std::string_view field);

// The bytes of a frame of the volume that holds `file`. BAD_MODEL where it is too long for it.
absl::StatusOr<std::string> ToFrameBytes(std::string_view file, const v1::VolumeSpec& volume);

// The file in a frame's bytes, as a part of these. BAD_MODEL where the length is not one that they can hold.
absl::StatusOr<std::string_view> FromFrameBytes(std::string_view frame);

}  // namespace deconvoy
