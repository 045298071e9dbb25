// How far what models have made can be believed.
#pragma once

#include <vector>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::server {

void AddTrust(const v1::TrustStatistics& added, v1::TrustStatistics& total);

// What is told of a result of models: the difference to the classical method and the spread, over the result, and how
// many patches are unlike those of the training: a WARNING above one of ten, and that it is not known where no patch
// was compared. Nothing of other results. Whether the result explains the image is told by CheckQuality.
std::vector<v1::Finding> TrustFindings(const v1::DeconvolveSpec& spec, const v1::TrustStatistics& trust);

}  // namespace deconvoy::server
