// What every store promises about users and their tokens.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StoreUsersTest : public StoreContractTest {
 protected:
  void AddUser(const std::string& id, v1::Role role = v1::USER) {
    ASSERT_OK(store_->InsertUser({.id = id, .role = role, .create_time = At(1)}));
  }
  TokenRecord AddToken(const std::string& user, const std::string& hash, absl::Time expire = absl::InfiniteFuture()) {
    const auto token =
        store_->InsertUserToken({.user_id = user, .hash = hash, .create_time = At(2), .expire_time = expire});
    EXPECT_OK(token);
    return token.value_or(TokenRecord{.user_id = "", .hash = ""});
  }
  std::vector<std::string> AdminHashes(absl::Time now) {
    std::vector<std::string> hashes;
    const auto tokens = store_->UsableAdminTokens(now);
    EXPECT_OK(tokens);
    for (const TokenRecord& token : *tokens) hashes.push_back(token.hash);
    return hashes;
  }
};

TEST_P(StoreUsersTest, AUserComesBackAsItWasAlsoAfterReopening) {
  UserRecord user{.id = "ada", .role = v1::ADMIN, .group = "imaging", .weight = 2.5, .create_time = At(3)};
  user.quota.emplace().set_jobs(7);
  user.file_roots = {"data", "out"};
  ASSERT_OK(store_->InsertUser(user));
  for (int round = 0; round < 2; ++round, Reopen()) {
    ASSERT_OK_AND_ASSIGN(const UserRecord back, store_->GetUser("ada"));
    EXPECT_EQ(back.role, v1::ADMIN);
    EXPECT_EQ(back.group, "imaging");
    EXPECT_EQ(back.weight, 2.5);
    ASSERT_TRUE(back.quota.has_value());
    EXPECT_EQ(back.quota->jobs(), 7U);
    EXPECT_FALSE(back.disabled);
    EXPECT_THAT(back.file_roots, ElementsAre("data", "out"));
    EXPECT_EQ(back.create_time, At(3));
  }
  user.role = v1::USER;
  user.disabled = true;
  user.quota.reset();
  user.file_roots.clear();
  ASSERT_OK(store_->UpdateUser(user));
  ASSERT_OK_AND_ASSIGN(const UserRecord changed, store_->GetUser("ada"));
  EXPECT_EQ(changed.role, v1::USER);
  EXPECT_TRUE(changed.disabled);
  EXPECT_FALSE(changed.quota.has_value());
  EXPECT_THAT(changed.file_roots, IsEmpty());
}

TEST_P(StoreUsersTest, AnIdIsTakenOnceAndUnknownOnesAreNotFound) {
  AddUser("ada");
  EXPECT_EQ(store_->InsertUser({.id = "ada"}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(store_->GetUser("bob").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->UpdateUser({.id = "bob"})), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->InsertUserToken({.user_id = "bob", .hash = "h"}).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->ListUserTokens("bob", 10, "").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetUserToken("ada", 1).status()), v1::NOT_FOUND);
}

TEST_P(StoreUsersTest, GroupsAreThoseOfUsersAndThoseWithAWeightOfTheirOwn) {
  const auto listed = [this] {
    std::vector<std::string> groups;
    std::string token;
    do {
      const auto page = store_->ListGroups(2, token);
      EXPECT_OK(page);
      if (!page.ok()) return groups;
      for (const GroupRecord& group : page->items) {
        groups.push_back(fmt::format("{} {:g} {}", group.name, group.weight, group.users));
      }
      token = page->next_token;
    } while (!token.empty());
    return groups;
  };
  EXPECT_THAT(listed(), IsEmpty());
  EXPECT_EQ(ReasonOf(store_->SetGroupWeight("lab", 2).status()), v1::NOT_FOUND);
  ASSERT_OK(store_->InsertUser({.id = "ada", .group = "lab"}));
  ASSERT_OK(store_->InsertUser({.id = "bob", .group = "lab"}));
  ASSERT_OK(store_->InsertUser({.id = "eve", .group = "core"}));
  ASSERT_OK(store_->InsertUser({.id = "joe", .group = "zoo"}));
  AddUser("single");
  EXPECT_THAT(listed(), ElementsAre("core 1 1", "lab 1 2", "zoo 1 1"));
  ASSERT_OK(store_->SetGroupWeight("lab", 5));
  ASSERT_OK_AND_ASSIGN(const GroupRecord lab, store_->SetGroupWeight("lab", 2.5));
  EXPECT_EQ(lab.name, "lab");
  EXPECT_EQ(lab.weight, 2.5);
  EXPECT_EQ(lab.users, 2);
  ASSERT_OK(store_->SetGroupWeight("core", 3));
  ASSERT_OK(store_->UpdateUser({.id = "eve", .group = "lab"}));
  Reopen();
  EXPECT_THAT(listed(), ElementsAre("core 3 0", "lab 2.5 3", "zoo 1 1")) << "a weight lasts";
  ASSERT_OK(store_->SetGroupWeight("core", 1));
  ASSERT_OK(store_->SetGroupWeight("lab", 1));
  EXPECT_THAT(listed(), ElementsAre("lab 1 3", "zoo 1 1"));
}

TEST_P(StoreUsersTest, UsersAreListedByIdInPages) {
  for (const char* id : {"c", "a", "e", "b", "d"}) AddUser(id);
  std::vector<std::string> ids;
  std::string next;
  do {
    ASSERT_OK_AND_ASSIGN(const Page<UserRecord> page, store_->ListUsers(2, next));
    EXPECT_LE(page.items.size(), 2U);
    for (const UserRecord& user : page.items) ids.push_back(user.id);
    next = page.next_token;
  } while (!next.empty());
  EXPECT_THAT(ids, ElementsAre("a", "b", "c", "d", "e"));
}

TEST_P(StoreUsersTest, TokensHaveNumbersOfTheirUserAndAreListedNewestFirst) {
  AddUser("ada");
  AddUser("bob");
  EXPECT_EQ(AddToken("ada", "h1").number, 1);
  EXPECT_EQ(AddToken("bob", "h2").number, 1);
  EXPECT_EQ(AddToken("ada", "h3").number, 2);
  EXPECT_EQ(AddToken("ada", "h4", At(9)).number, 3);
  std::vector<int64_t> numbers;
  std::string next;
  do {
    ASSERT_OK_AND_ASSIGN(const Page<TokenRecord> page, store_->ListUserTokens("ada", 2, next));
    for (const TokenRecord& token : page.items) numbers.push_back(token.number);
    next = page.next_token;
  } while (!next.empty());
  EXPECT_THAT(numbers, ElementsAre(3, 2, 1));
}

TEST_P(StoreUsersTest, ATokenIsFoundByItsHash) {
  AddUser("ada");
  TokenRecord token = AddToken("ada", std::string("a\0b", 3), At(9));
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindUserToken(std::string("a\0b", 3)));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->user_id, "ada");
  EXPECT_EQ(found->expire_time, At(9));
  EXPECT_EQ(found->last_used_time, absl::InfinitePast());
  EXPECT_FALSE(found->revoked);
  ASSERT_OK_AND_ASSIGN(const auto none, store_->FindUserToken("a"));
  EXPECT_FALSE(none.has_value());
  token.last_used_time = At(5);
  token.revoked = true;
  ASSERT_OK(store_->UpdateUserToken(token));
  ASSERT_OK_AND_ASSIGN(const TokenRecord changed, store_->GetUserToken("ada", 1));
  EXPECT_EQ(changed.last_used_time, At(5));
  EXPECT_TRUE(changed.revoked);
}

TEST_P(StoreUsersTest, ATokenThatOpensTheServerToAnAdminIsUsableNow) {
  AddUser("user");
  AddUser("one", v1::ADMIN);
  AddUser("two", v1::ADMIN);
  AddToken("user", "not an admin's");
  AddToken("one", "good");
  AddToken("one", "expires", At(100));
  TokenRecord revoked = AddToken("two", "revoked");
  EXPECT_THAT(AdminHashes(At(99)), ::testing::UnorderedElementsAre("good", "expires", "revoked"));
  revoked.revoked = true;
  ASSERT_OK(store_->UpdateUserToken(revoked));
  EXPECT_THAT(AdminHashes(At(100)), ElementsAre("good"));
  ASSERT_OK(store_->UpdateUser({.id = "one", .role = v1::ADMIN, .disabled = true}));
  EXPECT_THAT(AdminHashes(At(0)), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreUsersTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
