#include "client/cli/own_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "client/imageio/output_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {

bool IsSameFile(const std::string& a, const std::string& b) {
  if (a.empty() || b.empty()) return false;
  std::error_code error, ignored;
  const auto one = std::filesystem::weakly_canonical(std::filesystem::absolute(a, ignored), error);
  if (!error && one == std::filesystem::weakly_canonical(std::filesystem::absolute(b, ignored), error) && !error)
    return true;
  return std::filesystem::equivalent(a, b, ignored);
}

absl::Status CheckOwnFile(const std::string& file, const std::string& option, const std::vector<std::string>& others) {
  for (const std::string& other : others) {
    if (!IsSameFile(other, file)) continue;
    return UsageError(fmt::format("{} is given twice: {} needs a file of its own", Printable(other), option),
                      fmt::format("Choose another name for {}.", option));
  }
  return absl::OkStatus();
}

absl::Status CheckPicture(const std::string& file, const std::string& option, const std::vector<std::string>& others) {
  if (file.empty()) return absl::OkStatus();
  if (Lower(std::filesystem::path(file).extension().string()) != ".png") {
    return MakeError({.reason = v1::INVALID_FIELD, .remedy = "Choose a name that ends with .png."},
                     fmt::format("{}: a picture is written as PNG only", Printable(file)));
  }
  RETURN_IF_ERROR(CheckOwnFile(file, option, others));
  return imageio::OutputFile::Create(file, 0, /*overwrite=*/true).status();
}

}  // namespace deconvoy::client
