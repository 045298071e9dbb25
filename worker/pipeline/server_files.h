// Files below the roots of imports and exports, opened such that nothing outside of a root is ever reached.
//
// The kernel resolves the path (openat2 with RESOLVE_BENEATH): a path that leaves the root's folder at any step, by
// `..` or by a link, is refused whatever lies there, also when links are changed meanwhile. What has been opened is
// then used by its descriptor alone.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <utility>

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::worker {

// A descriptor that is closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  int number() const { return number_; }
  // A path to what it stands for, good in this process as long as it is open.
  std::string path() const;

 private:
  int number_;  // -1 once moved from
};

// Opens the file for reading. Errors: NOT_FOUND; PATH_NOT_ALLOWED for what leaves the root and what this process may
// not read; BAD_FILE for anything that is no regular file; STORAGE_FAILURE, also where this worker sees another root
// than the server.
absl::StatusOr<Descriptor> OpenForReading(const v1::FileAccess& file);

// Opens the folder that the file is in, or is to be in. Errors: the same; NOT_FOUND where the folder is not there.
absl::StatusOr<Descriptor> OpenFolder(const v1::FileAccess& file);

// The last name of the path.
std::string NameIn(const v1::FileAccess& file);

// Tells whether the file stays the same. Errors: STORAGE_FAILURE.
absl::StatusOr<v1::FileStamp> StampOf(const Descriptor& open, const v1::FileAccess& file);

// An error on a file that was reached through its open folder, with the names that its owner knows.
absl::Status WithFileName(const absl::Status& status, const Descriptor& folder, const v1::FileAccess& file);

}  // namespace deconvoy::worker
