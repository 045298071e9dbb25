// Gain and read noise of a camera from its image alone.
//
//   counts = P / g + R + offset:   v = (m - offset) / g + s^2 + q + p (m - offset)^2
//
// P photons, of a Poisson distribution; g photons per count; R read noise of deviation s; m mean and v variance of a
// voxel's counts; q = 1/12 where counts are whole; p for what grows with the light itself: structure that is left, and
// pixels that do not see alike. In blocks of 8 x 8 pixels v is told from second differences along y and x (Immerkaer,
// CVIU 64 (1996) 300), which leave little of a structure that is resolved; with a pair of images of one place, those of
// their difference, which leave nothing of what stands still; m is the mean with the weights that pixels have in those
// differences. Blocks all of whose pixels are the same, and those beside them, are left out: they were filled in rather
// than recorded, or else hold no photon, and then others with few tell the same. Blocks are sorted by m into groups, in
// each of which those with more than twelve times the usual v are left out, as they hold structure. The line through
// the groups is fitted with weights and with Tukey's biweight, after the idea of Foi et al., IEEE TIP 17 (2008) 1737; p
// counts where it is above 3 standard errors.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace deconvoy::worker {

struct NoiseEstimate {
  double gain = 0;        // photons per count, above 0
  double gain_error = 0;  // standard error of it
  double read_noise = 0;  // photons
  // s^2 in counts^2 as fitted, and its standard error. Clearly below 0: noise ends before the offset is reached.
  double dark_variance = 0, dark_error = 0;
  double noiseless_counts = 0;  // where v - q would vanish
  int64_t blocks = 0;           // that were looked at
};

struct NoiseRules {
  double offset_counts = 0;
  bool whole_counts = true;                                           // of an integer type
  double saturated_counts = std::numeric_limits<double>::infinity();  // blocks that reach it are left out
};

// Takes planes or pairs of one image. Not thread safe.
class NoiseFit {
 public:
  // Memory of one, at most.
  static constexpr int64_t kBytes = 8 << 20;

  explicit NoiseFit(const NoiseRules& rules) : rules_(rules) {}

  // Of rows of `columns` counts.
  void AddPlane(std::span<const float> plane, int64_t columns);
  // Of one place, taken twice. REQUIRES: as many in both.
  void AddPair(std::span<const float> first, std::span<const float> second, int64_t columns);
  // None where the light does not vary enough, or there is too little of it, to tell the gain within a fifth.
  std::optional<NoiseEstimate> Finish() const;

 private:
  struct Block {
    float mean = 0;  // counts above the offset
    float variance = 0;
  };
  // Blocks of about the same mean.
  struct Group {
    double mean = 0, variance = 0, error = 0;  // relative, of the variance
  };

  void Add(std::span<const float> first, const float* second, int64_t columns);
  void AddBlock(const float* first, const float* second, int64_t columns);
  static Group Summarise(std::span<const Block> blocks);
  static std::vector<Group> Sorted(std::vector<Block> blocks);

  const NoiseRules rules_;
  std::vector<Block> blocks_;
};

}  // namespace deconvoy::worker
