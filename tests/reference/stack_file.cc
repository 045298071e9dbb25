#include "tests/reference/stack_file.h"

#include <cstddef>
#include <span>

#include "client/imageio/image_file.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/counts.h"

namespace deconvoy::reference {

absl::StatusOr<std::vector<float>> ReadChannel(const std::filesystem::path& path, int64_t c) {
  ASSIGN_OR_RETURN(const auto reader, imageio::OpenImage(path));
  const v1::Shape5& shape = reader->spec().shape();
  const auto plane = static_cast<size_t>(shape.y()) * shape.x();
  std::vector<float> values(plane * shape.z());
  std::vector<std::byte> raw(plane * static_cast<size_t>(BytesPerVoxel(reader->spec().type())));
  for (int64_t z = 0; z < static_cast<int64_t>(shape.z()); ++z) {
    RETURN_IF_ERROR(reader->ReadPlane(0, c, z, raw));
    worker::ToFloat(raw, reader->spec().type(), std::span(values).subspan(static_cast<size_t>(z) * plane, plane));
  }
  return values;
}

absl::StatusOr<Shape3> ExtentOf(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const auto reader, imageio::OpenImage(path));
  const v1::Shape5& shape = reader->spec().shape();
  return Shape3{shape.z(), shape.y(), shape.x()};
}

std::vector<worker::BeadPatch> Patches(const std::vector<float>& stack, const Shape3& shape, const Shape3& box,
                                       const worker::FoundBeads& found) {
  std::vector<worker::BeadPatch> patches;
  for (size_t i = 0; i < found.beads.size(); ++i) {
    if (!found.beads[i].rejected.empty()) continue;
    worker::BeadPatch& patch = patches.emplace_back(worker::CutPatch(stack, shape, box, found.beads[i].peak));
    patch.bead = i;
    patch.background = found.background;
  }
  return patches;
}

}  // namespace deconvoy::reference
