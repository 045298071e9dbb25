#include "worker/executor/self_test.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>

#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "worker/imaging/gaussian.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

constexpr Shape3 kRateDomain{64, 128, 128};
constexpr int kRateIterations = 3;

class SilentMonitor : public Monitor {
 public:
  absl::Status Iterated(const Iteration&) override { return absl::OkStatus(); }
  bool hears_curve() const override { return false; }
};

double Sum(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double Correlation(std::span<const float> a, std::span<const float> b) {
  const double n = static_cast<double>(a.size()), mean_a = Sum(a) / n, mean_b = Sum(b) / n;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double da = a[i] - mean_a, db = b[i] - mean_b;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return ab / std::sqrt(aa * bb);
}

// Plain Richardson-Lucy on a domain that is the image.
absl::StatusOr<std::vector<float>> Solve(Backend& backend, const SelfTestPhantom& phantom) {
  const Method* rl = FindMethod("rl");
  if (rl == nullptr) return absl::InternalError("there is no method `rl`");
  ASSIGN_OR_RETURN(const Parameters parameters,
                   ResolveParameters(rl->description(),
                                     {{"iterations", std::to_string(phantom.iterations)}, {"acceleration", "none"}}));
  const Box3 all{{}, phantom.shape};
  const Shape3& p = phantom.psf_shape;
  ASSIGN_OR_RETURN(const std::unique_ptr<Ops> ops, backend.Open(phantom.shape));
  ASSIGN_OR_RETURN(const std::unique_ptr<Otf> otf, ops->MakeOtf(phantom.psf, p, {p.z / 2, p.y / 2, p.x / 2}));
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> y, ops->Allocate(all));
  RETURN_IF_ERROR(ops->Upload(phantom.measured, all, *y));
  SilentMonitor monitor;
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Array> x,
      rl->Run({.ops = ops.get(),
               .otf = otf.get(),
               .measured = y.get(),
               .boundary = v1::PERIODIC,
               .background = phantom.background,
               .mean = static_cast<float>(Sum(phantom.measured) / static_cast<double>(all.shape.voxels()))},
              parameters, monitor));
  std::vector<float> answer(phantom.measured.size());
  RETURN_IF_ERROR(ops->Download(*x, all, answer));
  return answer;
}

absl::Status Check(const SelfTestPhantom& phantom, std::span<const float> answer) {
  const auto fail = [](std::string what) {
    return MakeError({.reason = v1::WORKER_REFUSED, .remedy = "Check the device and its drivers."},
                     "the self-test's answer " + std::move(what));
  };
  if (!std::all_of(answer.begin(), answer.end(), [](float v) { return std::isfinite(v); })) {
    return fail("has voxels that are NaN or infinite");
  }
  const double flux = Sum(answer) / Sum(phantom.truth), peak = *std::max_element(answer.begin(), answer.end());
  if (std::abs(flux - 1) > 0.05) return fail(fmt::format("has {:.5g} times the light of the truth", flux));
  if (std::abs(peak / kSelfTestPeak - 1) > 1e-3) {
    return fail(fmt::format("peaks at {:.7g} photons where {:.7g} is right", peak, kSelfTestPeak));
  }
  const double before = Correlation(phantom.measured, phantom.truth), after = Correlation(answer, phantom.truth);
  if (after >= 0.5 && after > before) return absl::OkStatus();
  return fail(fmt::format("correlates with the truth by {:.3f}, the image by {:.3f}", after, before));
}

absl::StatusOr<double> MeasureRate(Backend& backend) {
  SelfTestPhantom phantom = MakeSelfTestPhantom();
  phantom.shape = kRateDomain;
  phantom.iterations = kRateIterations;
  phantom.measured.assign(static_cast<size_t>(kRateDomain.voxels()), 1);
  RETURN_IF_ERROR(Solve(backend, phantom).status());  // plans
  const auto start = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(Solve(backend, phantom).status());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  return static_cast<double>(kRateDomain.voxels() * kRateIterations) / taken.count();
}

}  // namespace

SelfTestPhantom MakeSelfTestPhantom() {
  SelfTestPhantom phantom{.shape = {16, 32, 32},
                          .truth = {},
                          .measured = {},
                          .psf = {},
                          .psf_shape = {9, 9, 9},
                          .background = 2,
                          .iterations = 10};
  phantom.truth.resize(static_cast<size_t>(phantom.shape.voxels()));
  for (const Voxel& v : {Voxel{8, 16, 12}, {8, 16, 18}}) {
    phantom.truth[static_cast<size_t>((v.z * phantom.shape.y + v.y) * phantom.shape.x + v.x)] = 100'000;
  }
  v1::VoxelSize voxel, width;
  voxel.set_z_um(1), voxel.set_y_um(1), voxel.set_x_um(1);
  width.set_z_um(3), width.set_y_um(3), width.set_x_um(3);
  const GaussianPsf psf = MakeGaussianPsf(width, voxel, phantom.psf_shape);
  phantom.psf = psf.Values();
  phantom.measured = phantom.truth;
  Blur(psf, phantom.shape, /*periodic=*/true, /*threads=*/1, phantom.measured);
  for (float& v : phantom.measured) v += phantom.background;
  return phantom;
}

v1::SelfTestReport RunSelfTest(Backend& backend) {
  v1::SelfTestReport report;
  const SelfTestPhantom phantom = MakeSelfTestPhantom();
  const absl::StatusOr<std::vector<float>> answer = Solve(backend, phantom);
  const absl::Status checked = answer.ok() ? Check(phantom, *answer) : answer.status();
  const absl::StatusOr<double> rate = checked.ok() ? MeasureRate(backend) : checked;
  report.set_passed(rate.ok());
  if (rate.ok()) {
    report.set_padded_voxel_iterations_per_second(*rate);
  } else {
    report.set_message(std::string(rate.status().message()));
  }
  return report;
}

}  // namespace deconvoy::worker
