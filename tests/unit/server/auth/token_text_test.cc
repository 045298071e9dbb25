#include "server/auth/token_text.h"

#include <gmock/gmock.h>

#include <set>

#include "proto/contract/checksum.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

TEST(TokenText, IsNewEachTimeAndOfOneForm) {
  std::set<std::string> texts;
  for (int i = 0; i < 100; ++i) {
    ASSERT_OK_AND_ASSIGN(const std::string text, NewTokenText());
    EXPECT_EQ(text.size(), 4U + 64U);
    EXPECT_TRUE(text.starts_with("dcv_"));
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef", 4), std::string::npos) << text;
    texts.insert(text);
  }
  EXPECT_EQ(texts.size(), 100U);
}

TEST(TokenText, TheHashIsSha256) {
  const std::string hash = HashOfToken("abc");
  EXPECT_EQ(ToHex(std::as_bytes(std::span(hash))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(TokenText, HashesAreEqualOrNot) {
  EXPECT_TRUE(SameHash("abc", "abc"));
  EXPECT_FALSE(SameHash("abc", "abd"));
  EXPECT_FALSE(SameHash("abc", "ab"));
  EXPECT_FALSE(SameHash("", "a"));
}

}  // namespace
}  // namespace deconvoy::server
