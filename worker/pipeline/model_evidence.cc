#include "worker/pipeline/model_evidence.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <span>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/container.h"

namespace deconvoy::worker {
namespace {

constexpr char kText[] = "evidence";
constexpr int kMostPoints = 1000, kMostKinds = 16, kMostFigures = 64;
constexpr size_t kMostVersionBytes = 64;

absl::Status Bad(std::string_view what) {
  return MakeError({.reason = v1::BAD_MODEL, .remedy = "Train the model anew."},
                   fmt::format("the model's file tells {}", what));
}

bool Finite(std::initializer_list<double> numbers) {
  return std::all_of(numbers.begin(), numbers.end(), [](double number) { return std::isfinite(number); });
}

bool IsCourse(const v1::TrainingReport& training) {
  return training.points_size() <= kMostPoints &&
         std::all_of(training.points().begin(), training.points().end(), [](const v1::TrainingPoint& point) {
           return Finite({point.loss(), point.held_back_loss()});
         });
}

bool IsQuality(const v1::ModelQuality& quality) {
  return v1::SpecimenKind_IsValid(quality.kind()) && quality.kind() != v1::SPECIMEN_KIND_UNSPECIFIED &&
         Finite({quality.nrmse(), quality.ncc(), quality.raw_nrmse(), quality.raw_ncc(), quality.classical_nrmse(),
                 quality.classical_ncc()});
}

// Patches are measured in these deviations.
bool AreStatistics(const v1::PatchStatistics& patches) {
  const auto finite = [](double number) { return std::isfinite(number); };
  const auto positive = [](double number) { return std::isfinite(number) && number > 0; };
  return patches.mean_size() > 0 && patches.mean_size() <= kMostFigures &&
         patches.deviation_size() == patches.mean_size() && positive(patches.threshold()) &&
         std::all_of(patches.mean().begin(), patches.mean().end(), finite) &&
         std::all_of(patches.deviation().begin(), patches.deviation().end(), positive);
}

// What of the facts is evidence.
v1::ModelFacts EvidenceOf(const v1::ModelFacts& facts) {
  v1::ModelFacts evidence;
  if (facts.has_training()) *evidence.mutable_training() = facts.training();
  *evidence.mutable_quality() = facts.quality();
  if (facts.has_patches()) *evidence.mutable_patches() = facts.patches();
  evidence.set_code_version(facts.code_version());
  return evidence;
}

}  // namespace

absl::StatusOr<std::string> WithEvidence(std::string_view file, const v1::ModelFacts& facts) {
  ASSIGN_OR_RETURN(learned::Container container, learned::ReadContainer(std::as_bytes(std::span(file))));
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(EvidenceOf(facts), &text, options).ok()) {
    return absl::InternalError("what a training has found cannot be written");
  }
  container.texts[kText] = std::move(text);
  return learned::WriteContainer(container);
}

absl::Status AddEvidence(const std::string& text, v1::ModelFacts& facts) {
  if (text.empty()) return absl::OkStatus();
  v1::ModelFacts told;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(text, &told, options).ok()) return Bad("no JSON of its training");
  told = EvidenceOf(told);
  if (!IsCourse(told.training())) return Bad("of a training that cannot be");
  if (told.quality_size() > kMostKinds || !std::all_of(told.quality().begin(), told.quality().end(), IsQuality)) {
    return Bad("a quality that cannot be");
  }
  if (told.has_patches() && !AreStatistics(told.patches())) return Bad("figures of patches that cannot be");
  if (told.code_version().size() > kMostVersionBytes) return Bad("no version of a program");
  facts.MergeFrom(told);
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
