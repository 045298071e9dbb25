#include "client/cli/psf_from_optics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "proto/contract/model_psf.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr double kAnyUm = 1;  // of the planes' distance where there is one plane and the image does not tell any

// Largest of both along each axis.
Voxel Largest(const Voxel& a, const Voxel& b) {
  return {std::max(a.z, b.z), std::max(a.y, b.y), std::max(a.x, b.x)};
}

absl::StatusOr<v1::Job> Compute(Session& session, const v1::ModelPsfSpec& spec, Leftovers& leftovers,
                                Progress& progress, const std::stop_token& stop) {
  v1::JobSpec job_spec;
  *job_spec.mutable_model_psf() = spec;
  return RunJob(session, job_spec, leftovers, progress, stop);
}

// Computes one channel, appends its voxels and removes what they came from.
absl::Status Append(Session& session, const v1::ModelPsfSpec& spec, Leftovers& leftovers, Progress& progress,
                    const std::stop_token& stop, std::vector<std::byte>& voxels) {
  ASSIGN_OR_RETURN(const v1::Job job, Compute(session, spec, leftovers, progress, stop));
  ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, "psf"));
  const auto keep = [&voxels](int64_t, int64_t, int64_t, std::span<const std::byte> plane) {
    voxels.insert(voxels.end(), plane.begin(), plane.end());
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(session.client().Download(
      volume, keep, [](const TransferProgress&) {}, stop));
  leftovers.RemoveStep(session.client(), job, /*volumes_too=*/true, progress);
  return absl::OkStatus();
}

}  // namespace

Voxel PsfExtent(const v1::ModelPsfSpec& spec) {
  const Shape3 ample = AmplePsfShape(spec);
  return {ample.z, ample.y, ample.x};
}

absl::StatusOr<std::vector<v1::ModelPsfSpec>> PsfSpecsFor(const ImageOptics& optics, const v1::VolumeSpec& grid,
                                                          v1::PsfModel model) {
  std::vector<v1::ModelPsfSpec> specs;
  Voxel extent{1, 1, 1};
  for (const v1::Optics& channel : optics.channels) {
    v1::ModelPsfSpec& spec = specs.emplace_back();
    *spec.mutable_optics() = channel;
    spec.set_microscopy(optics.microscopy);
    spec.set_model(model);
    *spec.mutable_voxel_size() = grid.voxel_size();
    if (grid.shape().z() == 1 && grid.voxel_size().z_um() == 0) spec.mutable_voxel_size()->set_z_um(kAnyUm);
    RETURN_IF_ERROR(ValidateModelPsf(spec));
    extent = Largest(extent, PsfExtent(spec));
  }
  const auto limit = [](int64_t voxels, uint32_t of_image) {
    return std::min<int64_t>(voxels, 2 * int64_t{of_image} - 1);
  };
  const v1::Shape5& image = grid.shape();
  const Voxel limited{limit(extent.z, image.z()), limit(extent.y, image.y()), limit(extent.x, image.x())};
  for (v1::ModelPsfSpec& spec : specs) *spec.mutable_shape() = ToProto(limited);
  return specs;
}

v1::VolumeSpec PsfVolumeSpec(const std::vector<v1::ModelPsfSpec>& specs) {
  const v1::ModelPsfSpec& first = specs.front();
  v1::VolumeSpec volume;
  volume.set_display_name("PSF from optics");
  const Shape3 shape = ToShape3(first.shape());
  *volume.mutable_shape() = ToProto(Shape5{1, static_cast<int64_t>(specs.size()), shape.z, shape.y, shape.x});
  *volume.mutable_voxel_size() = first.voxel_size();
  volume.set_type(v1::F32);
  return volume;
}

absl::StatusOr<std::string> ComputePsf(Session& session, const std::vector<v1::ModelPsfSpec>& specs,
                                       Leftovers& leftovers, Progress& progress, const std::stop_token& stop) {
  if (specs.size() == 1) {
    ASSIGN_OR_RETURN(const v1::Job job, Compute(session, specs.front(), leftovers, progress, stop));
    ASSIGN_OR_RETURN(std::string volume, OutputVolume(job, "psf"));
    leftovers.RemoveStep(session.client(), job, /*volumes_too=*/false, progress);
    return volume;
  }
  std::vector<std::byte> voxels;  // of all channels, c,z,y,x order
  for (const v1::ModelPsfSpec& spec : specs) {
    RETURN_IF_ERROR(Append(session, spec, leftovers, progress, stop, voxels));
  }
  const v1::VolumeSpec volume = PsfVolumeSpec(specs);
  const auto read = [&](int64_t, int64_t c, int64_t z, std::span<std::byte> plane) {
    const auto first = static_cast<size_t>(c * volume.shape().z() + z) * plane.size();
    std::copy_n(voxels.begin() + static_cast<std::ptrdiff_t>(first), plane.size(), plane.begin());
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(std::string name, session.client().Upload(
                                         volume, read, [](const TransferProgress&) {}, stop));
  leftovers.AddVolume(name);
  return name;
}

}  // namespace deconvoy::client
