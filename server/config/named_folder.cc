#include "server/config/named_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/server_file.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

absl::Status Refuse(std::string_view key, std::string_view message, std::string_view remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(key), .remedy = std::string(remedy)}, message);
}

// As far as it is there, with links followed.
std::filesystem::path Canonical(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::path found = std::filesystem::weakly_canonical(std::filesystem::absolute(path), error);
  return error ? path.lexically_normal() : found;
}

bool Holds(const std::filesystem::path& folder, const std::filesystem::path& inner) {
  return std::mismatch(folder.begin(), folder.end(), inner.begin(), inner.end()).first == folder.end();
}

absl::Status CheckApart(std::string_view key, const NamedFolder& folder, const std::filesystem::path& state) {
  if (state.empty()) return absl::OkStatus();  // a private server has none yet; looked at again when it has
  const std::filesystem::path files = Canonical(folder.path), own = Canonical(state);
  if (!Holds(files, own) && !Holds(own, files)) return absl::OkStatus();
  return Refuse(key,
                fmt::format("the folder \"{}\" ({}) and the state folder ({}) lie in one another",
                            Printable(folder.name), Printable(files.string()), Printable(own.string())),
                "give users folders of their own: who can read the state folder can read everything");
}

}  // namespace

absl::StatusOr<NamedFolder> ParseNamedFolder(std::string_view key, std::string_view text) {
  constexpr std::string_view kRemedy =
      "write NAME=PATH, such as data=/srv/data: a name of 1 to 64 characters of [a-z0-9._-], and an absolute path";
  const size_t cut = text.find('=');
  NamedFolder folder;
  folder.name = text.substr(0, cut);
  if (cut != std::string_view::npos) folder.path = text.substr(cut + 1);
  if (IsRootName(folder.name) && folder.path.is_absolute() && Printable(text) == text) return folder;
  return Refuse(key, fmt::format("{} has \"{}\" in it, which is not a name and a folder", key, Printable(text)),
                kRemedy);
}

std::string WhyUnusable(const NamedFolder& folder) {
  struct stat state {};
  if (stat(folder.path.c_str(), &state) != 0) return std::generic_category().message(errno);
  if (!S_ISDIR(state.st_mode)) return "it is not a folder";
  if (access(folder.path.c_str(), R_OK | X_OK) != 0) return "it may not be read";
  if (folder.writable && access(folder.path.c_str(), W_OK) != 0) return "it may not be written";
  return "";
}

absl::StatusOr<std::vector<NamedFolder>> FoldersForFiles(const ServerConfig& config) {
  constexpr std::string_view kReadOnly = "files.read_only", kReadWrite = "files.read_write";
  std::vector<NamedFolder> folders;
  for (const bool writable : {false, true}) {
    const std::string_view key = writable ? kReadWrite : kReadOnly;
    for (const std::string& text : writable ? config.files_read_write : config.files_read_only) {
      ASSIGN_OR_RETURN(NamedFolder folder, ParseNamedFolder(key, text));
      if (std::ranges::find(folders, folder.name, &NamedFolder::name) != folders.end()) {
        return Refuse(key, fmt::format("there are two folders of the name \"{}\"", folder.name),
                      "name each once, in files.read_only or in files.read_write");
      }
      RETURN_IF_ERROR(CheckApart(key, folder, config.state_folder));
      folder.writable = writable;
      folders.push_back(std::move(folder));
    }
  }
  return folders;
}

}  // namespace deconvoy::server
