#include "tests/bench/fftw_baseline.h"

#include <fftw3.h>

#include <algorithm>
#include <chrono>

namespace deconvoy::bench {

FftwBaseline::FftwBaseline(const Shape3& domain, int threads, const std::filesystem::path& wisdom) {
  fftwf_init_threads();
  fftwf_plan_with_nthreads(threads);
  if (!wisdom.empty()) fftwf_import_wisdom_from_filename(wisdom.c_str());
  const auto count = static_cast<size_t>(domain.z * domain.y * (domain.x / 2 + 1) * 2);
  volume_ = fftwf_alloc_real(count);
  auto* spectrum = reinterpret_cast<fftwf_complex*>(volume_);
  const int z = static_cast<int>(domain.z), y = static_cast<int>(domain.y), x = static_cast<int>(domain.x);
  const auto start = std::chrono::steady_clock::now();
  forward_ = fftwf_plan_dft_r2c_3d(z, y, x, volume_, spectrum, FFTW_MEASURE);
  inverse_ = fftwf_plan_dft_c2r_3d(z, y, x, spectrum, volume_, FFTW_MEASURE);
  planning_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fftwf_plan_with_nthreads(1);
  if (!wisdom.empty()) fftwf_export_wisdom_to_filename(wisdom.c_str());
  std::fill_n(volume_, count, 0.0F);
}

FftwBaseline::~FftwBaseline() {
  fftwf_destroy_plan(static_cast<fftwf_plan>(forward_));
  fftwf_destroy_plan(static_cast<fftwf_plan>(inverse_));
  fftwf_free(volume_);
}

std::string FftwBaseline::version() {
  return fftwf_version;
}

void FftwBaseline::FourTransforms() {
  for (int i = 0; i < 2; ++i) {
    fftwf_execute(static_cast<fftwf_plan>(forward_));
    fftwf_execute(static_cast<fftwf_plan>(inverse_));
  }
}

}  // namespace deconvoy::bench
