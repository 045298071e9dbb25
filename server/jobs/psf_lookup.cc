#include "server/jobs/psf_lookup.h"

#include <absl/time/time.h>
#include <fmt/format.h>

#include <boost/algorithm/hex.hpp>
#include <iterator>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

struct Place {
  std::string* name = nullptr;  // null: the job has no PSF
  std::string field = {};
};

Place PlaceIn(v1::JobSpec& spec) {
  if (spec.has_deconvolve()) return {spec.mutable_deconvolve()->mutable_psf_volume(), "deconvolve.psf_volume"};
  if (spec.has_simulate()) return {spec.mutable_simulate()->mutable_psf_volume(), "simulate.psf_volume"};
  if (spec.has_check_psf()) return {spec.mutable_check_psf()->mutable_psf_volume(), "check_psf.psf_volume"};
  if (spec.has_train_model()) return {spec.mutable_train_model()->mutable_psf_volume(), "train_model.psf_volume"};
  if (spec.has_prepare_psf()) return {spec.mutable_prepare_psf()->mutable_psf_volume(), "prepare_psf.psf_volume"};
  return {};
}

// Whether anything was taken over. `Spec` is a DeconvolveSpec or CheckPsfSpec.
template <class Spec>
bool TakeOptics(const v1::Psf& psf, Spec& spec) {
  if (!spec.optics().empty() || psf.optics().empty()) return false;
  *spec.mutable_optics() = psf.optics();
  spec.set_microscopy(psf.microscopy());
  return true;
}

bool TakeOptics(const v1::Psf& psf, v1::JobSpec& spec) {
  if (spec.has_deconvolve()) return TakeOptics(psf, *spec.mutable_deconvolve());
  return spec.has_check_psf() && TakeOptics(psf, *spec.mutable_check_psf());
}

}  // namespace

absl::StatusOr<std::optional<v1::Finding>> LookUpPsf(Store& store, const std::string& owner, v1::JobSpec& spec) {
  const Place place = PlaceIn(spec);
  if (place.name == nullptr || !IsOfPsf(*place.name)) return std::nullopt;
  ASSIGN_OR_RETURN(const PsfId id, ParsePsfName(*place.name, place.field));
  const absl::StatusOr<PsfRecord> found = store.GetPsf(owner, id.id, id.version);
  if (ReasonOf(found.status()) == v1::NOT_FOUND) {
    return MakeError({.reason = v1::NOT_FOUND, .field = place.field, .remedy = InfoOf(found.status()).remedy()},
                     fmt::format("`{}`: {}", place.field, std::string(found.status().message())));
  }
  if (!found.ok()) return found.status();
  *place.name = found->psf.volume();
  const bool took_optics = TakeOptics(found->psf, spec);
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(fmt::format("the PSF is {} of {}{}", found->psf.name(),
                                  absl::FormatTime("%Y-%m-%d", found->create_time, absl::UTCTimeZone()),
                                  took_optics ? "; its optics are those that it is kept with" : ""));
  auto& metadata = *finding.mutable_info()->mutable_metadata();
  metadata["psf"] = found->psf.name();
  metadata["volume"] = found->psf.volume();
  const std::string& digest = found->psf.spec().digest();
  boost::algorithm::hex_lower(digest.begin(), digest.end(), std::back_inserter(metadata["digest"]));
  return finding;
}

}  // namespace deconvoy::server
