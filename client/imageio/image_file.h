// Image stacks in files: TIFF, OME-TIFF and BigTIFF, read and written plane by plane.
//
// A leaf on the contract alone. Foreign bytes are never trusted: every size is checked before memory is taken, loops of
// directories end, and errors say file, directory and what is wrong. Nothing half-written stays: a file gets its name
// when it is finished. One thread at a time per object.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/imageio/acquisition.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::imageio {

// A stack in a file.
class ImageReader {
 public:
  virtual ~ImageReader() = default;

  // Shape, type, voxel size (ImageJ or OME; 0 where the file does not say), channel names; `display_name` is the file's
  // name.
  virtual const v1::VolumeSpec& spec() const = 0;
  // `OME-TIFF`, `ImageJ TIFF` or `TIFF`.
  virtual std::string format() const = 0;
  // Things worth telling the user, for instance that axes were guessed.
  virtual const std::vector<std::string>& notes() const = 0;
  // How the image was taken, as far as the file tells.
  virtual const Acquisition& acquisition() const = 0;
  // Reads one plane, C order y,x, little endian. `target` has spec's plane size in bytes.
  virtual absl::Status ReadPlane(int64_t t, int64_t c, int64_t z, std::span<std::byte> target) = 0;
};

// Opens a file. Errors: NOT_FOUND; INVALID_ARGUMENT for what is not a grey TIFF of u8, u16 or f32 (palette, RGB, other
// depths, truncated, no planes, looping directories), each saying what it is and what to do.
absl::StatusOr<std::unique_ptr<ImageReader>> OpenImage(const std::filesystem::path& path);
// The same for a file that is open already, which is called `path` in errors and of which `descriptor` stays with the
// caller: it is not needed once this returns.
absl::StatusOr<std::unique_ptr<ImageReader>> OpenImage(int descriptor, const std::filesystem::path& path);

enum class Compression { kNone, kDeflate, kZstd };

// Values that a viewer shows as black and white.
struct DisplayRange {
  double minimum = 0;
  double maximum = 0;
};

struct WriteOptions {
  Compression compression = Compression::kNone;
  bool overwrite = true;
  // Of all voxels; kept by ImageJ TIFF of one channel only. Without it ImageJ takes the range of the first plane.
  std::optional<DisplayRange> display_range = {};
};

// A file being written. Dropped without Finish, it leaves nothing behind.
class ImageWriter {
 public:
  virtual ~ImageWriter() = default;
  // Planes must come in t,c,z order.
  virtual absl::Status WritePlane(std::span<const std::byte> plane) = 0;
  // Syncs, and moves the file to its name.
  virtual absl::Status Finish() = 0;
};

// Starts `path` as OME-TIFF (names ending in `.ome.tif(f)`) or ImageJ TIFF (`.tif(f)`), BigTIFF where it may pass 4
// GiB. Errors: the folder missing or not writable, no room (RESOURCE_EXHAUSTED), another extension.
absl::StatusOr<std::unique_ptr<ImageWriter>> CreateImage(const std::filesystem::path& path, const v1::VolumeSpec& spec,
                                                         const WriteOptions& options);

// Room on the disk that CreateImage asks for, spool included; 0 where compression leaves it unknown. REQUIRES: the name
// and the spec are such that CreateImage takes them.
int64_t RoomFor(const std::filesystem::path& path, const v1::VolumeSpec& spec, const WriteOptions& options);

// Whether CreateImage would succeed as far as the place goes, found by making a file there and dropping it again, so
// that a job is not run for a result that cannot be written. An existing file stays as it is. `need_bytes` is compared
// with the room on the disk (RESOURCE_EXHAUSTED); 0 for unknown.
absl::Status CheckWritable(const std::filesystem::path& path, int64_t need_bytes = 0);

}  // namespace deconvoy::imageio
