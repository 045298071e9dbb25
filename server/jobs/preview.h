// What a finished tile adds to the preview of its job.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/live_job.h"
#include "server/store/store.h"

namespace deconvoy::server {

// Whether `part` is that of the tile: its pixels, each a number. INVALID_FIELD. A tile without any adds nothing, which
// is as good. REQUIRES: the job's turn is held; the task works on a tile.
absl::Status CheckPreview(const LiveJob& job, int64_t number, const v1::PreviewPart& part);

// REQUIRES: as above, and CheckPreview has accepted the part.
PreviewAddition AdditionOf(const LiveJob& job, int64_t number, const v1::PreviewPart& part);

}  // namespace deconvoy::server
