#include "proto/contract/optics.h"

#include <fmt/format.h>

#include <string>

#include "proto/contract/error.h"
#include "proto/contract/model_psf.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

// The same error on a field of `work` instead of `model_psf`.
absl::Status OnFieldOf(std::string_view work, const absl::Status& status) {
  constexpr std::string_view kModelPsf = "model_psf.";
  const v1::ErrorInfo info = InfoOf(status);
  if (!info.field().starts_with(kModelPsf)) return status;
  return MakeError({.reason = info.reason(),
                    .field = fmt::format("{}.{}", work, info.field().substr(kModelPsf.size())),
                    .remedy = info.remedy(),
                    .metadata = {info.metadata().begin(), info.metadata().end()}},
                   std::string(status.message()));
}

}  // namespace

absl::Status ValidateOptics(const OpticsList& optics, v1::Microscopy microscopy, std::string_view work) {
  if (!v1::Microscopy_IsValid(microscopy) || (optics.empty() && microscopy != v1::MICROSCOPY_UNSPECIFIED)) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = fmt::format("{}.microscopy", work),
                      .remedy = "Give a known kind of microscope together with its optics, or leave both out."},
                     fmt::format("`{}.microscopy` is {}, {}", work, static_cast<int>(microscopy),
                                 optics.empty() ? "but there are no optics" : "which is no kind of microscope"));
  }
  for (int c = 0; c < optics.size(); ++c) {
    v1::ModelPsfSpec spec;
    *spec.mutable_optics() = optics[c];
    spec.set_microscopy(microscopy);
    const absl::Status valid = OnFieldOf(work, ValidateModelPsf(spec));
    if (!valid.ok()) return optics.size() > 1 ? AddContext(valid, fmt::format("optics of channel {}", c)) : valid;
  }
  return absl::OkStatus();
}

absl::Status ValidateOpticsCount(const OpticsList& optics, int64_t channels, std::string_view what,
                                 std::string_view work) {
  if (optics.size() <= 1 || optics.size() == channels) return absl::OkStatus();
  return MakeError({.reason = v1::SHAPE_MISMATCH,
                    .field = fmt::format("{}.optics", work),
                    .remedy = "Give the optics once for all channels, or once for each."},
                   fmt::format("there are optics of {} channels, but the {} has {}", optics.size(), what, channels));
}

const v1::Optics* OpticsOf(const OpticsList& optics, int64_t c) {
  if (optics.empty()) return nullptr;
  return &optics[optics.size() == 1 ? 0 : static_cast<int>(c)];
}

}  // namespace deconvoy
