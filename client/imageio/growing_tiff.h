// A TIFF to which a microscope still appends pages.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>

#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::imageio {

// Pages are planes, one directory each, all alike, of what OpenImage reads. A page counts as written once the directory
// of the next one is there; the last one when the file rests. One thread at a time.
class GrowingTiff {
 public:
  explicit GrowingTiff(std::filesystem::path path);
  ~GrowingTiff();
  GrowingTiff(const GrowingTiff&) = delete;
  GrowingTiff& operator=(const GrowingTiff&) = delete;

  // Looks at the file again, which need not be there yet; the pages that are written. Nobody has written for a while
  // where the file still has `resting_bytes`. Errors (INVALID_ARGUMENT): no TIFF, directories that loop, a file that
  // has become smaller; what is wrong with a first page that is written.
  absl::StatusOr<int64_t> CountPages(int64_t resting_bytes);

  // One page as a volume of one plane: extents, type, and the file's name. REQUIRES: CountPages has found one.
  const v1::VolumeSpec& page() const { return *page_; }

  // Reads a page that is written, into `target` of the bytes of a plane. Errors: a page of another size or type than
  // the first, a thumbnail, and what ReadPageInfo and ReadPagePixels find.
  absl::Status ReadPage(int64_t page, std::span<std::byte> target);

 private:
  struct State;

  absl::Status LookAtFirstPage();

  const std::filesystem::path path_;
  int64_t size_ = 0;
  std::optional<v1::VolumeSpec> page_;
  std::unique_ptr<State> state_;
};

}  // namespace deconvoy::imageio
