// The sum over the pupil's nodes that every light near a focus is made of.
#pragma once

#include <array>
#include <complex>
#include <span>
#include <vector>

namespace deconvoy::worker {

// A complex function at the pupil's nodes.
struct PupilField {
  std::vector<float> real, imaginary;

  explicit PupilField(size_t nodes = 0) : real(nodes), imaginary(nodes) {}
  void Set(size_t node, std::complex<double> value) {
    real[node] = static_cast<float>(value.real());
    imaginary[node] = static_cast<float>(value.imag());
  }
};

// The sum of bessel times field; both have as many nodes.
inline std::complex<double> PupilSum(std::span<const float> bessel, const PupilField& field) {
  constexpr size_t kLanes = 16;
  std::array<float, kLanes> re{}, im{};
  size_t i = 0;
  for (; i + kLanes <= bessel.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      re[lane] += bessel[i + lane] * field.real[i + lane];
      im[lane] += bessel[i + lane] * field.imaginary[i + lane];
    }
  }
  std::complex<double> sum = 0;
  for (; i < bessel.size(); ++i) {
    sum += static_cast<double>(bessel[i]) * std::complex<double>(field.real[i], field.imaginary[i]);
  }
  for (size_t lane = 0; lane < kLanes; ++lane) sum += std::complex<double>(re[lane], im[lane]);
  return sum;
}

}  // namespace deconvoy::worker
