// The user's quota, asked for before anything is read or sent for a job.
#pragma once

#include <absl/status/status.h>

#include <stop_token>

#include "client/cpp/client.h"

namespace deconvoy::client {

// QUOTA_EXCEEDED where the job, its result, and its image unless the server may have it already, are more than the
// user's quota allows. Where the user cannot be asked for nothing is refused: the server judges. UNAVAILABLE. `image`
// null: it is there.
absl::Status CheckOwnQuota(const Client& client, const v1::VolumeSpec& result, const v1::VolumeSpec* image,
                           const std::stop_token& stop);

}  // namespace deconvoy::client
