// How well a method tells apart what a microscope blurs: simulated light-sheet stacks whose truth is known, and what is
// read off a result.
//
// 60 x 80 x 80 voxels; a Gaussian PSF of FWHM 9.4, 4.2 and 4.2 voxels along z, y and x, so that the Rayleigh distance
// along x, where two Airy disks have this FWHM over 0.84, is 5 voxels. Nothing lies so near a face that its light
// leaves the volume; without background, Poisson noise.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "tests/reference/reference.h"

namespace deconvoy::reference {

inline constexpr int64_t kRayleighVoxels = 5;

// Means over all structures of a kind. Widths are at half maximum, linear between voxels; in voxels.
struct ResolutionFigures {
  // By distance in voxels, of 16 pairs of single voxels along x: 1 - (the least value between them) / (the lower of
  // both peaks), 0 where there is no dip. Peaks are looked for a voxel around the truth.
  std::map<int64_t, double> dips = {};
  // Of 16 beads of 3 voxels' diameter, along x and z.
  double bead_x = 0;
  double bead_z = 0;
  // Of the wall of a hollow sphere, of radius 8 and a voxel and a half thick, along x; its middle over its wall.
  double wall = 0;
  double middle = 0;
  // All light over that of the truth, the worst of all stacks.
  double light = 0;
};

class ResolutionTest {
 public:
  // `peak_photons` of the brightest voxel of every stack.
  ResolutionTest(uint64_t seed, double peak_photons);

  // What is read off the results of `method`, which is given the image of each stack in turn.
  ResolutionFigures Measure(const std::function<Volume(const Volume& image)>& method) const;
  ResolutionFigures OfTruth() const;
  ResolutionFigures OfImage() const;
  const Psf& psf() const { return psf_; }

 private:
  struct Stack {
    int64_t distance = 0;  // of its pairs; 0: beads, -1: the sphere
    Volume truth;
    Volume image;
  };
  void Add(int64_t distance, Volume truth, double peak_photons, uint64_t seed);
  static void Read(int64_t distance, const Volume& result, ResolutionFigures& figures);

  Psf psf_;
  std::vector<Stack> stacks_;
};

}  // namespace deconvoy::reference
