#include "worker/pipeline/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <cmath>
#include <iterator>
#include <span>
#include <vector>

#include "proto/contract/byte_volume.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/learned/script.h"
#include "worker/pipeline/model_evidence.h"
#include "worker/pipeline/plane_reader.h"

namespace deconvoy::worker {
namespace {

// Beside the numbers that a network learns, its file has a header, and its state further copies of them: the best ones
// so far and two moments of the optimiser, the curves, and what heads add.
constexpr uint64_t kHeaderBytes = 256 * 1024;
constexpr uint64_t kNumberBytes = 4, kCopiesInState = 4;

v1::NetworkDescription Describe(const learned::NetworkKind& kind) {
  const auto parameters = static_cast<uint64_t>(kind.parameters);
  const uint64_t with_head = parameters + parameters / 4;
  v1::NetworkDescription network;
  network.set_name(std::string(kind.name));
  network.set_summary(std::string(kind.structure));
  network.set_citation(std::string(kind.citation));
  network.set_parameters(parameters);
  network.set_probabilistic(!kind.plain_only);
  network.set_model_bytes(kNumberBytes * with_head + kHeaderBytes);
  network.set_state_bytes(kCopiesInState * kNumberBytes * with_head + 2 * kHeaderBytes);
  network.set_training_bytes_per_voxel(kind.training_bytes_per_voxel);
  network.set_knows_psf(kind.knows_psf);
  network.set_denoises(kind.purpose == learned::Purpose::kDenoise);
  return network;
}

// As the contract has it; a file may come from anywhere.
absl::StatusOr<std::string> DigestFrom(const std::string& text) {
  std::string digest;
  try {
    boost::algorithm::unhex(text.begin(), text.end(), std::back_inserter(digest));
  } catch (const boost::algorithm::hex_decode_error&) {
    digest = "?";
  }
  if (digest.empty() || digest.size() == Sha256Digest().size()) return digest;
  return MakeError({.reason = v1::BAD_MODEL, .remedy = "Train the model anew."},
                   "the model's file tells a digest of its PSF that is none");
}

absl::StatusOr<v1::VoxelSize> VoxelFrom(const std::vector<double>& um) {
  v1::VoxelSize voxel;
  if (um.empty()) return voxel;
  const bool lengths = um.size() == 3 && std::all_of(um.begin(), um.end(), [](double length) {
                         return length == 0 || (length >= 1 / limits::kMaximumUm && length <= limits::kMaximumUm);
                       });
  if (!lengths) {
    return MakeError({.reason = v1::BAD_MODEL, .remedy = "Train the model anew."},
                     "the model's file tells voxel sizes that are none");
  }
  voxel.set_z_um(um[0]);
  voxel.set_y_um(um[1]);
  voxel.set_x_um(um[2]);
  return voxel;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(VolumeSource& source, const v1::VolumeAccess& volume, int64_t t) {
  RETURN_IF_ERROR(CheckByteVolume(volume.spec(), "volume"));
  const Box3 whole{{}, FrameShape(volume.spec())};
  std::string frame(static_cast<size_t>(whole.shape.voxels()), '\0');
  RETURN_IF_ERROR(source.Read(volume, {t, 0, whole}, std::as_writable_bytes(std::span(frame))));
  ASSIGN_OR_RETURN(const std::string_view file, FromFrameBytes(frame));
  return std::string(file);
}

std::string DigestOf(std::string_view file) {
  Sha256 digest;
  digest.Update(std::as_bytes(std::span(file)));
  const Sha256Digest sum = digest.Finish();
  return {reinterpret_cast<const char*>(sum.data()), sum.size()};
}

absl::StatusOr<v1::ModelFacts> FactsOf(std::string_view file, const learned::Model& model) {
  const learned::ModelFacts& known = model.facts();
  v1::ModelFacts facts;
  facts.set_digest(DigestOf(file));
  facts.set_size_bytes(file.size());
  facts.set_format(known.descriptor.empty() ? v1::SAFETENSORS : v1::TORCHSCRIPT);
  facts.set_descriptor_text(known.descriptor);
  facts.set_network(known.network);
  facts.set_parameters(static_cast<uint64_t>(model.kind().parameters));
  facts.set_head(known.head == learned::Head::kProbabilistic ? v1::PROBABILISTIC : v1::PLAIN);
  ASSIGN_OR_RETURN(*facts.mutable_psf_digest(), DigestFrom(known.psf_digest));
  ASSIGN_OR_RETURN(*facts.mutable_voxel_size(), VoxelFrom(known.voxel_um));
  facts.mutable_normalisation()->set_low_percentile(known.percentiles.low);
  facts.mutable_normalisation()->set_high_percentile(known.percentiles.high);
  *facts.mutable_halo() = ToProto(model.halo());
  const auto step = model.kind().step;
  *facts.mutable_multiple() = ToProto(Shape3{step, step, step});
  facts.set_bytes_per_voxel(model.kind().bytes_per_voxel);
  facts.set_recipe(known.recipe);
  RETURN_IF_ERROR(AddEvidence(known.evidence, facts));
  facts.set_units("photons");
  return facts;
}

void DescribeNetworks(v1::Method& method) {
  const learned::Runtime& runtime = learned::TheRuntime();
  if (!runtime.available()) {
    method.set_unavailable(runtime.reason);
    return;
  }
  method.set_library(fmt::format("LibTorch {}", runtime.version));
  method.add_formats(v1::SAFETENSORS);
  if (learned::ScriptsUnavailable().empty()) method.add_formats(v1::TORCHSCRIPT);
  for (const learned::NetworkKind& kind : learned::AllNetworks()) *method.add_networks() = Describe(kind);
}

}  // namespace deconvoy::worker
