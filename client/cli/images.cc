#include "client/cli/images.h"

#include <absl/time/clock.h>
#include <fmt/format.h>

#include <array>
#include <utility>

#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

// Shows a transfer with its mean rate.
TransferObserver ShowTransfer(Progress& progress, std::string phase) {
  return [&progress, phase = std::move(phase), start = absl::Now()](const TransferProgress& at) {
    const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
    const auto done = static_cast<double>(at.bytes_done), total = static_cast<double>(at.bytes_total);
    progress.Show({.phase = phase,
                   .fraction = total > 0 ? done / total : 1.0,
                   .detail = fmt::format("{} of {}", BytesText(done), BytesText(total)),
                   .rate = seconds > 0.2 ? BytesText(done / seconds) + "/s" : "",
                   .figures = {{"bytes_done", at.bytes_done}, {"bytes_total", at.bytes_total}}});
  };
}

// `image` must outlive the source.
PlaneSource PlanesOf(InputImage& image) {
  return [&reader = *image.reader](int64_t t, int64_t c, int64_t z, std::span<std::byte> plane) {
    return reader.ReadPlane(t, c, z, plane);
  };
}

}  // namespace

absl::StatusOr<InputImage> OpenInput(const std::filesystem::path& file, const std::optional<v1::VoxelSize>& voxel_size,
                                     Progress& progress) {
  InputImage image;
  ASSIGN_OR_RETURN(image.reader, imageio::OpenImage(file));
  image.spec = image.reader->spec();
  if (voxel_size) *image.spec.mutable_voxel_size() = *voxel_size;
  for (const std::string& note : image.reader->notes())
    progress.Say({.message = fmt::format("{}: {}", Printable(file.filename().string()), Printable(note))});
  return image;
}

absl::StatusOr<std::string> UploadImage(const Client& client, InputImage& image, Progress& progress,
                                        const std::stop_token& stop) {
  const std::string phase = "upload " + Printable(image.spec.display_name());
  return client.Upload(image.spec, PlanesOf(image), ShowTransfer(progress, phase), stop);
}

absl::StatusOr<Client::Uploaded> UploadImageOnce(const Client& client, InputImage& image, Progress& progress,
                                                 const std::stop_token& stop) {
  const std::string name = Printable(image.spec.display_name());
  ASSIGN_OR_RETURN(Client::Uploaded uploaded,
                   client.UploadOnce(image.spec, PlanesOf(image), ShowTransfer(progress, "read " + name),
                                     ShowTransfer(progress, "upload " + name), stop));
  if (uploaded.found)
    progress.Say({.message = fmt::format("{} is on the server already: {}", name, Printable(uploaded.volume))});
  return uploaded;
}

absl::StatusOr<v1::VolumeSpec> DownloadImage(const Client& client, const std::string& volume,
                                             const std::filesystem::path& file, const imageio::WriteOptions& options,
                                             Progress& progress, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const v1::Volume found, client.GetVolume(volume, stop));
  ASSIGN_OR_RETURN(const auto writer, imageio::CreateImage(file, found.spec(), options));
  const auto write = [&writer](int64_t, int64_t, int64_t, std::span<const std::byte> plane) {
    return writer->WritePlane(plane);
  };
  const std::string phase = "download " + Printable(file.filename().string());
  RETURN_IF_ERROR(client.Download(volume, write, ShowTransfer(progress, phase), stop));
  RETURN_IF_ERROR(writer->Finish());
  return found.spec();
}

std::string ShapeText(const v1::VolumeSpec& spec) {
  const v1::Shape5& shape = spec.shape();
  const std::array<uint32_t, 5> extents = {shape.t(), shape.c(), shape.z(), shape.y(), shape.x()};
  std::string text;
  for (size_t i = 0; i < extents.size(); ++i) {
    if (text.empty() && extents[i] == 1 && i < 2) continue;
    text += fmt::format("{}{}", text.empty() ? "" : " x ", extents[i]);
  }
  switch (spec.type()) {
    case v1::U8:
      return text + " u8";
    case v1::U16:
      return text + " u16";
    default:
      return text + " f32";
  }
}

}  // namespace deconvoy::client
