// Models' files: read from the volumes that hold them, and what they tell.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>

#include "deconvoy/v1/methods.pb.h"
#include "deconvoy/v1/workers.pb.h"
#include "worker/learned/network.h"
#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// The file in time point `t` of a volume (proto/contract/byte_volume.h). Errors: BAD_MODEL, INVALID_FIELD, those of the
// source.
absl::StatusOr<std::string> ReadFile(VolumeSource& source, const v1::VolumeAccess& volume, int64_t t);

// SHA-256 of a file, as facts have it.
std::string DigestOf(std::string_view file);

// What a file that has been loaded is. Errors: BAD_MODEL for texts that cannot be.
absl::StatusOr<v1::ModelFacts> FactsOf(std::string_view file, const learned::Model& model);

// Adds to the description of the method that runs models which networks there are, and what runs them; or why nothing
// does.
void DescribeNetworks(v1::Method& method);

}  // namespace deconvoy::worker
