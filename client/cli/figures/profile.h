// Profiles of a stack along a line, and the widths of what they meet.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// A place in voxels; whole numbers are centres of voxels.
struct Point {
  double z = 0, y = 0, x = 0;
};

struct ProfileLine {
  Point from, to;
  int64_t width = 1;  // voxels across, along both directions at right angles to the line; odd
  int64_t t = 0, c = 0;
};

// Values at equal steps of about a voxel, both ends included.
struct Profile {
  double step = 0;     // voxels
  double step_um = 0;  // 0 where the stack does not say its voxel size
  std::vector<double> values;
};

// A maximum that stands out of its surroundings.
struct Peak {
  double position = 0;         // steps from the beginning of the profile
  double height = 0;           // value
  double baseline = 0;         // the lowest value on either side, up to a higher one or the end
  std::optional<double> fwhm;  // steps, between the crossings of (height + baseline) / 2; none where one is missing
};

// How deep a profile falls between two peaks: 1 - (valley - floor) / (lower peak - floor), the floor being the
// profile's lowest value.
struct Dip {
  size_t left = 0;  // index of the peak before; the next one is behind
  double depth = 0;
};

// Linear interpolation between voxels, averaged over what of the width lies in the stack. Errors: INVALID_ARGUMENT for
// a line that leaves the stack, a frame that it does not have, an even or too large width; NOT_FINITE_INPUT.
absl::StatusOr<Profile> SampleProfile(imageio::ImageReader& image, const ProfileLine& line);

// The brightest voxel of a frame, the first of equals. Errors: those of reading.
absl::StatusOr<Voxel> BrightestVoxel(imageio::ImageReader& image, int64_t t, int64_t c);

// Peaks that on both sides (at an end of the profile on the other one) fall by more than a tenth of its range before it
// rises higher, in order of their places.
std::vector<Peak> FindPeaks(const std::vector<double>& values);
// Between each two neighbours of them.
std::vector<Dip> FindDips(const std::vector<double>& values, const std::vector<Peak>& peaks);

}  // namespace deconvoy::client
