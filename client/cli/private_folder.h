// The folder of a private server: made for one command, and removed with it, or by a later command.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <string>

namespace deconvoy::client {

// Mode 0700, with a file `log`, which is locked for as long as some process has it open: this one, or one that was
// started with its descriptor.
class PrivateFolder {
 public:
  // Makes a folder in `base`. STORAGE_FAILURE where that cannot be.
  static absl::StatusOr<std::unique_ptr<PrivateFolder>> Make(const std::filesystem::path& base);

  // Removes it with everything in it.
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path log() const { return path_ / "log"; }
  // Open for appending, closed by exec.
  int log_descriptor() const { return log_; }
  // The last few thousand bytes of the log, also when somebody has removed the file.
  std::string EndOfLog() const;
  // Of the server: in the folder, or in /tmp where the path would be too long for a socket.
  std::filesystem::path socket() const;

 private:
  explicit PrivateFolder(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path path_;
  int log_ = -1;
};

// Removes the folders that PrivateFolder has made in `base` for this user on this machine and that no process uses.
// What cannot be removed stays.
void SweepPrivateFolders(const std::filesystem::path& base);

}  // namespace deconvoy::client
