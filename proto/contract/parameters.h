// Parameters of a method in text form, checked against the method's own description.
//
// Client, server and worker resolve parameters alike: defaults filled in, ranges checked, unknown names refused with
// the nearest known one.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "deconvoy/v1/methods.pb.h"

namespace deconvoy {

// Values of all parameters of one method. Asking for a name or type that the method does not declare is a bug and ends
// the program.
class Parameters {
 public:
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
};

// `given` completed with defaults. Errors: UNKNOWN_PARAMETER, PARAMETER_OUT_OF_RANGE (saying the range or choices),
// INVALID_FIELD (not of the type). The field is `deconvolve.parameters["name"]`.
absl::StatusOr<Parameters> ResolveParameters(const v1::Method& method, const std::map<std::string, std::string>& given);

// Working memory of a method with all its choices, in thousandths of a byte where that is said.
struct MethodMemory {
  int64_t millibytes_per_padded_voxel = 16'300;
  int64_t millibytes_per_measured_voxel = 4'000;
  int64_t bytes_per_weight = 4;
  // Once the method has run: the image, which its residual needs, and what is brought out.
  int64_t result_bytes_per_measured_voxel = 0;
};
// `residual`: it is brought out, too.
MethodMemory MemoryOf(const v1::Method& method, const Parameters& parameters, bool residual = false);

}  // namespace deconvoy
