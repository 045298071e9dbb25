// Planes of a recording that is under way, one after the other, from where the microscope's software leaves them.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "client/imageio/acquisition.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::client {

// What the first plane tells of all.
struct FeedStart {
  v1::VolumeSpec plane;  // extents along y and x, type, voxel size as far as it is known, a name for people
  imageio::Acquisition acquisition;
};

enum class FeedState {
  kPlane,    // one was read
  kNothing,  // there is none yet
  kEnd,      // there will be none any more
};

// No function waits longer than some milliseconds. One thread at a time.
class PlaneFeed {
 public:
  virtual ~PlaneFeed() = default;

  // What the planes are; nothing while none is there.
  virtual absl::StatusOr<std::optional<FeedStart>> Start() = 0;
  // Reads the next plane into `plane`, of the bytes that `Start` tells; where `plane` is empty and the feed replays,
  // passes over it. An error for what can be no plane of it.
  virtual absl::StatusOr<FeedState> Next(std::span<std::byte> plane) = 0;
  // Whether it begins with the first plane again when a recording is taken up again, rather than with the first one
  // that is missing.
  virtual bool replays() const { return true; }
  // What it waits for, for people: `the directory of page 12`.
  virtual std::string AwaitedText() const = 0;
};

using FeedClock = std::function<absl::Time()>;

// Files of a folder in the order of their names, numbers by their value; each is one plane, or a stack whose planes
// come in t,c,z order (or, with `channels_first`, in t,z,c order). Only names ending in .tif or .tiff count, hidden
// ones never. A file is read once it has been closed after writing or was renamed into place, or has not changed for
// `settle` (where the system does not tell the former, as on network drives), and is whole. Where the last number in
// the names leaves one out, the feed waits for it. Errors: planes that differ from the first, a file that comes after
// its turn.
std::unique_ptr<PlaneFeed> WatchFolder(const std::filesystem::path& folder, absl::Duration settle, bool channels_first,
                                       FeedClock clock);

// Pages of a TIFF as they are appended (imageio::GrowingTiff); the file rests when it has not grown for `settle`. It
// need not be there yet.
std::unique_ptr<PlaneFeed> WatchTiff(const std::filesystem::path& file, absl::Duration settle, FeedClock clock);

// Raw planes, C order y,x, little endian, from a descriptor, which stays the caller's. An error where it ends inside a
// plane.
std::unique_ptr<PlaneFeed> ReadRaw(int descriptor, const v1::VolumeSpec& plane);

}  // namespace deconvoy::client
