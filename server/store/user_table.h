// The tables `users` and `tokens`. Functions run inside the caller's transaction; errors are those of store.h.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::user_table {

// ALREADY_EXISTS when there is a user of this id.
absl::Status Insert(Database& database, const UserRecord& user);
absl::StatusOr<UserRecord> Get(Database& database, const std::string& id);
absl::Status Update(Database& database, const UserRecord& user);
absl::StatusOr<Page<UserRecord>> List(Database& database, int page_size, const std::string& page_token);

// Gives the token its number. NOT_FOUND for an unknown user.
absl::Status InsertToken(Database& database, TokenRecord& token);
absl::StatusOr<std::optional<TokenRecord>> FindToken(Database& database, const std::string& hash);
absl::StatusOr<TokenRecord> GetToken(Database& database, const std::string& user_id, int64_t number);
absl::StatusOr<Page<TokenRecord>> ListTokens(Database& database, const std::string& user_id, int page_size,
                                             const std::string& page_token);
// Replaces what may change: time of the last use, and whether it is revoked.
absl::Status UpdateToken(Database& database, const TokenRecord& token);
absl::StatusOr<std::vector<TokenRecord>> UsableAdminTokens(Database& database, absl::Time now);

}  // namespace deconvoy::server::user_table
