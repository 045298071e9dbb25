// A model's descriptor of unknown origin: what is understood is written and read again as the same.
#include "proto/contract/error.h"
#include "tests/fuzz/input.h"
#include "worker/learned/descriptor.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  using namespace deconvoy::worker::learned;
  auto read = ParseDescriptor(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!read.ok()) {
    const v1::ErrorReason reason = ReasonOf(read.status());
    fuzz::Require(reason == v1::INVALID_FIELD || reason == v1::LIMIT_EXCEEDED, "a refusal is the descriptor's fault");
    fuzz::Require(IsUtf8(std::string(read.status().message())), "a refusal can be shown");
    return 0;
  }
  const Shape3 taken = TakenExtents(*read, {5, 70, 300});
  fuzz::Require(taken.z >= 5 && taken.y >= 70 && taken.x >= 300, "a box fits into the extents that are taken");
  fuzz::Require(CommonStep(*read) >= 1 && CommonStep(*read) <= kMostCommonStep, "steps are bounded");
  fuzz::Require(read->percentiles.low < read->percentiles.high, "there is a range");
  read->file_sha256.clear();
  const auto again = ParseDescriptor(WriteDescriptor(*read));
  fuzz::Require(again.ok() && *again == *read, "what was written is read as the same");
  return 0;
}
