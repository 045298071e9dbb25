// A TIFF file under libtiff: one descriptor, one handle, and what libtiff said about it.
//
// Messages are collected per file, never printed, and no global handler of libtiff is used, so that files in several
// threads do not meet. One thread at a time per object.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <tiffio.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace deconvoy::imageio {

class TiffFile {
 public:
  // Opens an existing file whose first bytes are those of a TIFF. No directory is read yet. Errors: NOT_FOUND;
  // INVALID_ARGUMENT for folders, devices, empty files and other formats, naming what it is where that is known.
  static absl::StatusOr<std::unique_ptr<TiffFile>> OpenForReading(const std::filesystem::path& path);

  // The same for a file that is open already; the object has a descriptor of its own.
  static absl::StatusOr<std::unique_ptr<TiffFile>> OpenForReading(int descriptor, const std::filesystem::path& path);

  // Begins a TIFF in an empty file. `descriptor` stays with the caller and must outlive the object.
  static absl::StatusOr<std::unique_ptr<TiffFile>> Begin(int descriptor, const std::filesystem::path& path, bool big);

  ~TiffFile();
  TiffFile(const TiffFile&) = delete;
  TiffFile& operator=(const TiffFile&) = delete;

  TIFF* handle() const { return handle_; }
  const std::filesystem::path& path() const { return path_; }
  int64_t size() const { return size_; }  // when opened
  bool big_endian() const { return big_endian_; }
  bool big() const { return big_; }  // BigTIFF

  // Fills `target` from `offset`; false where the file ends before.
  bool ReadAt(int64_t offset, std::span<std::byte> target) const;

  // What libtiff said since the last call, as one line; empty if nothing.
  std::string TakeMessages();
  // errno of the first failed write; 0 if there was none.
  int write_errno() const { return write_errno_; }

 private:
  struct Callbacks;

  TiffFile() = default;
  static absl::StatusOr<std::unique_ptr<TiffFile>> Read(int descriptor, const std::filesystem::path& path);
  bool Attach(const char* mode);

  std::filesystem::path path_;
  TIFF* handle_ = nullptr;
  int descriptor_ = -1;
  bool owns_descriptor_ = false;
  bool big_endian_ = false;
  bool big_ = false;
  int64_t size_ = 0;
  int64_t position_ = 0;
  int write_errno_ = 0;
  std::vector<std::string> messages_;
};

}  // namespace deconvoy::imageio
