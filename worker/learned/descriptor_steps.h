// What a descriptor does with values before and after the model. For the sources of this room only.
#pragma once

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "worker/learned/descriptor.h"
#include "worker/learned/descriptor_values.h"

namespace deconvoy::worker::learned {

// Takes `preprocessing` of one tensor and `postprocessing` of the other, which lie at these places. INVALID_FIELD for
// steps that cannot be done, or not in this order.
absl::Status TakeSteps(const Json& input, const std::string& input_place, const Json& output,
                       const std::string& output_place, Descriptor& to);

Json StepsToJson(const std::vector<Pointwise>& steps);

}  // namespace deconvoy::worker::learned
