// Maximum projections of a stack, computed by a server's workers, as panels of a picture.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <stop_token>
#include <vector>

#include "client/cli/figures/picture.h"
#include "client/cli/job_run.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"

namespace deconvoy::client {

// What one channel of a stack looks like at its first time point.
struct ChannelPanels {
  Panel xy;  // along z
  Panel xz;  // along y; no pixels for a single plane
};

// Uploads the stack and has it projected. What is made on the server is added to `leftovers`.
absl::StatusOr<std::vector<ChannelPanels>> ProjectStack(Session& session, const std::filesystem::path& file,
                                                        Leftovers& leftovers, Progress& progress,
                                                        const std::stop_token& stop);

}  // namespace deconvoy::client
