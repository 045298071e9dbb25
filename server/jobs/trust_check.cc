#include "server/jobs/trust_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace deconvoy::server {
namespace {

// Of the patches; above it the image is told to be unlike those of the training.
constexpr double kStrangeShare = 0.1;

// Root of the mean squares over that of the other's.
double Share(double squares, double of_squares) {
  return of_squares > 0 ? std::sqrt(squares / of_squares) : 0;
}

v1::Finding Info(const std::string& message, const char* fact, double value) {
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(message);
  (*finding.mutable_info()->mutable_metadata())[fact] = fmt::format("{:.4g}", value);
  return finding;
}

// One of 100 patches like those of the training is strange.
v1::Finding Strangeness(const v1::TrustStatistics& trust) {
  const double share = static_cast<double>(trust.strange_patches()) / static_cast<double>(trust.patches());
  v1::Finding finding =
      Info(fmt::format("{:.1f} % of the image's patches are unlike those that the models were trained "
                       "with, the strangest by {:.1f} times the threshold",
                       100 * share, trust.strangeness()),
           "strange", share);
  if (share <= kStrangeShare) return finding;
  finding.set_severity(v1::WARNING);
  finding.mutable_info()->set_reason(v1::BAD_MODEL);
  finding.mutable_info()->set_field("deconvolve.models");
  finding.mutable_info()->set_remedy(
      "Do not trust this result before it has been compared with that of a classical method; train a model with "
      "specimens, light and background like these.");
  return finding;
}

v1::Finding NothingToCompare() {
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(
      "whether the image is like those that the models were trained with is not known: their files do not tell how "
      "those looked, or the image is smaller than a patch of 8 x 16 x 16 voxels");
  return finding;
}

}  // namespace

void AddTrust(const v1::TrustStatistics& added, v1::TrustStatistics& total) {
  total.set_voxels(total.voxels() + added.voxels());
  total.set_estimate_squares(total.estimate_squares() + added.estimate_squares());
  total.set_spread_squares(total.spread_squares() + added.spread_squares());
  total.set_compared_voxels(total.compared_voxels() + added.compared_voxels());
  total.set_classical_squares(total.classical_squares() + added.classical_squares());
  total.set_difference_squares(total.difference_squares() + added.difference_squares());
  total.set_patches(total.patches() + added.patches());
  total.set_strange_patches(total.strange_patches() + added.strange_patches());
  total.set_strangeness(std::max(total.strangeness(), added.strangeness()));
}

std::vector<v1::Finding> TrustFindings(const v1::DeconvolveSpec& spec, const v1::TrustStatistics& trust) {
  std::vector<v1::Finding> findings;
  if (trust.compared_voxels() > 0 && !(trust.classical_squares() > 0) && trust.difference_squares() > 0) {
    findings.push_back(Info(fmt::format("on {:.3g} million voxels the models' result has light where that of `{}` has "
                                        "none at all",
                                        1e-6 * static_cast<double>(trust.compared_voxels()), spec.classical_method()),
                            "difference", std::numeric_limits<double>::infinity()));
  } else if (trust.compared_voxels() > 0) {
    const double share = Share(trust.difference_squares(), trust.classical_squares());
    findings.push_back(
        Info(fmt::format("on {:.3g} million voxels the models' result differs from that of `{}` by {:.0f} % "
                         "of the latter (root of the mean squares)",
                         1e-6 * static_cast<double>(trust.compared_voxels()), spec.classical_method(), 100 * share),
             "difference", share));
  }
  if (trust.spread_squares() > 0) {
    const double share = Share(trust.spread_squares(), trust.estimate_squares());
    findings.push_back(
        Info(fmt::format("the spread of the models' result is {:.0f} % of it (root of the mean squares)", 100 * share),
             "spread", share));
  }
  if (trust.patches() > 0) findings.push_back(Strangeness(trust));
  if (trust.patches() == 0 && trust.voxels() > 0) findings.push_back(NothingToCompare());
  return findings;
}

}  // namespace deconvoy::server
