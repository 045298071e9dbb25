#include "worker/ops/staging.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {
namespace {

struct FreeMemory {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte, FreeMemory>;

class HostStaging final : public Staging {
 public:
  HostStaging(Memory memory, size_t bytes) : memory_(std::move(memory)), bytes_(bytes) {}
  absl::StatusOr<std::span<std::byte>> Bytes() override { return std::span(memory_.get(), bytes_); }

 private:
  const Memory memory_;
  const size_t bytes_;
};

template <typename T>
void Convert(const CountRule& rule, std::span<const std::byte> counts, std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    T count;
    std::memcpy(&count, counts.data() + i * sizeof(T), sizeof(T));
    const auto p = static_cast<float>((static_cast<double>(count) - rule.offset) * rule.gain - rule.dark);
    values[i] = static_cast<float>(std::max(static_cast<double>(p) + rule.raise, 0.0));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Staging>> MakeHostStaging(int64_t bytes) {
  constexpr size_t kLine = 64;
  const size_t size = (static_cast<size_t>(bytes) + kLine - 1) / kLine * kLine;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(kLine, size)));
  if (memory != nullptr) return std::make_unique<HostStaging>(std::move(memory), static_cast<size_t>(bytes));
  return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Use smaller tiles, or a machine with more memory."},
                   fmt::format("there is no memory for {} MiB to load through", bytes >> 20));
}

void ConvertCounts(const CountRule& rule, std::span<const std::byte> counts, v1::VoxelType type,
                   std::span<float> values) {
  type == v1::U8 ? Convert<uint8_t>(rule, counts, values) : Convert<uint16_t>(rule, counts, values);
}

absl::StatusOr<std::unique_ptr<Staging>> Ops::Stage(int64_t bytes) {
  return MakeHostStaging(bytes);
}

absl::Status Ops::Load(Staging& from, v1::VoxelType type, const CountRule& rule, const Box3& box, Array& array) {
  ASSIGN_OR_RETURN(const std::span<const std::byte> counts, from.Bytes());
  std::vector<float> values(static_cast<size_t>(box.shape.voxels()));
  ConvertCounts(rule, counts.first(values.size() * static_cast<size_t>(BytesPerVoxel(type))), type, values);
  return Upload(values, box, array);
}

}  // namespace deconvoy::worker
