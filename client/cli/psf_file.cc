#include "client/cli/psf_file.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "client/cli/figures/picture.h"
#include "client/cli/images.h"
#include "client/cli/projections.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

// Sums of the two outermost layers along one axis of a box.
double LayerSum(std::span<const float> values, const Shape3& shape, const Box3& box, size_t axis) {
  const Voxel begin = box.origin, end = box.end();
  double sum = 0;
  for (int64_t z = begin.z; z < end.z; ++z) {
    const bool z_rim = axis == 0 && (z == begin.z || z == end.z - 1);
    if (axis == 0 && !z_rim) continue;
    for (int64_t y = begin.y; y < end.y; ++y) {
      if (axis == 1 && y != begin.y && y != end.y - 1) continue;
      const float* row = values.data() + (z * shape.y + y) * shape.x;
      if (axis == 2) {
        sum += static_cast<double>(row[begin.x]) + static_cast<double>(row[end.x - 1]);
        continue;
      }
      for (int64_t x = begin.x; x < end.x; ++x) sum += static_cast<double>(row[x]);
    }
  }
  return sum;
}

Box3 WithoutLayers(Box3 box, size_t axis) {
  int64_t& origin = axis == 0 ? box.origin.z : axis == 1 ? box.origin.y : box.origin.x;
  int64_t& extent = axis == 0 ? box.shape.z : axis == 1 ? box.shape.y : box.shape.x;
  ++origin;
  extent -= 2;
  return box;
}

absl::StatusOr<std::vector<float>> DownloadValues(const Client& client, const std::string& volume,
                                                  const std::stop_token& stop) {
  std::vector<float> values;
  const auto take = [&values](int64_t, int64_t, int64_t, std::span<const std::byte> plane) {
    const size_t count = plane.size() / sizeof(float), before = values.size();
    values.resize(before + count);
    std::memcpy(values.data() + before, plane.data(), plane.size());
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(client.Download(volume, take, {}, stop));
  return values;
}

}  // namespace

Box3 EnergyBox(std::span<const float> values, const Shape3& shape, double energy) {
  Box3 box{{}, shape};
  double whole = 0;
  for (const float v : values) whole += static_cast<double>(v);
  double held = whole;
  for (;;) {
    Box3 best = box;
    double lost = 0, least = 0;
    const std::array<int64_t, 3> extents = {box.shape.z, box.shape.y, box.shape.x};
    for (size_t axis = 0; axis < 3; ++axis) {
      if (extents[axis] < 3) continue;
      const Box3 next = WithoutLayers(box, axis);
      const double loss = LayerSum(values, shape, box, axis);
      const double per_voxel = loss / static_cast<double>(box.shape.voxels() - next.shape.voxels());
      if (held - loss < energy * whole || (!(best == box) && per_voxel >= least)) continue;
      best = next;
      lost = loss;
      least = per_voxel;
    }
    if (best == box) return box;
    box = best;
    held -= lost;
  }
}

absl::Status SavePsf(const Client& client, const v1::Job& job, const std::filesystem::path& file, double energy,
                     const imageio::WriteOptions& options, const Console& console, Progress& progress,
                     const std::stop_token& stop) {
  if (energy >= 1) return SaveOutput(client, job, "psf", file, options, console, progress, stop);
  ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, "psf"));
  ASSIGN_OR_RETURN(const v1::Volume found, client.GetVolume(volume, stop));
  ASSIGN_OR_RETURN(const std::vector<float> values, DownloadValues(client, volume, stop));
  v1::VolumeSpec spec = found.spec();
  const Shape3 shape{spec.shape().z(), spec.shape().y(), spec.shape().x()};
  const Box3 box = EnergyBox(values, shape, energy);
  *spec.mutable_shape() = ToProto(Shape5{1, 1, box.shape.z, box.shape.y, box.shape.x});
  ASSIGN_OR_RETURN(const auto writer, imageio::CreateImage(file, spec, options));
  std::vector<float> plane(static_cast<size_t>(box.shape.y * box.shape.x));
  for (int64_t z = box.origin.z; z < box.end().z; ++z) {
    CopyBox(std::as_bytes(std::span(values)).data(), {{}, shape}, std::as_writable_bytes(std::span(plane)).data(),
            {{z, box.origin.y, box.origin.x}, {1, box.shape.y, box.shape.x}}, sizeof(float));
    RETURN_IF_ERROR(writer->WritePlane(std::as_bytes(std::span(plane))));
  }
  RETURN_IF_ERROR(writer->Finish());
  progress.Clear();
  console.Say(
      fmt::format("wrote {}: {}, cut to {:g} % of the light", Printable(file.string()), ShapeText(spec), 100 * energy));
  if (console.json) console.Json({{"event", "result"}, {"role", "psf"}, {"output", file.string()}});
  return absl::OkStatus();
}

absl::Status SavePicture(Session& session, const std::filesystem::path& file, const std::filesystem::path& picture,
                         Leftovers& leftovers, const Console& console, Progress& progress,
                         const std::stop_token& stop) {
  ASSIGN_OR_RETURN(std::vector<ChannelPanels> panels, ProjectStack(session, file, leftovers, progress, stop));
  std::vector<std::vector<Panel>> rows(1);
  for (ChannelPanels& channel : panels) {
    rows[0].push_back(std::move(channel.xy));
    if (!channel.xz.pixels.empty()) rows[0].push_back(std::move(channel.xz));
  }
  RETURN_IF_ERROR(WritePicture(picture, rows));
  progress.Clear();
  console.Say("wrote " + Printable(picture.string()));
  if (console.json) console.Json({{"event", "result"}, {"output", picture.string()}});
  return absl::OkStatus();
}

}  // namespace deconvoy::client
