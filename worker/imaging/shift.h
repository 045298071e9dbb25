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
  // How much alike the planes are when the later one is moved back, and as they are: their correlation, 1 at most, by
  // frequencies that are weighted as above.
  double alike = 0, alike_at_rest = 0;
};

// Follows a series of planes. Not thread safe.
class ShiftFinder {
 public:
  // Below this certainty a shift is chance.
  static constexpr double kCertain = 7;
  // Whether it is none, and makes the planes no less alike, as it does where they hold other structures.
  static bool IsSure(const Shift& shift);
  // Bytes of one, at most, whatever the plane.
  static constexpr int64_t kBytes = 3 << 19;

  // REQUIRES: extents of at least 16.
  ShiftFinder(int64_t rows, int64_t columns);

  // Adds to the next image; planes that belong together are added one by one. REQUIRES: rows * columns values.
  void Add(std::span<const float> plane);
  // The next image as it is so far, in bins; and adding such a one of another finder of equal extents.
  std::span<const double> bins() const { return image_; }
  void AddBins(std::span<const float> bins);
  // Ends the image. Its shift against the one before; none of the first, and where either holds nothing.
  std::optional<Shift> Next();
  // Of the image that has ended, against the first one that held anything; none where it holds nothing.
  std::optional<Shift> SinceFirst() const;
  // Voxels of a bin: shifts below a tenth of it cannot be told.
  int64_t bin() const { return bin_; }

 private:
  using Spectrum = std::vector<std::complex<double>>;

  Shift Between(const Spectrum& before, const Spectrum& after) const;
  // Of shifts in bins.
  double Alike(const Spectrum& before, const Spectrum& after, double y, double x) const;

  const int64_t rows_, columns_, bin_, height_, width_;  // the last two in bins, powers of two
  const std::vector<double> window_y_, window_x_, low_pass_y_, low_pass_x_;
  std::vector<double> image_;
  Spectrum first_, before_;
};

}  // namespace deconvoy::worker
