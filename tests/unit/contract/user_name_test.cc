#include "proto/contract/user_name.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

TEST(UserName, GoesThereAndBack) {
  for (const std::string& id : {std::string("a"), std::string("ada.l_2-x"), std::string(64, '0')}) {
    ASSERT_OK_AND_ASSIGN(const std::string back, UserId(UserName(id), "user"));
    EXPECT_EQ(back, id);
    ASSERT_OK_AND_ASSIGN(const UserTokenId token, ParseUserTokenName(UserTokenName({id, 12}), "token"));
    EXPECT_EQ(token, (UserTokenId{id, 12}));
  }
}

TEST(UserName, AnythingElseIsRefusedByField) {
  for (const std::string& name :
       {std::string(), std::string("ada"), std::string("users/"), std::string("users/Ada"), std::string("users/a/b"),
        std::string("users/a b"), std::string("users/a\n"), std::string("user/a"), "users/" + std::string(65, 'a')}) {
    EXPECT_EQ(InfoOf(UserId(name, "user.name").status()).field(), "user.name") << name;
    EXPECT_EQ(ReasonOf(ParseUserTokenName(name + "/tokens/1", "token").status()), v1::INVALID_FIELD) << name;
  }
  for (const char* number : {"", "0", "-1", "+1", "01", "1x", "99999999999999999999"}) {
    EXPECT_FALSE(ParseUserTokenName(std::string("users/a/tokens/") + number, "token").ok()) << number;
  }
  EXPECT_FALSE(ParseUserTokenName("users/a", "token").ok());
}

}  // namespace
}  // namespace deconvoy
