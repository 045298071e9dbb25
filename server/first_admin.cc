#include "server/first_admin.h"

#include <fmt/format.h>

#include <memory>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/auth/replace_file.h"
#include "server/auth/token_text.h"
#include "server/observe/audit.h"
#include "server/schedule/server_core.h"
#include "server/store/state_folder.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

absl::Status WriteNew(const fs::path& file, const std::string& text) {
  std::error_code ignored;
  if (fs::exists(fs::symlink_status(file, ignored))) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "token-file", .remedy = "name a file that is not there"},
                     fmt::format("{} is there already", Printable(file.string())));
  }
  return ReplaceFile(file, text + "\n", 0600);
}

}  // namespace

absl::StatusOr<std::string> MakeFirstAdmin(const ServerConfig& config, const fs::path& token_file) {
  ASSIGN_OR_RETURN(const StateFolder state, StateFolder::Open(config.state_folder));
  ServerCore::Options options;
  options.database = state.database();
  options.spool.directory = state.spool();
  options.spool.keep_free_bytes = config.keep_free_bytes;
  ASSIGN_OR_RETURN(const std::unique_ptr<ServerCore> core, ServerCore::Open(options, SystemClock(), RandomIds()));
  ASSIGN_OR_RETURN(std::string text, NewTokenText());
  // The file first: a token that nobody has would stand in the way of another one.
  if (!token_file.empty()) RETURN_IF_ERROR(WriteNew(token_file, text));
  const absl::Status made = core->accounts().MakeFirstAdmin(text);
  core->jobs().Stop();
  core->dispatcher().Stop();
  const std::string outcome = made.ok() ? "ok" : std::string(made.message());
  Audit({.who = "", .from = "this machine", .what = "deconvoyd --init", .subject = "users/admin", .outcome = outcome});
  if (made.ok()) return text;
  std::error_code ignored;
  if (!token_file.empty()) fs::remove(token_file, ignored);
  return made;
}

}  // namespace deconvoy::server
