// The analysis of an image that is still being written: its first planes stand for all of it.
#pragma once

#include <cstdint>

#include "deconvoy/v1/volumes.pb.h"
#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::worker {

// The part of the input that is there to be looked at: so many first time points and planes of every channel.
v1::VolumeSpec SeenOf(const v1::AnalyseTask& task, v1::VolumeSpec input);

// Lets the frames of the one time point that was seen stand for all, and says so. No frame is blank then: nobody knows
// that yet, and methods need a level to start from, which is at least the background and one photon.
void LetFirstPlanesStand(int64_t planes, v1::AnalyseResult& result);

}  // namespace deconvoy::worker
