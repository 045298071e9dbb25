// The plain way to transform a volume, to measure against: FFTW's own 3-D transforms with its own threads.
#pragma once

#include <filesystem>
#include <string>

#include "proto/contract/geometry.h"

namespace deconvoy::bench {

// In place, measured plans, one real volume.
class FftwBaseline {
 public:
  // `wisdom` is a file that keeps the plans between runs; none when empty.
  FftwBaseline(const Shape3& domain, int threads, const std::filesystem::path& wisdom);
  ~FftwBaseline();
  FftwBaseline(const FftwBaseline&) = delete;
  FftwBaseline& operator=(const FftwBaseline&) = delete;

  double planning_seconds() const { return planning_seconds_; }
  static std::string version();
  // Two forward and two inverse transforms.
  void FourTransforms();

 private:
  float* volume_;
  void* forward_;
  void* inverse_;
  double planning_seconds_ = 0;
};

}  // namespace deconvoy::bench
