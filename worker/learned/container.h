// The file of a model, or of a checkpoint: named arrays of numbers and texts, in the layout of safetensors.
//
//   8 bytes   length n of the header, little-endian
//   n bytes   JSON object: name -> {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]};
//             "__metadata__" -> {text: text}
//   the rest  the arrays, little-endian float32, counted from 0 after the header, in the order of the header
//
// Nothing in such a file is ever run. The parser takes files of any origin: it allocates no more than a small multiple
// of what it was given, and looks at every number before it uses it.
//
// https://github.com/huggingface/safetensors: its files with only F32 arrays are read, and files written here are read
// there.
#pragma once

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace deconvoy::worker::learned {

struct Tensor32 {
  std::vector<int64_t> shape;
  std::vector<float> values;  // in C order
};

struct Container {
  std::map<std::string, Tensor32, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> texts;
};

inline constexpr size_t kMostFileBytes = size_t{1} << 30;
inline constexpr size_t kMostHeaderBytes = size_t{16} << 20;
inline constexpr size_t kMostTensors = 10'000;
inline constexpr size_t kMostKeys = 5 * kMostTensors;  // of objects of the header, texts and arrays together
inline constexpr size_t kMostNameBytes = 255;          // of any of them
inline constexpr size_t kMostAxes = 8;

// The same container gives the same bytes. REQUIRES: as many values as each shape says.
std::string WriteContainer(const Container& container);

// Errors: INVALID_FIELD with the place in the file; LIMIT_EXCEEDED where one of the above is.
absl::StatusOr<Container> ReadContainer(std::span<const std::byte> file);

}  // namespace deconvoy::worker::learned
