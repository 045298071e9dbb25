// Circular convolution on one domain, plane by plane.
//
// A convolution is (a) for each plane of the source: rows are made and transformed along x, then strips of columns
// along y; (b) one pass along z: a bundle of columns is gathered from the planes that are not zero, transformed,
// multiplied by the OTF, transformed back and scattered to the planes that are needed; (c) for each plane of the sink:
// strips back along y, rows back along x and into the sink. Planes and rows that are zero or not needed are never
// touched.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "worker/backends/cpu/buffer.h"
#include "worker/backends/cpu/fft_plans.h"
#include "worker/backends/cpu/pointwise.h"
#include "worker/backends/cpu/rows.h"
#include "worker/backends/cpu/spectrum.h"
#include "worker/backends/cpu/thread_pool.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

// The transform of a PSF, divided by the domain's voxels, in SpectrumLayout's order. Of a PSF that is symmetric about
// its centre it is real, and only the real parts are kept. The PSF's box is that in which it may differ from 0: the
// whole domain for a filtered one.
class CpuOtf final : public Otf {
 public:
  // REQUIRES: `buffer` holds the numbers of SpectrumLayout::otf(), two floats for each or one where `real`.
  CpuOtf(const Shape3& psf, const Voxel& centre, bool real, Buffer buffer)
      : psf_(psf), centre_(centre), real_(real), buffer_(std::move(buffer)) {}
  const Shape3& psf() const { return psf_; }
  const Voxel& centre() const { return centre_; }
  bool real() const { return real_; }

  // Keeps `scale` times n numbers from index `first` on.
  void Put(int64_t first, const Complex* values, float scale, int64_t n);
  // Multiplies n values by the numbers from index `first` on, or by their conjugates.
  void Apply(int64_t first, bool conjugate, int64_t n, Complex* values) const;
  // out = unit times the magnitudes of n numbers from index `first` on.
  void ReadMagnitude(int64_t first, float unit, int64_t n, float* out) const;
  // Keeps n numbers of another one, filtered, from index `first` on.
  void PutFiltered(const CpuOtf& other, int64_t first, const FilterRow& filter, int64_t n);
  // Keeps n real numbers from index `first` on. REQUIRES: real().
  void PutReal(int64_t first, const float* values, int64_t n);
  // With h these numbers and g those of a real OTF, N of `voxels`, all of a domain:
  //   x <- g (weight x + N conj h q),  q <- N h x,   for n values from index `first` on.
  void Solve(const CpuOtf& inverse, int64_t first, float voxels, float weight, int64_t n, Complex* x, Complex* q) const;
  // The number at frequency 0.
  float at_zero() const { return buffer_.data()[0]; }

 private:
  Complex* complex() { return reinterpret_cast<Complex*>(buffer_.data()); }
  const Complex* complex() const { return reinterpret_cast<const Complex*>(buffer_.data()); }

  Shape3 psf_;
  Voxel centre_;
  bool real_;
  Buffer buffer_;
};

// Rows and strips transformed, lines along z not yet: as the convolver's own memory between its passes.
class CpuSpectrum final : public Spectrum {
 public:
  explicit CpuSpectrum(Buffer buffer) : buffer_(std::move(buffer)) {}
  Complex* data() { return reinterpret_cast<Complex*>(buffer_.data()); }

 private:
  Buffer buffer_;
};

// Used by one thread at a time; works on those of its pool.
class Convolver {
 public:
  // `pool` must outlive it. Errors: RESOURCE_EXHAUSTED with OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<Convolver>> Make(const Shape3& domain,
                                                         const std::filesystem::path& wisdom_folder, ThreadPool* pool);

  const Shape3& domain() const { return layout_.domain; }

  absl::StatusOr<std::unique_ptr<CpuOtf>> MakeOtf(std::span<const float> psf, const Shape3& shape, const Voxel& centre);

  // As in worker/ops/backend.h.
  void ReadMagnitude(const CpuOtf& otf, std::span<float> magnitude);
  absl::StatusOr<std::unique_ptr<CpuOtf>> FilterOtf(const CpuOtf& otf, const SpectralFilter& filter);
  absl::StatusOr<std::unique_ptr<CpuOtf>> MakeRealOtf(std::span<const float> values);

  // sink takes H source, or with `adjoint` H* source.
  void Convolve(const RowSource& source, const CpuOtf& otf, bool adjoint, RowSink& sink);
  // `middle` turns each row of the first convolution into a row of the second's input.
  void ConvolveThen(const RowSource& source, const CpuOtf& first, bool first_adjoint, RowSink& middle,
                    const CpuOtf& second, bool second_adjoint, RowSink& sink);

  absl::StatusOr<std::unique_ptr<CpuSpectrum>> MakeSpectrum(const RowSource& source);
  // `x` takes G (H* q + weight r), `data` takes H of that and turns each row into one of the new q. Both extend over
  // the domain.
  void SolveSplit(const RowSource& r, float weight, const CpuOtf& otf, const CpuOtf& inverse, CpuSpectrum& q,
                  RowSink& x, RowSink& data);

 private:
  struct Scratch {
    Buffer memory;
    float* row;
    float* sink;           // two rows
    Complex* spectrum;     // of one row
    Complex* lines;        // of a strip or a bundle
    Complex* transformed;  // the same
    Complex* line;         // one more
  };

  Convolver(const SpectrumLayout& layout, ThreadPool* pool);
  absl::Status Allocate();
  void Plan(const std::filesystem::path& wisdom_folder);

  Complex* work() { return reinterpret_cast<Complex*>(work_.data()); }

  // Into planes of `spectrum`.
  void ForwardPlanes(const RowSource& source, Complex* spectrum);
  // Planes of `spectrum` back into the sink; with `onward` the rows that it leaves go forward again, as the next
  // convolution's input.
  void InversePlanes(Complex* spectrum, RowSink& sink, bool onward);
  // The work from r to x, q to H x.
  void SolvePass(float weight, const CpuOtf& otf, const CpuOtf& inverse, Complex* q);
  void ColumnPass(std::span<const int64_t> input, const CpuOtf& otf, bool adjoint, std::span<const int64_t> output);
  void StoreOtf(std::span<const int64_t> input, CpuOtf& otf);
  // Calls work(bundle, scratch) for all of them.
  template <typename Work>
  void ForEachBundle(const Work& work);
  // Calls work(column, room for twice as many floats as there are planes) for all of them.
  template <typename Work>
  void ForEachColumn(const Work& work);

  // One plane, one thread.
  void RowToSpectrum(Complex* plane, int64_t y, Scratch& scratch) const;
  void SpectrumToRow(const Complex* plane, int64_t y, Scratch& scratch) const;
  void ForwardStrips(Complex* plane, const Extent& extent, Scratch& scratch) const;
  void InverseStrips(Complex* plane, const Extent& extent, Scratch& scratch) const;
  // The rows `given`, zeros elsewhere, become the rows `wanted` of their transform along y.
  template <typename Transform>
  void Strips(Complex* plane, const Run& given, const Run& wanted, Scratch& scratch, const Transform& transform) const;

  // Constant after `Make`.
  const SpectrumLayout layout_;
  ThreadPool* const pool_;
  const RowTransform* along_x_ = nullptr;
  const LineTransform* along_y_ = nullptr;
  const LineTransform* along_z_ = nullptr;
  std::vector<Scratch> scratch_;  // by thread

  // Only while running.
  Buffer work_;  // the half spectrum
};

}  // namespace deconvoy::worker::cpu
