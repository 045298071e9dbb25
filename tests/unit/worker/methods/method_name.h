// How tests that run with every method are named.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// The method's name as a test's name may be: `rl_tv`.
inline std::string MethodTestName(const ::testing::TestParamInfo<const Method*>& test) {
  std::string name = test.param->description().name();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace deconvoy::worker
