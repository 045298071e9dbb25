#include "server/store/page_room.h"

#include <gtest/gtest.h>

namespace deconvoy::server {
namespace {

TEST(PageRoom, TakesSoManyItems) {
  PageRoom room(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(room.Take(10)) << i;
  EXPECT_FALSE(room.Take(0));
}

TEST(PageRoom, TakesSoManyBytes) {
  PageRoom room(100, 50);
  EXPECT_TRUE(room.Take(30));
  EXPECT_TRUE(room.Take(20)) << "to the last byte";
  EXPECT_FALSE(room.Take(1));
}

TEST(PageRoom, TakesTheFirstHoweverLarge) {
  PageRoom room(100, 50);
  EXPECT_TRUE(room.Take(1000));
  EXPECT_FALSE(room.Take(1));
}

}  // namespace
}  // namespace deconvoy::server
