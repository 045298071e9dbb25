// Runs the tests of one program; logs the seed; tells CTest when every test was skipped.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/support/test_support.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::printf("seed %llu (set DECONVOY_TEST_SEED to change it)\n",
              static_cast<unsigned long long>(deconvoy::testing::Seed()));
  const int result = RUN_ALL_TESTS();
  const auto& unit = *::testing::UnitTest::GetInstance();
  if (result == 0 && unit.skipped_test_count() > 0 && unit.successful_test_count() == 0) {
    std::printf("ALL TESTS SKIPPED: %d\n", unit.skipped_test_count());
  }
  return result;
}
