#include "server/api/paging.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "deconvoy/v1/methods.pb.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

std::vector<v1::Method> Methods(int count) {
  std::set<std::string> names;
  for (int i = 0; i < count; ++i) names.insert(fmt::format("m{}", i));
  std::vector<v1::Method> methods;
  for (const std::string& name : names) methods.emplace_back().set_name(name);
  return methods;
}

TEST(PageSize, DefaultAndLimit) {
  EXPECT_EQ(PageSize(0), limits::kDefaultPageSize);
  EXPECT_EQ(PageSize(7), 7u);
  EXPECT_EQ(PageSize(1'000'000), limits::kPageSize);
}

TEST(PageOf, EveryItemComesOnceInOrder) {
  const auto methods = Methods(23);
  std::vector<std::string> seen;
  std::string token;
  int pages = 0;
  do {
    const auto page = PageOf(methods, 5, token);
    for (const auto& method : page.items) seen.push_back(method.name());
    token = page.next_token;
    ++pages;
  } while (!token.empty());
  ASSERT_EQ(seen.size(), 23u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(pages, 5);
}

TEST(PageOf, ZeroMeansAllUpToTheLimit) {
  EXPECT_EQ(PageOf(Methods(23), 0, "").items.size(), 23u);
  EXPECT_EQ(PageOf(Methods(23), 0, "").next_token, "");
  EXPECT_EQ(PageOf(Methods(1001), 0, "").items.size(), 1000u);
  EXPECT_TRUE(PageOf(Methods(0), 5, "").items.empty());
}

TEST(PageOf, LargeItemsMakeMorePages) {
  auto methods = Methods(9);
  for (auto& method : methods) method.set_summary(std::string(limits::kPageBytes / 3, 'x'));
  std::vector<std::string> seen;
  std::string token;
  do {
    const auto page = PageOf(methods, 0, token);
    EXPECT_EQ(page.items.size(), seen.size() < 8 ? 2u : 1u);
    for (const auto& method : page.items) seen.push_back(method.name());
    token = page.next_token;
  } while (!token.empty());
  ASSERT_EQ(seen.size(), 9u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
}

TEST(PageOf, AnItemThatLeftBetweenTwoPagesLosesNoOther) {
  auto methods = Methods(4);
  const auto first = PageOf(methods, 2, "");
  methods.erase(methods.begin() + 1);  // the one the token names
  const auto second = PageOf(methods, 2, first.next_token);
  ASSERT_EQ(second.items.size(), 2u);
  EXPECT_EQ(second.items[0].name(), "m2");
}

}  // namespace
}  // namespace deconvoy::server
