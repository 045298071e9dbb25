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

// Rows of `extent` reals to and from extent/2 + 1 complex numbers. Not normalised. Pointers are aligned to 64 bytes.
class RowTransform {
 public:
  virtual ~RowTransform() = default;
  virtual void Forward(float* row, Complex* spectrum) const = 0;  // may destroy `row`
  virtual void Inverse(Complex* spectrum, float* row) const = 0;  // destroys `spectrum`
};

// `width` columns of `extent` complex numbers at once, column j's element i at [i * width + j], in place. Not
// normalised. Pointers are aligned to 64 bytes.
class ColumnTransform {
 public:
  virtual ~ColumnTransform() = default;
  virtual void Forward(Complex* columns) const = 0;
  virtual void Inverse(Complex* columns) const = 0;
};

// Measured plans, the same object for the same arguments for the life of the process. Wisdom is read from and written
// to `wisdom_folder` (none when empty); a file that cannot be read or written is logged and otherwise ignored.
const RowTransform& RowTransformFor(int64_t extent, const std::filesystem::path& wisdom_folder);
const ColumnTransform& ColumnTransformFor(int64_t extent, int64_t width, const std::filesystem::path& wisdom_folder);

// The wisdom file of this machine in `folder`: its name tells FFTW's version and the processor.
std::filesystem::path WisdomFile(const std::filesystem::path& folder);

}  // namespace deconvoy::worker::cpu
