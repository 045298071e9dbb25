#include "client/cli/programs.h"

#include <fmt/format.h>

#include <boost/process.hpp>
#include <iterator>

#include "proto/contract/error.h"

namespace deconvoy::client {

absl::StatusOr<std::filesystem::path> SiblingProgram(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto path = self.parent_path() / name;
  if (!error && std::filesystem::exists(path, error)) return path;
  return MakeError({.reason = v1::NOT_FOUND,
                    .remedy = "Install the programs of one release into one folder, or name a server with --server."},
                   fmt::format("the program {} is not there", Printable(path.string())));
}

absl::StatusOr<std::string> OutputOf(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
  namespace process = boost::process;
  try {
    process::ipstream output;
    process::child child(program.string(), process::args(arguments), process::std_out > output,
                         process::std_in < process::null);
    std::string text{std::istreambuf_iterator<char>(output), std::istreambuf_iterator<char>()};
    child.wait();
    if (child.exit_code() == 0) return text;
    return absl::InternalError(fmt::format("{} ended with code {}", Printable(program.string()), child.exit_code()));
  } catch (const process::process_error& failure) {
    return absl::InternalError(fmt::format("cannot start {}: {}", Printable(program.string()), failure.what()));
  }
}

}  // namespace deconvoy::client
