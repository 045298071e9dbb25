// Circular convolution on one domain, in chunks.
//
// A convolution is (a) for each chunk of the planes that are not zero: voxels are made and transformed along x and y;
// (b) for each chunk of columns: transformed along z, multiplied by the OTF, transformed back; (c) for each chunk of
// the planes that are needed: transformed back along y and x and taken over. All of it in one array, in place.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "worker/backends/cuda/arena.h"
#include "worker/backends/cuda/chunks.h"
#include "worker/backends/cuda/fft_pool.h"
#include "worker/backends/cuda/kernels.h"
#include "worker/backends/cuda/runtime.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

// Memory of the device that kernels of a stream may still use: it is given back after these.
class StreamBlock {
 public:
  StreamBlock() = default;
  StreamBlock(std::shared_ptr<Stream> stream, Block block) : stream_(std::move(stream)), block_(std::move(block)) {}
  StreamBlock(StreamBlock&&) noexcept = default;
  StreamBlock& operator=(StreamBlock&& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(block_, other.block_);
    return *this;
  }
  ~StreamBlock() {
    // What failed is told by the next call that waits for a result.
    if (stream_ != nullptr && block_.bytes() > 0) stream_->Wait().IgnoreError();
  }

  float* floats() const { return block_.floats(); }
  template <typename T>
  T* as() const {
    return block_.as<T>();
  }
  int64_t bytes() const { return block_.bytes(); }

 private:
  std::shared_ptr<Stream> stream_;
  Block block_;
};

// The transform of a PSF over the domain's voxels, in the order of the half spectrum. Of a PSF that is symmetric about
// its centre it is real, and only the real parts are kept. The PSF's box is that in which it may differ from 0: the
// whole domain for a filtered one.
class CudaOtf final : public Otf {
 public:
  CudaOtf(const Shape3& psf, const Voxel& centre, bool real, StreamBlock numbers)
      : psf_(psf), centre_(centre), real_(real), numbers_(std::move(numbers)) {}
  const Shape3& psf() const { return psf_; }
  const Voxel& centre() const { return centre_; }
  bool real() const { return real_; }
  OtfField field() const { return {real_ ? numbers_.floats() : nullptr, real_ ? nullptr : numbers_.as<Complex32>()}; }

 private:
  Shape3 psf_;
  Voxel centre_;
  bool real_;
  StreamBlock numbers_;
};

// A field that is transformed along y and x, not along z.
class CudaSpectrum final : public Spectrum {
 public:
  explicit CudaSpectrum(StreamBlock numbers) : numbers_(std::move(numbers)) {}
  float* data() const { return numbers_.floats(); }

 private:
  StreamBlock numbers_;
};

// What becomes of a convolution.
struct Sink {
  End end;
  Box3 box;      // where it is needed
  Field output;  // covers the box; null where the values go onward
  void* sums = nullptr;
};

// Used by one thread at a time. Kernels may still run when a call returns.
class Convolver {
 public:
  // Takes its memory, and that of what it makes, from that part of the device's. `runtime` and `ffts` must outlive it
  // and what it makes. Errors: RESOURCE_EXHAUSTED with OUT_OF_MEMORY.
  static absl::StatusOr<std::unique_ptr<Convolver>> Make(const Shape3& domain, int64_t chunk_bytes, Runtime* runtime,
                                                         FftPool* ffts, ArenaPart part);

  const Shape3& domain() const { return chunks_.domain(); }
  Stream& stream() const { return *stream_; }
  // The half spectrum that it works in, as room for 2 z y (x/2 + 1) floats between convolutions.
  float* room() const { return work_.floats(); }
  int64_t spectrum() const { return chunks_.total(); }  // complex numbers

  absl::StatusOr<StreamBlock> Allocate(int64_t bytes) const;
  absl::StatusOr<StreamBlock> AllocateFloats(int64_t count) const;

  // As in worker/ops/backend.h.
  absl::StatusOr<std::unique_ptr<CudaOtf>> MakeOtf(std::span<const float> psf, const Shape3& shape,
                                                   const Voxel& centre);
  absl::Status ReadMagnitude(const CudaOtf& otf, std::span<float> magnitude);
  absl::StatusOr<std::unique_ptr<CudaOtf>> FilterOtf(const CudaOtf& otf, const SpectralFilter& filter);
  absl::StatusOr<std::unique_ptr<CudaOtf>> MakeRealOtf(std::span<const float> values);
  absl::StatusOr<std::unique_ptr<CudaSpectrum>> MakeSpectrum(const Start& start, const Box3& box);

  // `start` is 0 outside `from`. The sink takes H start, or with `adjoint` H* start.
  absl::Status Convolve(const Start& start, const Box3& from, const CudaOtf& otf, bool adjoint, const Sink& sink);
  // `middle`, which has no output, turns H start into what enters the second convolution.
  absl::Status ConvolveThen(const Start& start, const Box3& from, const CudaOtf& first, bool first_adjoint,
                            const Sink& middle, const CudaOtf& second, bool second_adjoint, const Sink& sink);
  // w = H* start, at the voxels that stand for a class.
  absl::Status KeepWeights(const Start& start, const Box3& from, const CudaOtf& otf, const TableEnd& end);
  // `x` takes G (H* q + weight r), `data` takes H of that and turns it into the new q. Both extend over the domain.
  absl::Status SolveSplit(const Start& r, float weight, const CudaOtf& otf, const CudaOtf& inverse, CudaSpectrum& q,
                          const Sink& x, const Sink& data);

  // Copies numbers between the host and the beginning of memory of the device, and waits for it.
  absl::Status Upload(const void* host, int64_t numbers, void* device) const;
  absl::Status Download(const void* device, int64_t numbers, void* host) const;

 private:
  using PlaneWork = std::function<absl::Status(const Planes&)>;

  Convolver(const Chunks& chunks, Runtime* runtime, FftPool* ffts, ArenaPart part, std::shared_ptr<Stream> stream)
      : chunks_(chunks), runtime_(*runtime), ffts_(*ffts), part_(part), stream_(std::move(stream)) {}

  Grid GridOf(float* data) const { return {data, domain(), chunks_.row()}; }
  // The transforms, in place, of planes and columns of a grid.
  absl::Status TransformPlanes(const Grid& grid, const Planes& planes, bool forward);
  absl::Status TransformColumns(const Grid& grid, const Columns& columns, bool forward);
  absl::Status Transform(const FftShape& shape, float* data, bool forward);

  // Zeroes the planes that are outside `planes`.
  absl::Status ClearAround(const Grid& grid, const Planes& planes) const;
  // From voxels to planes of a spectrum.
  absl::Status Begin(const Start& start, const Box3& from, const Grid& grid);
  // Along z: transforms, multiplies, transforms back.
  absl::Status MultiplyColumns(const CudaOtf& otf, bool adjoint, const Grid& grid);
  // From planes of a spectrum to voxels, on which `work` is done, and where `onward` back.
  absl::Status Finish(const Grid& grid, const Planes& planes, bool onward, const PlaneWork& work);
  absl::Status Finish(const Grid& grid, const Sink& sink);

  absl::Status Check(int error, std::string_view call) const { return stream_->Check(error, call); }

  // Constant after `Make`.
  const Chunks chunks_;
  Runtime& runtime_;
  FftPool& ffts_;
  const ArenaPart part_;
  const std::shared_ptr<Stream> stream_;

  // Only while running. Plans go last: nobody else may have them while kernels use their workspace.
  std::map<FftShape, FftPool::Lent> plans_;
  StreamBlock workspace_;  // of transforms
  StreamBlock work_;       // the half spectrum
};

}  // namespace deconvoy::worker::cuda
