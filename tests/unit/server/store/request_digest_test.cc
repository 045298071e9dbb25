#include "server/store/request_digest.h"

#include <gtest/gtest.h>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::server {
namespace {

TEST(DigestOfRequest, TellsRequestsApart) {
  v1::DeconvolveSpec one, same, other;
  for (int i = 0; i < 20; ++i) {
    (*one.mutable_parameters())["p" + std::to_string(i)] = "v";
    (*same.mutable_parameters())["p" + std::to_string(19 - i)] = "v";
  }
  other = one;
  (*other.mutable_parameters())["p3"] = "w";
  EXPECT_EQ(DigestOfRequest(one).size(), 32U);
  EXPECT_EQ(DigestOfRequest(one), DigestOfRequest(same)) << "the order of a map's entries does not matter";
  EXPECT_NE(DigestOfRequest(one), DigestOfRequest(other));
  EXPECT_NE(DigestOfRequest(v1::GetVolumeRequest()), DigestOfRequest(v1::DeleteVolumeRequest()))
      << "empty messages of two types";
}

}  // namespace
}  // namespace deconvoy::server
