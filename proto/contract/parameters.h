// Parameters of a method in text form, checked against the method's own description.
//
// Client, server and worker resolve parameters alike: defaults filled in, ranges checked, unknown names refused with
// the nearest known one.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy {

// The text of an automatic parameter: its value is found once for each channel of a job, the same for all tiles.
inline constexpr std::string_view kAutomatic = "auto";
// The number of a method's iterations, and the most that are tried when it is automatic.
inline constexpr std::string_view kIterations = "iterations";
inline constexpr int64_t kMostCalibratedIterations = 200;
// Of a method that estimates the PSF: how often steps in the image and in the PSF take turns, and how many of each do.
inline constexpr std::string_view kRounds = "rounds";
inline constexpr std::string_view kImageSteps = "image_steps";
inline constexpr std::string_view kPsfSteps = "psf_steps";
// Steps in the image that 0 means, with a free PSF and with that of a pupil.
inline constexpr int64_t kFreeImageSteps = 5, kPupilImageSteps = 10;
// The last Zernike mode of those that the pupil of the given optics may have; `none`: the PSF is free.
inline constexpr std::string_view kZernike = "zernike";
// What takes noise out in every iteration, of a method that takes a denoiser (`Method.takes_denoiser`).
inline constexpr std::string_view kDenoiser = "denoiser";

// Values of all parameters of one method. Asking for a name or type that the method does not declare, or for the value
// of an automatic one, is a bug and ends the program.
class Parameters {
 public:
  // Whether its value is still to be found. False for a name that the method does not declare.
  bool IsAuto(std::string_view name) const;
  double Real(std::string_view name) const;
  int64_t Integer(std::string_view name) const;
  bool Boolean(std::string_view name) const;
  const std::string& Choice(std::string_view name) const;

  // All values in text form, by name.
  const std::map<std::string, std::string, std::less<>>& texts() const { return texts_; }

 private:
  friend absl::StatusOr<Parameters> ResolveParameters(const v1::Method&, const std::map<std::string, std::string>&);

  const std::string& TextOf(std::string_view name, v1::ParameterType type) const;

  std::map<std::string, std::string, std::less<>> texts_;
  std::map<std::string, v1::ParameterType, std::less<>> types_;
  std::set<std::string, std::less<>> automatic_;
};

// `given` completed with defaults. Errors: UNKNOWN_PARAMETER, PARAMETER_OUT_OF_RANGE (saying the range or choices),
// INVALID_FIELD (not of the type). The field is `deconvolve.parameters["name"]`.
absl::StatusOr<Parameters> ResolveParameters(const v1::Method& method, const std::map<std::string, std::string>& given);

// Working memory of a method with all its choices, in thousandths of a byte where that is said; with automatic
// iterations, or an automatic `lambda` of a method that iterates, that of the tasks which find them.
struct MethodMemory {
  int64_t millibytes_per_padded_voxel = 16'300;
  int64_t millibytes_per_measured_voxel = 4'000;
  int64_t bytes_per_weight = 4;
  // Once the method has run: the image, which its residual needs, and what is brought out.
  int64_t result_bytes_per_measured_voxel = 0;
  // Of what works on the padded voxels in boxes: their extents, never more than there are, without their halo; what is
  // on each side of them; and what one box takes for each of its voxels.
  Shape3 box_core = {};
  Shape3 box_halo = {};
  int64_t millibytes_per_box_voxel = 0;
};
// `residual`: it is brought out, too. What a method says of its memory counts as 0 to 10^12 bytes for each voxel.
MethodMemory MemoryOf(const v1::Method& method, const Parameters& parameters, bool residual = false);

}  // namespace deconvoy
