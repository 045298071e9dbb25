// Files that a command writes beside others: none may take the place of another.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

namespace deconvoy::client {

// Whether both name one file, which need not be there yet.
bool IsSameFile(const std::string& a, const std::string& b);

// A usage error where `file`, which `option` names, is one of `others`, too. An empty name is no file.
absl::Status CheckOwnFile(const std::string& file, const std::string& option, const std::vector<std::string>& others);

// The same of a picture; INVALID_FIELD for another name than .png, and the errors of imageio::CheckPlace.
absl::Status CheckPicture(const std::string& file, const std::string& option, const std::vector<std::string>& others);

}  // namespace deconvoy::client
