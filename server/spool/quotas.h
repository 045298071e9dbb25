// What an owner may have at once, and whether there is place for more. Thread safe.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "deconvoy/v1/admin.pb.h"
#include "server/store/store.h"

namespace deconvoy::server {

// The quota of an owner; 0 in a field means without limit. Called by any thread.
using QuotaOf = std::function<v1::Quota(const std::string& owner)>;

class Quotas {
 public:
  // `store` must outlive this.
  Quotas(Store& store, QuotaOf quota_of) : store_(store), quota_of_(std::move(quota_of)) {}

  // Room that has been promised to something that is not in the store yet. Dropped once it is, or will not be. Must not
  // outlive the quotas.
  class Hold {
   public:
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    friend class Quotas;
    Hold(Quotas& quotas, std::string owner, Usage usage) : quotas_(&quotas), owner_(std::move(owner)), usage_(usage) {}

    Quotas* quotas_;  // null once moved from
    std::string owner_;
    Usage usage_;
  };

  // What holds for an owner.
  v1::Quota Of(const std::string& owner) const { return quota_of_ ? quota_of_(owner) : v1::Quota(); }

  // Promises room for `need` more. QUOTA_EXCEEDED with `quota` (`bytes` or `jobs`), `limit`, `used` and `need` when the
  // owner would have more than the quota allows; something that needs nothing is never refused.
  absl::StatusOr<Hold> Take(const std::string& owner, const Usage& need);
  // The same, without a promise.
  absl::Status Check(const std::string& owner, const Usage& need);

 private:
  absl::Status CheckLocked(const std::string& owner, const Usage& need);
  void Release(const std::string& owner, const Usage& usage);

  Store& store_;
  const QuotaOf quota_of_;
  std::mutex mutex_;                   // held over reading the store, so that no two count on the same room
  std::map<std::string, Usage> held_;  // guarded by mutex_: what was promised, by owner
};

}  // namespace deconvoy::server
