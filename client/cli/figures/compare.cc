#include "client/cli/figures/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "client/cli/figures/planes.h"
#include "client/cli/figures/ssim.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

using Plane = std::vector<double>;

// Sums over all voxels seen so far. Second moments are kept around the means, so that a large offset costs no digits.
class Sums {
 public:
  void Add(const Plane& a, const Plane& b) {
    const auto count = static_cast<double>(a.size());
    const double sum_a = std::accumulate(a.begin(), a.end(), 0.0), sum_b = std::accumulate(b.begin(), b.end(), 0.0);
    Moments plane{count, sum_a / count, sum_b / count, 0, 0, 0};
    for (size_t i = 0; i < a.size(); ++i) {
      const double difference = a[i] - b[i], from_a = a[i] - plane.mean_a, from_b = b[i] - plane.mean_b;
      plane.aa += from_a * from_a;
      plane.bb += from_b * from_b;
      plane.ab += from_a * from_b;
      squares_ += difference * difference;
      reference_squares_ += b[i] * b[i];
      max_abs_ = std::max(max_abs_, std::abs(difference));
    }
    const auto [low, high] = std::minmax_element(b.begin(), b.end());
    low_ = std::min(low_, *low);
    high_ = std::max(high_, *high);
    sum_a_ += sum_a;
    sum_b_ += sum_b;
    Merge(plane);
  }

  double range() const { return high_ - low_; }

  ComparisonFigures Figures(double ssim) const {
    const double rmse = std::sqrt(squares_ / moments_.count);
    return {.nrmse = Ratio(rmse, range()),
            .relative_l2 = Ratio(std::sqrt(squares_), std::sqrt(reference_squares_)),
            .psnr = range() > 0 ? 20 * std::log10(range() / rmse) : std::numeric_limits<double>::quiet_NaN(),
            .ssim = ssim,
            .ncc = Ratio(moments_.ab, std::sqrt(moments_.aa) * std::sqrt(moments_.bb)),
            .max_abs = max_abs_,
            .flux_ratio = Ratio(sum_a_, sum_b_)};
  }

 private:
  // Count, means, and sums of products of the distances from the means.
  struct Moments {
    double count = 0, mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
  };

  static double Ratio(double a, double b) { return b != 0 ? a / b : std::numeric_limits<double>::quiet_NaN(); }

  void Merge(const Moments& other) {
    const double count = moments_.count + other.count;
    const double from_a = other.mean_a - moments_.mean_a, from_b = other.mean_b - moments_.mean_b;
    const double weight = moments_.count * other.count / count;
    moments_.aa += other.aa + from_a * from_a * weight;
    moments_.bb += other.bb + from_b * from_b * weight;
    moments_.ab += other.ab + from_a * from_b * weight;
    moments_.mean_a += from_a * other.count / count;
    moments_.mean_b += from_b * other.count / count;
    moments_.count = count;
  }

  Moments moments_;
  double squares_ = 0, reference_squares_ = 0, sum_a_ = 0, sum_b_ = 0, max_abs_ = 0;
  double low_ = std::numeric_limits<double>::infinity(), high_ = -std::numeric_limits<double>::infinity();
};

std::string Describe(const imageio::ImageReader& image) {
  const Shape5 shape = ShapeOf(image);
  return fmt::format("{} has {},{},{},{},{}", image.spec().display_name(), shape.t, shape.c, shape.z, shape.y, shape.x);
}

absl::Status ForEachPlane(imageio::ImageReader& a, imageio::ImageReader& b,
                          const std::function<void(const Plane&, const Plane&)>& visit) {
  const Shape5 shape = ShapeOf(b);
  PlaneReader from_a(a), from_b(b);
  for (int64_t t = 0; t < shape.t; ++t) {
    for (int64_t c = 0; c < shape.c; ++c) {
      for (int64_t z = 0; z < shape.z; ++z) {
        ASSIGN_OR_RETURN(const Plane* plane_a, from_a.Read(t, c, z));
        ASSIGN_OR_RETURN(const Plane* plane_b, from_b.Read(t, c, z));
        visit(*plane_a, *plane_b);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ComparisonFigures> Compare(imageio::ImageReader& a, imageio::ImageReader& b) {
  const Shape5 shape = ShapeOf(b);
  if (ShapeOf(a) != shape) {
    return MakeError({.reason = v1::SHAPE_MISMATCH, .remedy = "Give two stacks of the same shape."},
                     fmt::format("the stacks differ in shape t,c,z,y,x: {}, {}", Describe(a), Describe(b)));
  }
  Sums sums;
  RETURN_IF_ERROR(ForEachPlane(a, b, [&](const Plane& plane_a, const Plane& plane_b) { sums.Add(plane_a, plane_b); }));
  double ssim = 0;
  RETURN_IF_ERROR(ForEachPlane(a, b, [&](const Plane& plane_a, const Plane& plane_b) {
    ssim += Ssim(plane_a, plane_b, shape.x, sums.range());
  }));
  return sums.Figures(ssim / static_cast<double>(shape.frames() * shape.z));
}

}  // namespace deconvoy::client
