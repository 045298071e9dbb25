// Reading the tree of a descriptor, with errors that tell the place. For the sources of this room only.
#pragma once

#include <absl/status/statusor.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "worker/learned/yaml_tree.h"

namespace deconvoy::worker::learned {

using Json = nlohmann::json;

inline constexpr char kDescriptorField[] = "check_model.descriptor_text";
inline constexpr std::string_view kSpace = "zyx";

// INVALID_FIELD; `place` is such as `inputs[0].shape`, and `what` begins with a verb.
absl::Status RefusedAt(const std::string& place, const std::string& what,
                       const std::string& remedy = "See docs/formats/models.md for what is understood.");

// The text, or of other values their type.
std::string TextOf(const Json& value);

// Null where it is missing, or null itself.
const Json* FindIn(const Json& object, const std::string& key);

// Errors of these: INVALID_FIELD for what is missing, of another type or out of range.
absl::StatusOr<const Json*> Member(const Json& object, const std::string& key, const std::string& place);
absl::Status CheckKeys(const Json& object, std::initializer_list<std::string_view> known, const std::string& place);
absl::StatusOr<double> Number(const Json& value, const std::string& place);  // finite
absl::StatusOr<int64_t> Integer(const Json& value, const std::string& place, int64_t least, int64_t most);
absl::StatusOr<double> NumberOr(const Json* object, const std::string& key, double otherwise, const std::string& place);

}  // namespace deconvoy::worker::learned
