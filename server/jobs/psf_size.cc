#include "server/jobs/psf_size.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "server/jobs/tile_planning.h"

namespace deconvoy::server {
namespace {

std::string Text(const Shape3& shape) {
  return fmt::format("{} x {} x {}", shape.z, shape.y, shape.x);
}

v1::Finding MakeFinding(v1::Severity severity, std::string message) {
  v1::Finding finding;
  finding.set_severity(severity);
  finding.set_message(std::move(message));
  return finding;
}

// A bead's image in the place of the specimen's gives a result without any other sign of the mistake.
bool MayBeSwapped(const Shape3& frame, const Shape3& psf) {
  const auto larger = [](int64_t p, int64_t m) { return p > m || (p == 1 && m == 1); };
  const bool by_every_axis = larger(psf.z, frame.z) && larger(psf.y, frame.y) && larger(psf.x, frame.x);
  return by_every_axis && !(psf == Shape3{1, 1, 1});
}

v1::Finding SwapFinding(const Shape3& frame, const Shape3& psf) {
  v1::Finding finding = MakeFinding(
      v1::WARNING,
      fmt::format("the PSF of {} voxels (z,y,x) is larger than the image of {} along every axis; are the two swapped?",
                  Text(psf), Text(frame)));
  finding.mutable_info()->set_reason(v1::SHAPE_MISMATCH);
  finding.mutable_info()->set_field("deconvolve.psf_volume");
  finding.mutable_info()->set_remedy(
      "Give the recorded stack as the image and the PSF as the PSF; if they are right, cut the PSF to its bright "
      "part.");
  return finding;
}

}  // namespace

std::vector<v1::Finding> PsfSizeFindings(v1::Boundary boundary, const Shape3& frame, const Shape3& psf) {
  std::vector<v1::Finding> findings;
  if (MayBeSwapped(frame, psf)) findings.push_back(SwapFinding(frame, psf));
  const Shape3 usable = UsablePsf(psf, frame, boundary);
  if (boundary == v1::PERIODIC) {
    if (psf.z > frame.z || psf.y > frame.y || psf.x > frame.x) {
      findings.push_back(MakeFinding(
          v1::INFO, fmt::format("the PSF of {} voxels is larger than the periodic volume of {} and wraps around",
                                Text(psf), Text(frame))));
    }
  } else if (!(usable == psf)) {
    findings.push_back(MakeFinding(
        v1::INFO,
        fmt::format("the PSF of {} voxels is cropped to {}: in a volume of {} no two voxels are further apart",
                    Text(psf), Text(usable), Text(frame))));
  }
  return findings;
}

}  // namespace deconvoy::server
