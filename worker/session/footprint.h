// What a task takes of this worker's memory, and where its input lies.
#pragma once

#include <cstdint>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Bytes of resident memory. Files of the spool take none: they lie in the system's cache.
struct Footprint {
  int64_t staged = 0;      // its input, read ahead
  int64_t computing = 0;   // all that it needs to be computed, a streamed output included
  int64_t delivering = 0;  // its output, until that is delivered
  bool beside = false;     // another one may be executed at once with it, where memory suffices for both
};

Footprint FootprintOf(const v1::Task& task);

// A box that a task will read.
struct InputBox {
  const v1::VolumeAccess* volume;  // part of the task
  FrameBox box;
};

// What is worth reading ahead: the measured voxels of a tile, and those of the result that it starts from. Empty for
// other kinds of task, which read more than once or whole volumes, and where the task does not say how to read it.
std::vector<InputBox> BoxesToReadAhead(const v1::Task& task);

}  // namespace deconvoy::worker
