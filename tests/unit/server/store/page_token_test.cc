#include "server/store/page_token.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

TEST(PageToken, ComesBackAsItWas) {
  ASSERT_OK_AND_ASSIGN(const PageKey key, FromPageToken(ToPageToken({-5, "abc/def"})));
  EXPECT_EQ(key.place, -5);
  EXPECT_EQ(key.id, "abc/def");
}

TEST(PageToken, EmptyIsTheFirstPage) {
  ASSERT_OK_AND_ASSIGN(const PageKey key, FromPageToken(""));
  EXPECT_EQ(key.place, FirstPage().place);
}

TEST(PageToken, ForeignTokensAreRefused) {
  for (const std::string token : {"x", "abc", "zz", "2f", "31", "612f62"}) {
    const auto key = FromPageToken(token);
    EXPECT_EQ(ReasonOf(key.status()), v1::INVALID_FIELD) << token;
    EXPECT_EQ(InfoOf(key.status()).field(), "page_token") << token;
  }
}

TEST(PageSize, HasDefaultAndLimit) {
  EXPECT_EQ(PageSize(0), 100);
  EXPECT_EQ(PageSize(-1), 100);
  EXPECT_EQ(PageSize(7), 7);
  EXPECT_EQ(PageSize(5000), 1000);
}

}  // namespace
}  // namespace deconvoy::server
