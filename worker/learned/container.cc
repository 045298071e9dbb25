#include "worker/learned/container.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker::learned {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kTexts = "__metadata__";
constexpr size_t kLengthBytes = 8;
constexpr size_t kShownType = 32;  // characters
static_assert(std::endian::native == std::endian::little, "values are copied as they lie in memory");

absl::Status Broken(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "model",
                    .remedy = "Give a file in the safetensors format with float32 arrays, as models export writes it."},
                   fmt::format("this is no model: {}", what));
}

absl::Status TooMuch(std::string_view what, size_t limit) {
  return MakeError({.reason = v1::LIMIT_EXCEEDED, .field = "model", .metadata = {{"limit", std::to_string(limit)}}},
                   fmt::format("the model's file has more than {} {}", limit, what));
}

// A number as it stands, of anything else only what it is.
std::string Shown(const ordered_json& value) {
  return value.is_number() ? value.dump() : value.type_name();
}

// A whole number that is not negative.
bool Whole(const ordered_json& value, uint64_t& number) {
  if (!value.is_number_unsigned()) return false;
  number = value.get<uint64_t>();
  return true;
}

// Numbers of an array of this shape; none where that is no shape.
absl::StatusOr<uint64_t> CountOf(const ordered_json& shape, const std::string& name, Tensor32& tensor) {
  if (!shape.is_array()) return Broken(fmt::format("the array '{}' has no shape", name));
  if (shape.size() > kMostAxes) return Broken(fmt::format("the array '{}' has {} axes", name, shape.size()));
  uint64_t count = 1;
  for (const ordered_json& extent : shape) {
    uint64_t n = 0;
    // Each extent is at most the limit, so that the product before it is compared does not wrap.
    if (!Whole(extent, n) || n > kMostFileBytes || count * n > kMostFileBytes) {
      return Broken(fmt::format("the array '{}' has the extent {}", name, Shown(extent)));
    }
    count *= n;
    tensor.shape.push_back(static_cast<int64_t>(n));
  }
  return count;
}

// The array that `entry` tells of, which must begin at `next`; moves it on.
absl::StatusOr<Tensor32> ReadTensor(const std::string& name, const ordered_json& entry, std::span<const std::byte> data,
                                    uint64_t& next) {
  if (!entry.is_object()) return Broken(fmt::format("the array '{}' is not described", name));
  const auto type = entry.find("dtype");
  if (type == entry.end() || *type != "F32") {
    return Broken(fmt::format(
        "the array '{}' is of the type {}, and not F32", name,
        type != entry.end() && type->is_string() ? type->get<std::string>().substr(0, kShownType) : "unknown"));
  }
  const auto shape = entry.find("shape"), offsets = entry.find("data_offsets");
  Tensor32 tensor;
  ASSIGN_OR_RETURN(const uint64_t count, CountOf(shape == entry.end() ? ordered_json() : *shape, name, tensor));
  uint64_t begin = 0, end = 0;
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 || !Whole((*offsets)[0], begin) ||
      !Whole((*offsets)[1], end)) {
    return Broken(fmt::format("the array '{}' has no place in the file", name));
  }
  if (begin != next || end < begin || end - begin != count * sizeof(float) || end > data.size()) {
    return Broken(fmt::format("the array '{}' of {} numbers lies at {} to {}, but {} was next in {} bytes", name, count,
                              begin, end, next, data.size()));
  }
  next = end;
  tensor.values.resize(static_cast<size_t>(count));
  if (count > 0) std::memcpy(tensor.values.data(), data.data() + begin, static_cast<size_t>(end - begin));
  return tensor;
}

absl::Status ReadTexts(const ordered_json& entry, Container& container) {
  if (!entry.is_object()) return Broken("its texts are not an object");
  for (const auto& [name, text] : entry.items()) {
    if (!text.is_string()) return Broken(fmt::format("the text '{}' is {}", name, text.type_name()));
    container.texts.emplace(name, text.get<std::string>());
  }
  return absl::OkStatus();
}

// An object whose names are each there once: of two arrays with one name, one would be lost in silence.
absl::StatusOr<ordered_json> ParseHeader(std::string_view text) {
  std::set<std::string> names;
  bool twice = false, named = true;
  size_t keys = 0;
  const auto look = [&](int depth, ordered_json::parse_event_t event, ordered_json& parsed) {
    if (event == ordered_json::parse_event_t::key) {
      // Objects are searched key by key.
      if (++keys > kMostKeys) return false;
      const auto& name = parsed.get_ref<const std::string&>();
      named = named && name.size() <= kMostNameBytes;
      if (depth == 1) twice = twice || !names.insert(name).second;
    }
    return depth <= 4;  // nothing that is wanted lies deeper
  };
  ordered_json header = ordered_json::parse(text, look, /*allow_exceptions=*/false);
  if (keys > kMostKeys) return TooMuch("names in its header", kMostKeys);
  if (!named) return TooMuch("bytes in a name", kMostNameBytes);
  if (!header.is_object()) return Broken("its header is no JSON object");
  if (twice) return Broken("its header has a name twice");
  if (header.size() > kMostTensors) return TooMuch("arrays", kMostTensors);
  return header;
}

}  // namespace

std::string WriteContainer(const Container& container) {
  ordered_json header = ordered_json::object();
  if (!container.texts.empty()) header[kTexts] = container.texts;
  uint64_t next = 0;
  for (const auto& [name, tensor] : container.tensors) {
    const uint64_t end = next + tensor.values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {next, end}}};
    next = end;
  }
  std::string text = header.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');  // so that arrays are aligned
  const uint64_t length = text.size();
  std::string file(kLengthBytes, '\0');
  std::memcpy(file.data(), &length, kLengthBytes);
  file.reserve(kLengthBytes + text.size() + next);
  file += text;
  for (const auto& [name, tensor] : container.tensors) {
    file.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  }
  return file;
}

absl::StatusOr<Container> ReadContainer(std::span<const std::byte> file) {
  if (file.size() > kMostFileBytes) return TooMuch("bytes", kMostFileBytes);
  uint64_t length = 0;
  if (file.size() < kLengthBytes) return Broken(fmt::format("it has {} bytes", file.size()));
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > file.size() - kLengthBytes) {
    return Broken(fmt::format("a header of {} bytes does not fit into {}", length, file.size()));
  }
  if (length > kMostHeaderBytes) return TooMuch("bytes of header", kMostHeaderBytes);
  const auto text = file.subspan(kLengthBytes, static_cast<size_t>(length));
  const auto data = file.subspan(kLengthBytes + static_cast<size_t>(length));
  ASSIGN_OR_RETURN(const ordered_json header, ParseHeader({reinterpret_cast<const char*>(text.data()), text.size()}));
  Container container;
  uint64_t next = 0;
  for (const auto& [name, entry] : header.items()) {
    if (name == kTexts) {
      RETURN_IF_ERROR(ReadTexts(entry, container));
      continue;
    }
    ASSIGN_OR_RETURN(container.tensors[name], ReadTensor(name, entry, data, next));
  }
  if (next != data.size()) return Broken(fmt::format("{} bytes follow its last array", data.size() - next));
  return container;
}

}  // namespace deconvoy::worker::learned
