#include "server/auth/accounts.h"

#include <gmock/gmock.h>

#include <fstream>
#include <limits>
#include <memory>

#include "proto/contract/error.h"
#include "server/auth/token_text.h"
#include "tests/support/fake_environment.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using std::chrono::hours;
using ::testing::HasSubstr;
using ::testing::Not;

class AccountsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(store_, Store::Open(folder_.path() / "store.sqlite"));
    accounts_ = std::make_unique<Accounts>(TokenRule::kRequired, *store_, clock_);
  }

  // A user with a token; returns what they send.
  std::string Add(const std::string& id, v1::Role role, absl::Duration lifetime = absl::InfiniteDuration()) {
    EXPECT_OK(accounts_->Add({.id = id, .role = role}));
    const auto made = accounts_->MakeToken(id, "", lifetime);
    EXPECT_OK(made);
    return "Bearer " + made.value_or(Accounts::NewToken{}).text;
  }

  v1::ErrorReason ReasonFor(const std::string& authorization) {
    return ReasonOf(accounts_->Identify(authorization).status());
  }

  testing::TemporaryFolder folder_;
  testing::FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Accounts> accounts_;
};

TEST_F(AccountsTest, ATokenSaysWhoCallsAndWhatTheyMay) {
  const std::string ada = Add("ada", v1::USER), root = Add("root", v1::ADMIN);
  ASSERT_OK_AND_ASSIGN(const Caller user, accounts_->Identify(ada));
  EXPECT_EQ(user.owner, "ada");
  EXPECT_EQ(user.role, v1::USER);
  ASSERT_OK_AND_ASSIGN(const Caller admin, accounts_->Identify(root));
  EXPECT_EQ(admin.owner, "root");
  EXPECT_EQ(admin.role, v1::ADMIN);
}

TEST_F(AccountsTest, WhoShowsNoGoodTokenIsTurnedAway) {
  const std::string ada = Add("ada", v1::USER);
  EXPECT_EQ(ReasonFor(""), v1::NO_TOKEN);
  EXPECT_EQ(ReasonFor("Basic abc"), v1::BAD_TOKEN);
  EXPECT_EQ(ReasonFor("Bearer "), v1::BAD_TOKEN);
  EXPECT_EQ(ReasonFor(ada + "0"), v1::BAD_TOKEN);
  EXPECT_EQ(ReasonFor(ada.substr(0, ada.size() - 1)), v1::BAD_TOKEN);
  EXPECT_EQ(ReasonFor("Bearer " + HashOfToken(ada.substr(7))), v1::BAD_TOKEN) << "what is stored opens nothing";
  const absl::Status status = accounts_->Identify("Bearer secret-text").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(status.ToString(), Not(HasSubstr("secret-text")));
}

TEST_F(AccountsTest, ATokenEndsWithItsTime) {
  const std::string ada = Add("ada", v1::USER, absl::Hours(2));
  clock_.Advance(hours(2) - std::chrono::seconds(1));
  EXPECT_OK(accounts_->Identify(ada));
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(ReasonFor(ada), v1::TOKEN_EXPIRED);
}

TEST_F(AccountsTest, ARevokedTokenAndADisabledUserAreOutAtOnce) {
  Add("root", v1::ADMIN);
  const std::string ada = Add("ada", v1::USER), bob = Add("bob", v1::USER);
  ASSERT_OK(accounts_->RevokeToken("ada", 1));
  EXPECT_EQ(ReasonFor(ada), v1::BAD_TOKEN);
  ASSERT_OK(accounts_->Update({.id = "bob", .disabled = true}, {"disabled"}));
  EXPECT_EQ(ReasonFor(bob), v1::BAD_TOKEN);
  ASSERT_OK(accounts_->Update({.id = "bob", .disabled = false}, {"disabled"}));
  EXPECT_OK(accounts_->Identify(bob));
}

TEST_F(AccountsTest, TheLastUseIsNotedToTheHour) {
  const std::string ada = Add("ada", v1::USER);
  clock_.Advance(std::chrono::minutes(90));
  ASSERT_OK(accounts_->Identify(ada));
  ASSERT_OK_AND_ASSIGN(const TokenRecord token, store_->GetUserToken("ada", 1));
  EXPECT_EQ(absl::ToUnixSeconds(token.last_used_time) % 3600, 0);
  EXPECT_LE(token.last_used_time, clock_.Wall());
  EXPECT_GT(token.last_used_time, clock_.Wall() - absl::Hours(1));
}

TEST_F(AccountsTest, NoTextOfATokenIsKept) {
  const std::string text = Add("ada", v1::USER).substr(7);
  store_.reset();
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_THAT(bytes, Not(HasSubstr(text))) << entry.path();
    EXPECT_THAT(bytes, Not(HasSubstr(text.substr(4)))) << entry.path();
  }
}

TEST_F(AccountsTest, SomebodyCanAlwaysAdminister) {
  Add("root", v1::ADMIN);
  Add("spare", v1::ADMIN, absl::Hours(1));
  clock_.Advance(hours(1));
  for (const absl::Status& status : {accounts_->RevokeToken("root", 1).status(),
                                     accounts_->Update({.id = "root", .role = v1::USER}, {"role"}).status(),
                                     accounts_->Update({.id = "root", .disabled = true}, {"disabled"}).status()}) {
    EXPECT_EQ(ReasonOf(status), v1::LAST_ADMIN) << status;
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  }
  Add("second", v1::ADMIN);
  EXPECT_OK(accounts_->RevokeToken("root", 1));
  EXPECT_EQ(ReasonOf(accounts_->RevokeToken("second", 1).status()), v1::LAST_ADMIN);
}

TEST_F(AccountsTest, OnlyNamedFieldsChange) {
  ASSERT_OK(accounts_->Add({.id = "ada", .group = "a", .weight = 3}));
  ASSERT_OK_AND_ASSIGN(const UserRecord changed,
                       accounts_->Update({.id = "ada", .group = "b", .weight = 9}, {"group"}));
  EXPECT_EQ(changed.group, "b");
  EXPECT_EQ(changed.weight, 3);
  EXPECT_EQ(ReasonOf(accounts_->Update({.id = "ada"}, {"name"}).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(accounts_->Update({.id = "nobody"}, {"group"}).status()), v1::NOT_FOUND);
}

TEST_F(AccountsTest, FoldersForFilesAreThoseOfTheUserAndAllOfAnAdministrators) {
  Add("ada", v1::USER);
  Add("root", v1::ADMIN);
  EXPECT_TRUE(accounts_->FileRightsOf("ada").roots.empty());
  ASSERT_OK(accounts_->Update({.id = "ada", .file_roots = {"data", "out"}}, {"file_roots"}).status());
  EXPECT_THAT(accounts_->FileRightsOf("ada").roots, ::testing::ElementsAre("data", "out"));
  EXPECT_FALSE(accounts_->FileRightsOf("ada").all);
  EXPECT_TRUE(accounts_->FileRightsOf("root").all);
  EXPECT_FALSE(accounts_->FileRightsOf("nobody").all);
  EXPECT_FALSE(accounts_->FileRightsOf("local").all) << "tokens are asked for";
  ASSERT_OK(accounts_->Update({.id = "ada", .file_roots = {"*"}}, {"file_roots"}).status());
  EXPECT_TRUE(accounts_->FileRightsOf("ada").all);
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"*", "data"}, {"data", "*"}, {"out", "data"}, {"data", "data"}, {".."}, {"a/b"}, {""}}) {
    const absl::Status refused = accounts_->Update({.id = "ada", .file_roots = wrong}, {"file_roots"}).status();
    EXPECT_EQ(InfoOf(refused).field(), "user.file_roots") << refused;
  }
  const Accounts open(TokenRule::kOff, *store_, clock_);
  EXPECT_TRUE(open.FileRightsOf("local").all);
}

TEST_F(AccountsTest, AGroupWeighsWhatWasSaidAlsoAfterARestart) {
  ASSERT_OK(accounts_->Add({.id = "ada", .group = "lab"}));
  EXPECT_EQ(accounts_->WeightOfGroup("lab"), 1);
  ASSERT_OK(accounts_->SetGroupWeight("lab", 20));
  EXPECT_EQ(accounts_->WeightOfGroup("lab"), 20);
  EXPECT_EQ(accounts_->WeightOfGroup("other"), 1);
  Accounts again(TokenRule::kRequired, *store_, clock_);
  ASSERT_OK(again.Load());
  EXPECT_EQ(again.WeightOfGroup("lab"), 20);
  ASSERT_OK(accounts_->SetGroupWeight("lab", 1));
  EXPECT_EQ(accounts_->WeightOfGroup("lab"), 1);
}

TEST_F(AccountsTest, WhatNoGroupCanWeighIsRefused) {
  ASSERT_OK(accounts_->Add({.id = "ada", .group = "lab"}));
  const auto field = [this](const std::string& group, double weight) {
    return InfoOf(accounts_->SetGroupWeight(group, weight).status()).field();
  };
  for (const double weight : {0.0, -1.0, 2e6, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(field("lab", weight), "weight") << weight;
  }
  EXPECT_EQ(field("", 2), "group");
  EXPECT_EQ(field("a\nb", 2), "group");
  EXPECT_EQ(ReasonOf(accounts_->SetGroupWeight("lba", 2).status()), v1::NOT_FOUND);
  EXPECT_EQ(accounts_->WeightOfGroup("lab"), 1);
}

TEST_F(AccountsTest, WhatNoUserCanBeIsRefused) {
  const auto field = [this](UserRecord user) { return InfoOf(accounts_->Add(std::move(user)).status()).field(); };
  EXPECT_EQ(field({.id = ""}), "user.name");
  EXPECT_EQ(field({.id = "Ada"}), "user.name");
  EXPECT_EQ(field({.id = "a\x1b[31m"}), "user.name");
  EXPECT_EQ(field({.id = "../ada"}), "user.name");
  EXPECT_EQ(field({.id = std::string(65, 'a')}), "user.name");
  EXPECT_EQ(field({.id = "ada", .role = v1::ROLE_UNSPECIFIED}), "user.role");
  EXPECT_EQ(field({.id = "ada", .group = "a\nb"}), "user.group");
  for (const double weight :
       {0.0, -1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(field({.id = "ada", .weight = weight}), "user.weight") << weight;
  }
  ASSERT_OK(accounts_->Add({.id = "ada"}));
  EXPECT_EQ(InfoOf(accounts_->MakeToken("ada", "a\tb", absl::Hours(1)).status()).field(), "label");
  EXPECT_EQ(InfoOf(accounts_->MakeToken("ada", "", absl::Hours(24 * 366 * 200)).status()).field(), "lifetime_seconds");
  EXPECT_EQ(ReasonOf(accounts_->MakeToken("bob", "", absl::Hours(1)).status()), v1::NOT_FOUND);
}

TEST_F(AccountsTest, WithoutTokensEverybodyIsTheLocalUser) {
  Accounts open(TokenRule::kOff, *store_, clock_);
  for (const char* shown : {"", "Bearer anything"}) {
    ASSERT_OK_AND_ASSIGN(const Caller caller, open.Identify(shown));
    EXPECT_EQ(caller.owner, "local");
    EXPECT_EQ(caller.role, v1::ADMIN);
  }
  ASSERT_OK_AND_ASSIGN(const UserRecord local, open.Find("local"));
  EXPECT_EQ(local.weight, 1);
  EXPECT_EQ(ReasonOf(accounts_->Find("local").status()), v1::NOT_FOUND) << "where tokens are asked for";
}

TEST_F(AccountsTest, TheFirstAdminIsMadeOnce) {
  ASSERT_OK_AND_ASSIGN(const std::string text, NewTokenText());
  ASSERT_OK(accounts_->MakeFirstAdmin(text));
  ASSERT_OK_AND_ASSIGN(const Caller caller, accounts_->Identify("Bearer " + text));
  EXPECT_EQ(caller.owner, "admin");
  EXPECT_EQ(caller.role, v1::ADMIN);
  const absl::Status again = accounts_->MakeFirstAdmin("dcv_other");
  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonFor("Bearer dcv_other"), v1::BAD_TOKEN);
}

TEST_F(AccountsTest, WhereNoAdminsTokenIsGoodAnyMoreAnotherIsMade) {
  const std::string old = Add("admin", v1::ADMIN, absl::Hours(1));
  clock_.Advance(hours(2));
  ASSERT_OK(accounts_->MakeFirstAdmin("dcv_new"));
  EXPECT_EQ(ReasonFor(old), v1::TOKEN_EXPIRED);
  EXPECT_OK(accounts_->Identify("Bearer dcv_new"));
}

}  // namespace
}  // namespace deconvoy::server
