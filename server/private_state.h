// What makes a server private to one caller: it ends with its parent, and its state folder goes with it.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>

namespace deconvoy::server {

// Has the system send SIGTERM to this process when its parent ends. UNAVAILABLE when the parent has ended already.
absl::Status EndWithParent();

// A state folder that is removed with everything in it by the destructor.
class PrivateState {
 public:
  // Takes `folder`, which must not exist or be empty but for the caller's `log` and `socket`; makes one in the system's
  // folder for temporary files when it is empty text. INVALID_FIELD or STORAGE_FAILURE otherwise, leaving it as it is.
  static absl::StatusOr<std::unique_ptr<PrivateState>> Claim(const std::filesystem::path& folder);
  ~PrivateState();

  PrivateState(const PrivateState&) = delete;
  PrivateState& operator=(const PrivateState&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  explicit PrivateState(std::filesystem::path folder) : folder_(std::move(folder)) {}

  const std::filesystem::path folder_;
};

}  // namespace deconvoy::server
