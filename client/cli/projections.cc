#include "client/cli/projections.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <utility>

#include "client/cli/images.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

// The voxels of one plane as floats, appended.
void Append(std::span<const std::byte> plane, v1::VoxelType type, std::vector<float>& pixels) {
  const auto bytes = static_cast<size_t>(BytesPerVoxel(type));
  for (size_t at = 0; at < plane.size(); at += bytes) {
    if (type == v1::F32) {
      float value = 0;
      std::memcpy(&value, plane.data() + at, bytes);
      pixels.push_back(value);
    } else {
      uint16_t value = 0;
      std::memcpy(&value, plane.data() + at, bytes);
      pixels.push_back(value);
    }
  }
}

// A projected volume: for each channel of its first time point the pixels of all planes, one after the other.
struct Projection {
  v1::VolumeSpec spec;
  std::vector<std::vector<float>> channels;
};

absl::StatusOr<Projection> Download(const Client& client, const std::string& volume, const std::stop_token& stop) {
  Projection projection;
  ASSIGN_OR_RETURN(const v1::Volume found, client.GetVolume(volume));
  projection.spec = found.spec();
  projection.channels.resize(found.spec().shape().c());
  const auto take = [&projection](int64_t t, int64_t c, int64_t, std::span<const std::byte> plane) {
    if (t == 0) Append(plane, projection.spec.type(), projection.channels[static_cast<size_t>(c)]);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(client.Download(volume, take, {}, stop));
  return projection;
}

std::string Title(const v1::VolumeSpec& spec, size_t channel, const std::string& axes) {
  std::string title = Printable(spec.display_name());
  if (spec.shape().c() > 1) {
    const bool named =
        static_cast<int>(channel) < spec.channels_size() && !spec.channels(static_cast<int>(channel)).name().empty();
    title += named ? " " + Printable(spec.channels(static_cast<int>(channel)).name()) : fmt::format(" c={}", channel);
  }
  return title + " " + axes;
}

class Projector {
 public:
  Projector(Session& session, Leftovers& leftovers, Progress& progress, const std::stop_token& stop)
      : session_(session), leftovers_(leftovers), progress_(progress), stop_(stop) {}

  absl::StatusOr<std::vector<ChannelPanels>> Run(const std::filesystem::path& file) {
    ASSIGN_OR_RETURN(InputImage image, OpenInput(file, std::nullopt, progress_));
    ASSIGN_OR_RETURN(const std::string volume, UploadImage(session_.client(), image, progress_, stop_));
    leftovers_.AddVolume(volume);
    std::vector<ChannelPanels> panels(image.spec.shape().c());
    ASSIGN_OR_RETURN(Projection along_z, Project(volume, v1::ProjectSpec::Z));
    const v1::Shape5& shape = image.spec.shape();
    const v1::VoxelSize& size = image.spec.voxel_size();
    for (size_t c = 0; c < panels.size(); ++c)
      panels[c].xy = {Title(image.spec, c, "xy"),     shape.x(),   shape.y(),
                      std::move(along_z.channels[c]), size.x_um(), size.y_um()};
    if (shape.z() == 1) return panels;
    ASSIGN_OR_RETURN(Projection along_y, Project(volume, v1::ProjectSpec::Y));
    for (size_t c = 0; c < panels.size(); ++c)
      panels[c].xz = {Title(image.spec, c, "xz"),     shape.x(),   shape.z(),
                      std::move(along_y.channels[c]), size.x_um(), size.z_um()};
    return panels;
  }

 private:
  absl::StatusOr<Projection> Project(const std::string& volume, v1::ProjectSpec::Axis axis) {
    v1::JobSpec spec;
    spec.set_display_name("projection");
    spec.mutable_project()->set_input_volume(volume);
    spec.mutable_project()->set_axis(axis);
    ASSIGN_OR_RETURN(const v1::Job job, RunJob(session_, spec, leftovers_, progress_, stop_));
    ASSIGN_OR_RETURN(const std::string output, OutputVolume(job, "projection"));
    return Download(session_.client(), output, stop_);
  }

  Session& session_;
  Leftovers& leftovers_;
  Progress& progress_;
  const std::stop_token& stop_;
};

}  // namespace

absl::StatusOr<std::vector<ChannelPanels>> ProjectStack(Session& session, const std::filesystem::path& file,
                                                        Leftovers& leftovers, Progress& progress,
                                                        const std::stop_token& stop) {
  return Projector(session, leftovers, progress, stop).Run(file);
}

}  // namespace deconvoy::client
