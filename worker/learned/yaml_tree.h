// YAML of any origin as a tree, of the plain kind that JSON has, too. For the sources of this room only.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

namespace deconvoy::worker::learned {

inline constexpr int kMostTreeDepth = 32;
inline constexpr size_t kMostTreeNodes = 20'000;

// Maps with texts as keys, lists, texts (numbers, too, as they are written) and nulls. Errors: INVALID_FIELD with the
// line, for what is no YAML, has anchors, aliases, tags that say more than the value, a key twice, a key that is no
// text or more than one document; LIMIT_EXCEEDED beyond the bounds above. `field` names the text in errors.
absl::StatusOr<nlohmann::json> ParseYaml(std::string_view text, std::string_view field);

}  // namespace deconvoy::worker::learned
