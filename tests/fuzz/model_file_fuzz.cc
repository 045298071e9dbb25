// A model's file of unknown origin: what is read is written again as the same arrays.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "proto/contract/error.h"
#include "tests/fuzz/input.h"
#include "worker/learned/container.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  using namespace deconvoy::worker::learned;
  const auto read = ReadContainer(std::as_bytes(std::span(data, size)));
  if (!read.ok()) {
    const v1::ErrorReason reason = ReasonOf(read.status());
    fuzz::Require(reason == v1::INVALID_FIELD || reason == v1::LIMIT_EXCEEDED, "a refusal is the file's fault");
    fuzz::Require(IsUtf8(std::string(read.status().message())), "a refusal can be shown");
    return 0;
  }
  for (const auto& [name, tensor] : read->tensors) {
    const int64_t count = std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<>());
    fuzz::Require(static_cast<int64_t>(tensor.values.size()) == count, "as many values as the extents say");
  }
  const std::string written = WriteContainer(*read);
  const auto again = ReadContainer(std::as_bytes(std::span(written)));
  fuzz::Require(again.ok(), "what was written can be read");
  fuzz::Require(again->texts == read->texts && again->tensors.size() == read->tensors.size(), "nothing is lost");
  for (const auto& [name, tensor] : read->tensors) {
    const Tensor32& other = again->tensors.at(name);
    const bool same = std::equal(tensor.values.begin(), tensor.values.end(), other.values.begin(), other.values.end(),
                                 [](float a, float b) { return std::memcmp(&a, &b, sizeof a) == 0; });
    fuzz::Require(tensor.shape == other.shape && same, "arrays are the same");
  }
  return 0;
}
