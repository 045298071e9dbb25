#include "client/cli/model_library.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <span>
#include <utility>
#include <vector>

#include "client/cli/json.h"
#include "client/cli/model_names.h"
#include "client/cli/outcome.h"
#include "client/imageio/units.h"
#include "proto/contract/byte_volume.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

absl::Status Unreadable(const std::filesystem::path& file, const std::string& field, const std::string& remedy) {
  return MakeError(
      {.reason = v1::INVALID_FIELD, .field = field, .remedy = remedy, .metadata = {{"path", file.string()}}},
      fmt::format("{} is no file that can be read", Printable(file.string())));
}

absl::StatusOr<std::string> ReadWhole(const std::filesystem::path& file, const std::string& field, uintmax_t most,
                                      const std::string& remedy) {
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(file, error);
  const uintmax_t size = regular ? std::filesystem::file_size(file, error) : 0;
  if (!regular || error) return Unreadable(file, field, remedy);
  if (size > most) {
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = field,
                      .remedy = "Use a smaller one.",
                      .metadata = {{"path", file.string()}, {"limit", fmt::to_string(most)}}},
                     fmt::format("{} has {} bytes, more than {}", Printable(file.string()), size, most));
  }
  std::string bytes(static_cast<size_t>(size), '\0');
  std::ifstream in(file, std::ios::binary);
  if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return Unreadable(file, field, remedy);
  return bytes;
}

absl::Status DescriptorError(const std::string& what, const std::string& remedy) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "--descriptor", .remedy = remedy}, what);
}

}  // namespace

absl::StatusOr<std::string> NewModelId(const std::string& name) {
  ASSIGN_OR_RETURN(const std::string full, ModelArgument(name));
  ASSIGN_OR_RETURN(const ModelId model, ParseModelName(full, "model"));
  if (model.version == 0) return model.id;
  return UsageError(fmt::format("'{}' names a version", Printable(name)),
                    fmt::format("Give {}: the server counts the versions.", model.id));
}

absl::StatusOr<v1::Model> KeepModel(const Client& client, const std::string& id, const std::string& description,
                                    const v1::Job& job, Leftovers& leftovers, const Console& console,
                                    const std::stop_token& stop) {
  v1::CreateModelRequest request;
  request.set_model_id(id);
  request.set_job(job.name());
  request.set_description(description);
  ASSIGN_OR_RETURN(v1::Model model, client.CreateModel(std::move(request), stop));
  leftovers.Spare(model.volume());
  console.Say("kept as " + ShortModelName(model.name()));
  if (console.json) console.Json({{"event", "kept"}, {"model", ToJson(model)}});
  return model;
}

absl::StatusOr<ModelFile> ReadModelFile(const std::filesystem::path& file, const std::filesystem::path& descriptor) {
  ModelFile read;
  ASSIGN_OR_RETURN(read.bytes,
                   ReadWhole(file, "FILE", static_cast<uintmax_t>(limits::kModelBytes), "Give a model's file."));
  const bool program = read.bytes.starts_with("PK\3\4");  // a zip archive
  read.spec.set_format(program ? v1::TORCHSCRIPT : v1::SAFETENSORS);
  if (!program && !descriptor.empty()) {
    return DescriptorError(fmt::format("{} is no TorchScript, and has no descriptor", Printable(file.string())),
                           "Leave it out, or give the file that it belongs to, as torch.jit.save has written it.");
  }
  if (!program) return read;
  if (descriptor.empty()) {
    return DescriptorError(
        fmt::format("{} is a model that is a program, and needs a descriptor", Printable(file.string())),
        "Give the rdf.yaml that belongs to it as --descriptor.");
  }
  ASSIGN_OR_RETURN(const std::string text,
                   ReadWhole(descriptor, "--descriptor", kMostDescriptorBytes, "Give the model's rdf.yaml."));
  if (!IsUtf8(text)) return DescriptorError("the descriptor is no text in UTF-8", "Give the model's rdf.yaml.");
  read.spec.set_descriptor_text(text);
  return read;
}

absl::StatusOr<std::string> UploadModelFile(const Client& client, const std::string& bytes, const std::string& name,
                                            const std::stop_token& stop) {
  v1::VolumeSpec volume = ByteVolume(static_cast<int64_t>(bytes.size()));
  volume.set_display_name(imageio::TextField(name, limits::kDisplayNameBytes));
  ASSIGN_OR_RETURN(const std::string frame, ToFrameBytes(bytes, volume));
  const auto plane = [&frame](int64_t, int64_t, int64_t, std::span<std::byte> target) {
    std::ranges::copy(std::as_bytes(std::span(frame)), target.begin());
    return absl::OkStatus();
  };
  return client.Upload(volume, plane, {}, stop);
}

absl::StatusOr<std::string> DownloadModelFile(const Client& client, const v1::Model& model,
                                              const std::stop_token& stop) {
  std::string frame;
  const auto take = [&frame](int64_t, int64_t, int64_t, std::span<const std::byte> plane) {
    frame.append(reinterpret_cast<const char*>(plane.data()), plane.size());
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(client.Download(model.volume(), take, {}, stop));
  ASSIGN_OR_RETURN(const std::string_view file, FromFrameBytes(frame));
  Sha256 digest;
  digest.Update(std::as_bytes(std::span(file)));
  const Sha256Digest sum = digest.Finish();
  if (model.facts().digest() == std::string_view(reinterpret_cast<const char*>(sum.data()), sum.size())) {
    return std::string(file);
  }
  return MakeError({.reason = v1::CHECKSUM_MISMATCH, .remedy = "Try again, and have the server's disk looked at."},
                   fmt::format("the file of {} is not the one that was checked", Printable(model.name())));
}

}  // namespace deconvoy::client
