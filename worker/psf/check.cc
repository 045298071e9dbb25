#include "worker/psf/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace deconvoy::worker {
namespace {

constexpr double kBackgroundShare = 0.15;
constexpr size_t kSample = 1 << 16;  // voxels whose darkest are looked for
constexpr int64_t kEqualPeaks = 8;   // of a symmetric PSF whose centre lies between voxels
constexpr float kLeastSaturated = 200;
constexpr float kSecondPeak = 0.4F;
constexpr float kRim = 0.15F;
constexpr float kEnd = 0.3F;
constexpr int64_t kLeastExtent = 5;

struct Psf {
  std::span<const float> values;
  Shape3 shape;

  float At(int64_t z, int64_t y, int64_t x) const {
    return std::max(values[static_cast<size_t>((z * shape.y + y) * shape.x + x)], 0.0F);
  }
};

Voxel Brightest(const Psf& psf) {
  const auto i = std::max_element(psf.values.begin(), psf.values.end()) - psf.values.begin();
  return {i / (psf.shape.y * psf.shape.x), i / psf.shape.x % psf.shape.y, i % psf.shape.x};
}

std::optional<PsfDefect> Background(const Psf& psf) {
  if (psf.shape.y < kLeastExtent || psf.shape.x < kLeastExtent) return std::nullopt;
  std::vector<float> values;  // a sample
  for (size_t i = 0; i < psf.values.size(); i += psf.values.size() / kSample | 1) values.push_back(psf.values[i]);
  const auto hundredth = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 100);
  std::nth_element(values.begin(), hundredth, values.end());
  const double level = std::max(static_cast<double>(*hundredth), 0.0);
  double sum = 0;
  for (const float v : psf.values) sum += std::max(static_cast<double>(v), 0.0);
  const double share = level * static_cast<double>(psf.values.size()) / sum;
  if (share <= kBackgroundShare) return std::nullopt;
  return PsfDefect{
      "background", share,
      fmt::format(
          "its darkest voxels are {:.3g} of the brightest: as a background that is {:.0f} % of its light, which "
          "the result would lack around every object",
          level / static_cast<double>(*std::max_element(psf.values.begin(), psf.values.end())), 100 * share),
      "Have it subtracted (`--psf-background auto`)."};
}

// Three in a row have the greatest value, as no peak has, be it between voxels.
bool HasFlatTop(const Psf& psf, float most) {
  const Shape3& shape = psf.shape;
  const std::array<int64_t, 3> strides = {shape.y * shape.x, shape.x, 1};
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    if (psf.values[static_cast<size_t>(i)] != most) continue;
    const std::array<int64_t, 3> at = {i / strides[0], i / strides[1] % shape.y, i % shape.x};
    const std::array<int64_t, 3> extents = {shape.z, shape.y, shape.x};
    for (size_t axis = 0; axis < 3; ++axis) {
      if (at[axis] == 0 || at[axis] + 1 == extents[axis]) continue;
      const auto equals = [&](int64_t place) { return psf.values[static_cast<size_t>(place)] == most; };
      if (equals(i - strides[axis]) && equals(i + strides[axis])) return true;
    }
  }
  return false;
}

std::optional<PsfDefect> Saturation(const Psf& psf) {
  const float most = *std::max_element(psf.values.begin(), psf.values.end());
  if (most < kLeastSaturated) return std::nullopt;
  if (!std::all_of(psf.values.begin(), psf.values.end(), [](float v) { return v == std::floor(v); }))
    return std::nullopt;
  const int64_t equal = std::count(psf.values.begin(), psf.values.end(), most);
  if (equal <= kEqualPeaks && !HasFlatTop(psf, most)) return std::nullopt;
  return PsfDefect{"saturation", static_cast<double>(equal),
                   fmt::format("{} voxels have its greatest value of {:g}: the bead was too bright for the camera, and "
                               "a flat top takes sharpness from the result",
                               equal, most),
                   "Record the bead with less light."};
}

// How far from the brightest voxel, to both sides, its row stays above half of it.
double HalfMaximumWidth(const Psf& psf, const Voxel& peak, bool along_x) {
  const float half = psf.At(peak.z, peak.y, peak.x) / 2;
  const int64_t extent = along_x ? psf.shape.x : psf.shape.y;
  const int64_t middle = along_x ? peak.x : peak.y;
  const auto value = [&](int64_t i) { return along_x ? psf.At(peak.z, peak.y, i) : psf.At(peak.z, i, peak.x); };
  int64_t begin = middle, end = middle;
  while (begin > 0 && value(begin - 1) >= half) --begin;
  while (end + 1 < extent && value(end + 1) >= half) ++end;
  return static_cast<double>(end - begin + 1);
}

// Not below any voxel next to it in its plane.
bool IsPeak(const Psf& psf, int64_t z, int64_t y, int64_t x) {
  const float here = psf.At(z, y, x);
  for (int64_t v = std::max<int64_t>(y - 1, 0); v <= std::min(y + 1, psf.shape.y - 1); ++v) {
    for (int64_t u = std::max<int64_t>(x - 1, 0); u <= std::min(x + 1, psf.shape.x - 1); ++u) {
      if (psf.At(z, v, u) > here) return false;
    }
  }
  return true;
}

std::optional<PsfDefect> SecondPeak(const Psf& psf, const Voxel& peak) {
  const float most = psf.At(peak.z, peak.y, peak.x);
  const double reach_y = std::max(1.5 * HalfMaximumWidth(psf, peak, false), 3.0);
  const double reach_x = std::max(1.5 * HalfMaximumWidth(psf, peak, true), 3.0);
  float found = 0;
  Voxel where;
  for (int64_t z = 0; z < psf.shape.z; ++z) {
    for (int64_t y = 0; y < psf.shape.y; ++y) {
      for (int64_t x = 0; x < psf.shape.x; ++x) {
        const float value = psf.At(z, y, x);
        if (value <= found || value < kSecondPeak * most) continue;
        const double dy = static_cast<double>(y - peak.y) / reach_y, dx = static_cast<double>(x - peak.x) / reach_x;
        if (dy * dy + dx * dx <= 1 || !IsPeak(psf, z, y, x)) continue;
        found = value;
        where = {z, y, x};
      }
    }
  }
  if (found == 0) return std::nullopt;
  return PsfDefect{
      "second_peak", found / most,
      fmt::format("beside its peak at {},{},{} there is one of {:.0f} % at {},{},{} (z,y,x): two beads, or light from "
                  "elsewhere, and the result would show every object twice",
                  peak.z, peak.y, peak.x, 100 * found / most, where.z, where.y, where.x),
      "Cut the PSF to one bead, or choose another."};
}

std::optional<PsfDefect> CutSideways(const Psf& psf, const Voxel& peak) {
  const Shape3& shape = psf.shape;
  if (shape.y < kLeastExtent || shape.x < kLeastExtent) return std::nullopt;
  float rim = 0;
  for (int64_t x = 0; x < shape.x; ++x) rim = std::max({rim, psf.At(peak.z, 0, x), psf.At(peak.z, shape.y - 1, x)});
  for (int64_t y = 0; y < shape.y; ++y) rim = std::max({rim, psf.At(peak.z, y, 0), psf.At(peak.z, y, shape.x - 1)});
  const float share = rim / psf.At(peak.z, peak.y, peak.x);
  if (share <= kRim) return std::nullopt;
  return PsfDefect{
      "cut_sideways", share,
      fmt::format("in its plane {} the rim still has {:.0f} % of the peak: it is cut off sideways, and the "
                  "result would have seams of light",
                  peak.z, 100 * share),
      "Give more rows and columns of the PSF."};
}

std::optional<PsfDefect> CutAlongZ(const Psf& psf, const Voxel& peak) {
  if (psf.shape.z < kLeastExtent) return std::nullopt;
  float most = 0;
  for (const int64_t z : {int64_t{0}, psf.shape.z - 1}) {
    for (int64_t y = 0; y < psf.shape.y; ++y) {
      for (int64_t x = 0; x < psf.shape.x; ++x) most = std::max(most, psf.At(z, y, x));
    }
  }
  const float share = most / psf.At(peak.z, peak.y, peak.x);
  if (share <= kEnd) return std::nullopt;
  return PsfDefect{
      "cut_along_z", share,
      fmt::format("its first or last plane still has {:.0f} % of the peak: it is cut off along z, and light "
                  "out of focus would stay in the result",
                  100 * share),
      "Give more planes of the PSF."};
}

}  // namespace

v1::Finding PsfFinding(uint32_t c, const PsfDefect& defect) {
  v1::Finding finding;
  finding.set_severity(v1::WARNING);
  finding.set_message(fmt::format("PSF of channel {}: {}", c, defect.message));
  v1::ErrorInfo& info = *finding.mutable_info();
  info.set_field("deconvolve.psf_volume");
  info.set_remedy(defect.remedy);
  (*info.mutable_metadata())["defect"] = defect.name;
  (*info.mutable_metadata())["number"] = fmt::format("{:.6g}", defect.number);
  return finding;
}

std::vector<PsfDefect> CheckPsf(std::span<const float> values, const Shape3& shape) {
  const Psf psf{values, shape};
  const Voxel peak = Brightest(psf);
  std::vector<PsfDefect> defects;
  for (auto& found :
       {Background(psf), Saturation(psf), SecondPeak(psf, peak), CutSideways(psf, peak), CutAlongZ(psf, peak)}) {
    if (found) defects.push_back(*found);
  }
  return defects;
}

}  // namespace deconvoy::worker
