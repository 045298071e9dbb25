// The one-dimensional transforms that the CPU backend is made of, and the wisdom about them.
//
// Plans are measured once per process and kept; the wisdom is kept in a folder, so that the next process need not
// measure. All planning goes through one mutex, since FFTW's planner is not thread safe; executing is.
#pragma once

#include <complex>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace deconvoy::worker::cpu {

using Complex = std::complex<float>;

// `extent` complex numbers to and from as many. Not normalised. Pointers are aligned to 64 bytes and apart.
class LineTransform {
 public:
  virtual ~LineTransform() = default;
  virtual void Forward(Complex* in, Complex* out) const = 0;  // may destroy `in`
  virtual void Inverse(Complex* in, Complex* out) const = 0;  // may destroy `in`
};

// A row of `extent` reals to and from extent/2 + 1 complex numbers. Not normalised. `row` and `scratch`, room for
// extent/2 + 1 complex numbers, are aligned to 64 bytes; `spectrum` need not be.
class RowTransform {
 public:
  virtual ~RowTransform() = default;
  virtual void Forward(float* row, Complex* scratch, Complex* spectrum) const = 0;  // may destroy `row`
  virtual void Inverse(const Complex* spectrum, Complex* scratch, float* row) const = 0;
};

// Measured plans, the same object for the same arguments for the life of the process. Wisdom is read from and written
// to `wisdom_folder` (none when empty); a file that cannot be read or written is logged and otherwise ignored.
const LineTransform& LineTransformFor(int64_t extent, const std::filesystem::path& wisdom_folder);
const RowTransform& RowTransformFor(int64_t extent, const std::filesystem::path& wisdom_folder);

// The wisdom file of this machine in `folder`: its name tells FFTW's version and the processor.
std::filesystem::path WisdomFile(const std::filesystem::path& folder);

}  // namespace deconvoy::worker::cpu
