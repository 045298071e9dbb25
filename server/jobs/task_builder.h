// What a worker is told about one task.
#pragma once

#include <cstdint>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/live_job.h"

namespace deconvoy::server {

// The task as its worker sees it, without token, lease time and paths. REQUIRES: the job's turn is held; its plan is
// made when the task works on a tile.
v1::Task BuildTask(const LiveJob& job, int64_t number);

// The result of a deconvolution: its grid and channels are what tiles are cut from.
const v1::VolumeSpec& ResultOf(const LiveJob& job);

// What the task writes, in the order of its scratch file.
std::vector<v1::OutputPiece> OutputsOf(const LiveJob& job, int64_t number);

// Bytes of all that the task writes, and so of its scratch file.
int64_t OutputBytes(const v1::Task& task);

// Whether each frame starts from the result of the one before.
bool StartsFromPrevious(const v1::JobSpec& spec);

}  // namespace deconvoy::server
