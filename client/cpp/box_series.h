// Boxes of a recording's result in few words: the same box at consecutive time points is one series. Internal to this
// library.
#pragma once

#include <cstddef>
#include <vector>

#include "deconvoy/v1/deconvolution.pb.h"

namespace deconvoy::client {

// The series that `boxes` make, each box once. Where a message has less than `room` bytes for all of them, those with
// the most voxels are named, and the others are not.
std::vector<v1::BoxSeries> SeriesOf(const std::vector<v1::Box>& boxes, size_t room);

}  // namespace deconvoy::client
