#include "server/jobs/trust_check.h"

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace deconvoy::server {
namespace {

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

}  // namespace

void AddTrust(const v1::TrustStatistics& added, v1::TrustStatistics& total) {
  total.set_voxels(total.voxels() + added.voxels());
  total.set_estimate_squares(total.estimate_squares() + added.estimate_squares());
  total.set_spread_squares(total.spread_squares() + added.spread_squares());
  total.set_compared_voxels(total.compared_voxels() + added.compared_voxels());
  total.set_classical_squares(total.classical_squares() + added.classical_squares());
  total.set_difference_squares(total.difference_squares() + added.difference_squares());
}

std::vector<v1::Finding> TrustFindings(const v1::DeconvolveSpec& spec, const v1::TrustStatistics& trust) {
  std::vector<v1::Finding> findings;
  if (trust.compared_voxels() > 0) {
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
  return findings;
}

}  // namespace deconvoy::server
