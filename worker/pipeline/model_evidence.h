// What its training has found of a model, as the model's file tells it: how the training went, how good the model is on
// specimens that it has not seen, what the patches were like that it was shown, and by which program. So a model that
// is taken out and brought elsewhere is known by it still.
//
// In the file it is the text `evidence`: the JSON of a v1::ModelFacts with these fields alone. Nothing proves it: it is
// as true as the file.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::worker {

// A model's file with the facts' evidence. Errors: those of learned::ReadContainer.
absl::StatusOr<std::string> WithEvidence(std::string_view file, const v1::ModelFacts& facts);

// Adds to the facts what a file's text tells; nothing where it is empty. Errors: BAD_MODEL for a text that is none, or
// has numbers that cannot be.
absl::Status AddEvidence(const std::string& text, v1::ModelFacts& facts);

}  // namespace deconvoy::worker
