#include "client/cli/own_quota.h"

#include <algorithm>

#include "proto/contract/error.h"
#include "proto/contract/quota.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

absl::StatusOr<int64_t> BytesOf(const v1::VolumeSpec& spec) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), "shape"));
  return VolumeBytes(shape, spec.type());
}

// One that looks alike may be the same, which only its digest tells.
bool MayBeThere(const Client& client, const v1::VolumeSpec& image, const std::stop_token& stop) {
  const auto volumes = client.ListVolumes(stop);
  if (!volumes.ok()) return true;
  const std::string shape = image.shape().SerializeAsString();
  return std::any_of(volumes->begin(), volumes->end(), [&](const v1::Volume& volume) {
    return volume.spec().type() == image.type() && volume.spec().shape().SerializeAsString() == shape;
  });
}

}  // namespace

absl::Status CheckOwnQuota(const Client& client, const v1::VolumeSpec& result, const v1::VolumeSpec* image,
                           const std::stop_token& stop) {
  const auto user = client.GetUser("", stop);
  if (!user.ok()) return IsRetryable(user.status()) ? user.status() : absl::OkStatus();
  const Holding used{.bytes = static_cast<int64_t>(user->used_bytes()), .jobs = int64_t{user->unfinished_jobs()}};
  Holding need{.jobs = 1};
  ASSIGN_OR_RETURN(need.bytes, BytesOf(result));
  RETURN_IF_ERROR(CheckQuota(user->limits(), used, need));
  if (image == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const int64_t image_bytes, BytesOf(*image));
  need.bytes += image_bytes;
  const absl::Status both = CheckQuota(user->limits(), used, need);
  return both.ok() || MayBeThere(client, *image, stop) ? absl::OkStatus() : both;
}

}  // namespace deconvoy::client
