// The audit log: one line per change of users, tokens and workers, per deletion, and per address and second in which
// callers are turned away. Who, from where, what, and what came of it; never a token.
#pragma once

#include <absl/status/status.h>

#include <filesystem>
#include <string_view>

namespace deconvoy::server {

struct AuditEvent {
  std::string_view who;      // id of the user; empty: nobody who is known
  std::string_view from;     // address of the peer
  std::string_view what;     // the call
  std::string_view subject;  // what it is about, and how it is to change
  std::string_view outcome;  // `ok`, or the error
};

// Puts audit lines into `file` (mode 0600, appended to); without this they go into the normal log at the level info.
// STORAGE_FAILURE when it cannot be opened. Call before any thread starts.
absl::Status SetUpAudit(const std::filesystem::path& file);

// Writes a line. Control characters, quotes and backslashes of every part are escaped. Thread safe.
void Audit(const AuditEvent& event);

}  // namespace deconvoy::server
