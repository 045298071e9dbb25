// Users, their tokens and roles: who a caller is, and who may be let in.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/auth/caller.h"
#include "server/observe/environment.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Whether callers have to show a token. Without, everybody is the user `local` with the role ADMIN.
enum class TokenRule { kOff, kRequired };

// Thread safe. `store` and `clock` must outlive it. Who a caller is, is asked of the store with every call: what has
// been revoked or disabled is refused from the next one on.
class Accounts {
 public:
  Accounts(TokenRule rule, Store& store, Clock& clock) : rule_(rule), store_(store), clock_(clock) {}

  // Reads what Known and WeightOfGroup tell. Before the first call of these.
  absl::Status Load();

  bool tokens_required() const { return rule_ == TokenRule::kRequired; }

  // The caller who sends `authorization`, the value of the header of this name. NO_TOKEN, BAD_TOKEN (unknown, revoked,
  // or of a disabled user), TOKEN_EXPIRED.
  absl::StatusOr<Caller> Identify(std::string_view authorization);

  // The user of an id; NOT_FOUND. `local` is there even where nobody has added it, as an ADMIN, while no tokens are
  // asked for.
  absl::StatusOr<UserRecord> Find(const std::string& id);
  // The same from memory: weight, group and quota are asked for far more often than they change. Nothing for a user
  // that nobody has added.
  std::optional<UserRecord> Known(const std::string& id) const;
  // The folders for files that a user may use, from memory, too. An ADMIN may use all.
  FileRights FileRightsOf(const std::string& id) const;
  absl::StatusOr<Page<UserRecord>> List(int page_size, const std::string& page_token);

  // Adds a user, with `create_time` from the clock. ALREADY_EXISTS; INVALID_FIELD.
  absl::StatusOr<UserRecord> Add(UserRecord user);
  // Changes the fields of `change` that are named: `role`, `group`, `weight`, `quota`, `disabled`,
  // `file_roots`. NOT_FOUND;
  // INVALID_FIELD; LAST_ADMIN when nobody could administer the server any more.
  absl::StatusOr<UserRecord> Update(const UserRecord& change, const std::vector<std::string>& fields);

  // --- groups, which are there by the users that are in them ---
  // What a group weighs among groups, from memory; 1 where nobody has said otherwise.
  double WeightOfGroup(const std::string& group) const;
  // INVALID_FIELD; NOT_FOUND, see Store.
  absl::StatusOr<GroupRecord> SetGroupWeight(const std::string& group, double weight);
  absl::StatusOr<Page<GroupRecord>> ListGroups(int page_size, const std::string& page_token);

  // A token and its text, which is kept nowhere.
  struct NewToken {
    TokenRecord token;
    std::string text;
  };
  // Makes a token for a user, for ever with `lifetime` InfiniteDuration. NOT_FOUND; INVALID_FIELD.
  absl::StatusOr<NewToken> MakeToken(const std::string& user_id, const std::string& label, absl::Duration lifetime);
  absl::StatusOr<Page<TokenRecord>> ListTokens(const std::string& user_id, int page_size,
                                               const std::string& page_token);
  // NOT_FOUND; LAST_ADMIN. Revoking again changes nothing.
  absl::StatusOr<TokenRecord> RevokeToken(const std::string& user_id, int64_t number);

  // Gives the user `admin`, who is made where missing, the role ADMIN and the token `text` (of NewTokenText).
  // FAILED_PRECONDITION when somebody can administer the server already.
  absl::Status MakeFirstAdmin(const std::string& text);

 private:
  absl::StatusOr<TokenRecord> InsertToken(const std::string& user_id, const std::string& label, absl::Time expire_time,
                                          const std::string& text);
  // LAST_ADMIN when there are tokens with which somebody can administer the server, and all of them are `lost`.
  template <typename Lost>
  absl::Status CheckAdminStays(const Lost& lost);
  void NoteUse(TokenRecord token);
  void Remember(const UserRecord& user);
  void Remember(const GroupRecord& group);

  const TokenRule rule_;
  Store& store_;
  Clock& clock_;
  std::mutex changes_;  // held from the check of who can administer to the change
  mutable std::mutex known_mutex_;
  // --- guarded by known_mutex_ ---
  std::map<std::string, UserRecord> known_;      // by id
  std::map<std::string, double> group_weights_;  // of groups that do not weigh 1
};

}  // namespace deconvoy::server
