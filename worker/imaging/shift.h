// How far an image has moved since another one, by phase correlation (Kuglin and Hines, Proc. IEEE Conf. Cybernetics
// and Society (1975) 163).
//
// A plane is binned until its larger extent is below 256 bins, its mean is taken off, and a Hann window is laid over
// the largest powers of two up to 128 bins that fit in its middle. Of the cross-power spectrum only the phase counts,
// weighted by exp(-(f / 0.15)^2), f in cycles per bin, so that the correlation of equal images is a Gaussian; a
// Gaussian through the maximum and its neighbours gives the place between bins.
#pragma once

#include <complex>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace deconvoy::worker {

struct Shift {
  double y = 0, x = 0;   // voxels, of the later plane against the one before
  double certainty = 0;  // height of the maximum over the deviation of the correlation
};

// Follows a series of planes. Not thread safe.
class ShiftFinder {
 public:
  // Below this certainty a shift is chance.
  static constexpr double kCertain = 7;
  // Bytes of one, at most, whatever the plane.
  static constexpr int64_t kBytes = 3 << 19;

  // REQUIRES: extents of at least 16.
  ShiftFinder(int64_t rows, int64_t columns);

  // Adds to the next image; planes that belong together are added one by one. REQUIRES: rows * columns values.
  void Add(std::span<const float> plane);
  // Ends the image. Its shift against the one before; none of the first, and where either holds nothing.
  std::optional<Shift> Next();
  // Voxels of a bin: shifts below a tenth of it cannot be told.
  int64_t bin() const { return bin_; }

 private:
  using Spectrum = std::vector<std::complex<double>>;

  Shift Between(const Spectrum& before, const Spectrum& after) const;

  const int64_t rows_, columns_, bin_, height_, width_;  // the last two in bins, powers of two
  const std::vector<double> window_y_, window_x_, low_pass_y_, low_pass_x_;
  std::vector<double> image_;
  Spectrum before_;
};

}  // namespace deconvoy::worker
