// The tables `requests` and `counters`. Functions run inside the caller's transaction.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "server/store/sqlite.h"
#include "server/store/store.h"

namespace deconvoy::server::request_table {

absl::StatusOr<std::optional<Store::RequestRecord>> Find(Database& database, const std::string& owner,
                                                         const std::string& request_id);
// REQUEST_ID_REUSED when the owner's request id is taken. Does nothing for an empty id.
absl::Status Insert(Database& database, const std::string& owner, const std::string& request_id,
                    const Store::RequestRecord& record);
// Forgets the requests that made a resource.
absl::Status DeleteOf(Database& database, const std::string& resource_id);

// Raises the counter of fencing tokens by `count` and returns its new value.
absl::StatusOr<int64_t> AdvanceTokens(Database& database, int64_t count);

absl::Status SetCounter(Database& database, const std::string& name, int64_t value);
// 0 where it has never been set.
absl::StatusOr<int64_t> GetCounter(Database& database, const std::string& name);

}  // namespace deconvoy::server::request_table
