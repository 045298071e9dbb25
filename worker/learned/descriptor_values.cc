#include "worker/learned/descriptor_values.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"

namespace deconvoy::worker::learned {

absl::Status RefusedAt(const std::string& place, const std::string& what, const std::string& remedy) {
  return MakeError(
      {.reason = v1::INVALID_FIELD, .field = kDescriptorField, .remedy = remedy, .metadata = {{"place", place}}},
      fmt::format("`{}` of the descriptor {}", Printable(place), Printable(what)));
}

std::string TextOf(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string(value.type_name());
}

absl::StatusOr<const Json*> Member(const Json& object, const std::string& key, const std::string& place) {
  if (!object.is_object()) return RefusedAt(place, "is no map");
  const auto found = object.find(key);
  if (found == object.end()) return RefusedAt(place + "." + key, "is missing");
  return &*found;
}

const Json* FindIn(const Json& object, const std::string& key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::Status CheckKeys(const Json& object, std::initializer_list<std::string_view> known, const std::string& place) {
  if (!object.is_object()) return RefusedAt(place, "is no map");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return RefusedAt(place + "." + key, "is not understood");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<double> Number(const Json& value, const std::string& place) {
  double number = 0;
  if (value.is_string() && absl::SimpleAtod(value.get<std::string>(), &number) && std::isfinite(number)) return number;
  return RefusedAt(place, "is '" + TextOf(value) + "', which is no number");
}

absl::StatusOr<int64_t> Integer(const Json& value, const std::string& place, int64_t least, int64_t most) {
  int64_t number = 0;
  if (!value.is_string() || !absl::SimpleAtoi(value.get<std::string>(), &number)) {
    return RefusedAt(place, "is '" + TextOf(value) + "', which is no whole number");
  }
  if (number >= least && number <= most) return number;
  return RefusedAt(place, fmt::format("is {}; from {} to {} is taken", number, least, most));
}

absl::StatusOr<double> NumberOr(const Json* object, const std::string& key, double otherwise,
                                const std::string& place) {
  const Json* value = object == nullptr ? nullptr : FindIn(*object, key);
  return value == nullptr ? absl::StatusOr<double>(otherwise) : Number(*value, place + "." + key);
}

}  // namespace deconvoy::worker::learned
