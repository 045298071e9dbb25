// A file that appears under its name complete or not at all.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace deconvoy::imageio {

// Errors as CheckWritable of image_file.h has them, whatever the extension.
absl::Status CheckPlace(const std::filesystem::path& path);

// A file under construction in the folder of its target. It has no name where the file system can do that, else the
// name `.NAME.part-PID-N`; it is gone when the object is destroyed without Commit. One thread at a time.
class OutputFile {
 public:
  // `need_bytes` is compared with the room on the disk first; 0 means unknown. Errors: those of CheckPlace,
  // RESOURCE_EXHAUSTED when the room is too small, INVALID_ARGUMENT when the target exists and `overwrite` is false.
  static absl::StatusOr<std::unique_ptr<OutputFile>> Create(const std::filesystem::path& path, int64_t need_bytes,
                                                            bool overwrite);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }

  // Writes all of `bytes`, from `offset` on.
  absl::Status WriteAt(int64_t offset, std::span<const std::byte> bytes);
  // Reads back what was written.
  absl::Status ReadAt(int64_t offset, std::span<std::byte> target) const;

  // Has the system begin to write what it keeps in memory, so that Commit need not wait for all of it.
  void StartWriting() const;
  // Syncs the bytes, gives the file its name and syncs the folder.
  absl::Status Commit();

 private:
  OutputFile(std::filesystem::path path, int64_t need_bytes, bool overwrite);
  absl::Status Open();
  absl::Status GiveName();

  const std::filesystem::path path_;
  const std::filesystem::path part_;
  const int64_t need_bytes_;
  const bool overwrite_;
  int descriptor_ = -1;
  bool has_part_name_ = false;
};

}  // namespace deconvoy::imageio
