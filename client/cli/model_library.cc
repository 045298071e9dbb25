#include "client/cli/model_library.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "client/cli/json.h"
#include "client/cli/model_names.h"
#include "client/cli/outcome.h"
#include "client/cli/values.h"
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

// As a safetensors file begins: with the length of its header, and the header, which is JSON.
bool BeginsAsSafetensors(std::string_view bytes) {
  constexpr size_t kLengthBytes = 8;
  if (bytes.size() <= kLengthBytes || bytes[kLengthBytes] != '{') return false;
  uint64_t length = 0;
  for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return length <= bytes.size() - kLengthBytes;
}

// As a pickle of protocol 2 to 5 does.
bool BeginsAsPickle(std::string_view bytes) {
  return bytes.size() > 1 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

std::string DigestOf(std::string_view bytes) {
  Sha256 digest;
  digest.Update(std::as_bytes(std::span(bytes)));
  const Sha256Digest sum = digest.Finish();
  return {reinterpret_cast<const char*>(sum.data()), sum.size()};
}

// Uploads a file into a volume of its own, and returns the volume's name.
absl::StatusOr<std::string> UploadModelFile(const Client& client, const ModelFile& file, const std::stop_token& stop) {
  v1::VolumeSpec volume = ByteVolume(static_cast<int64_t>(file.bytes.size()));
  volume.set_display_name(imageio::TextField(file.path.filename().string(), limits::kDisplayNameBytes));
  ASSIGN_OR_RETURN(const std::string frame, ToFrameBytes(file.bytes, volume));
  const auto plane = [&frame](int64_t, int64_t, int64_t, std::span<std::byte> target) {
    std::ranges::copy(std::as_bytes(std::span(frame)), target.begin());
    return absl::OkStatus();
  };
  return client.Upload(volume, plane, {}, stop);
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
                                    const v1::Job& job, Leftovers& leftovers, const std::stop_token& stop) {
  v1::CreateModelRequest request;
  request.set_model_id(id);
  request.set_job(job.name());
  request.set_description(description);
  ASSIGN_OR_RETURN(v1::Model model, client.CreateModel(std::move(request), stop));
  leftovers.Spare(model.volume());
  return model;
}

std::string QualityLine(const v1::ModelQuality& quality) {
  std::string line =
      fmt::format("{}{}: nrmse {:.4g}, ncc {:.4g}; image {:.4g}, {:.4g}", Lower(v1::SpecimenKind_Name(quality.kind())),
                  quality.held_out() ? " (never trained on)" : "", quality.nrmse(), quality.ncc(), quality.raw_nrmse(),
                  quality.raw_ncc());
  if (!(quality.classical_nrmse() > 0)) return line;
  return line +
         fmt::format("; 20 iterations of plain rl {:.4g}, {:.4g}", quality.classical_nrmse(), quality.classical_ncc());
}

void SayKept(const v1::Model& model, const Console& console) {
  console.Say("kept as " + ShortModelName(model.name()));
  if (console.json) console.Json({{"event", "kept"}, {"model", ToJson(model)}});
  for (const v1::ModelQuality& quality : model.facts().quality()) console.Say(QualityLine(quality));
}

std::string ModelFile::Digest() const {
  return DigestOf(bytes);
}

absl::StatusOr<ModelFile> ReadModelFile(const std::filesystem::path& file, const std::string& option) {
  ModelFile read{.path = file, .spec = {}, .bytes = {}};
  ASSIGN_OR_RETURN(read.bytes,
                   ReadWhole(file, option, static_cast<uintmax_t>(limits::kModelBytes), "Give a model's file."));
  const bool program = read.bytes.starts_with("PK\3\4");  // a zip archive
  read.spec.set_format(program ? v1::TORCHSCRIPT : v1::SAFETENSORS);
  return read;
}

absl::Status AddDescriptor(const std::filesystem::path& descriptor, ModelFile& file) {
  const bool program = file.spec.format() == v1::TORCHSCRIPT;
  const std::string name = Printable(file.path.string());
  if (!program && !descriptor.empty()) {
    return DescriptorError(fmt::format("{} is no TorchScript, and has no descriptor", name),
                           "Leave it out, or give the file that it belongs to, as torch.jit.save has written it.");
  }
  if (!program) return absl::OkStatus();
  if (descriptor.empty()) {
    return DescriptorError(fmt::format("{} is a model that is a program, and needs a descriptor", name),
                           "Give the rdf.yaml that belongs to it as --descriptor.");
  }
  ASSIGN_OR_RETURN(const std::string text,
                   ReadWhole(descriptor, "--descriptor", kMostDescriptorBytes, "Give the model's rdf.yaml."));
  if (!IsUtf8(text)) return DescriptorError("the descriptor is no text in UTF-8", "Give the model's rdf.yaml.");
  file.spec.set_descriptor_text(text);
  return absl::OkStatus();
}

absl::Status CheckBeginning(const ModelFile& file) {
  if (file.spec.format() != v1::SAFETENSORS || BeginsAsSafetensors(file.bytes)) return absl::OkStatus();
  return MakeError({.reason = v1::BAD_MODEL,
                    .remedy = "Give a file as `deconvoy models export` writes it.",
                    .metadata = {{"path", file.path.string()}}},
                   fmt::format("{} is no model: {}", Printable(file.path.string()),
                               BeginsAsPickle(file.bytes) ? "it is a pickle, as of torch.save, which is never read"
                                                          : "it does not begin as a safetensors file does"));
}

absl::StatusOr<v1::Model> ImportModel(Session& session, const ModelFile& file, const std::string& id,
                                      const std::string& description, Leftovers& leftovers, Progress& progress,
                                      const std::stop_token& stop) {
  v1::JobSpec spec;
  spec.set_display_name("check of " + id);
  *spec.mutable_check_model() = file.spec;
  ASSIGN_OR_RETURN(*spec.mutable_check_model()->mutable_model_volume(), UploadModelFile(session.client(), file, stop));
  leftovers.AddVolume(spec.check_model().model_volume());
  ASSIGN_OR_RETURN(const v1::Job job, RunJob(session, spec, leftovers, progress, stop));
  ASSIGN_OR_RETURN(v1::Model model, KeepModel(session.client(), id, description, job, leftovers, stop));
  leftovers.RemoveStep(session.client(), job, /*volumes_too=*/false, progress);
  return model;
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
  if (model.facts().digest() == DigestOf(file)) return std::string(file);
  return MakeError({.reason = v1::CHECKSUM_MISMATCH, .remedy = "Try again, and have the server's disk looked at."},
                   fmt::format("the file of {} is not the one that was checked", Printable(model.name())));
}

}  // namespace deconvoy::client
