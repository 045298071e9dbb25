#include "worker/backends/cpu/wavelets.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <numeric>
#include <utility>

#include "worker/backends/cpu/pointwise.h"
#include "worker/ops/scaling_filter.h"

namespace deconvoy::worker::cpu {
namespace {

constexpr float kRootHalf = std::numbers::sqrt2_v<float> / 2;

class HaarLine final : public WaveletLine {
 public:
  explicit HaarLine(int64_t extent) : pairs_(extent / 2), coarse_(extent - extent / 2) {}
  void Split(float* in, float* out, float* /*scratch*/) const override {
    for (int64_t i = 0; i < pairs_; ++i) {
      out[i] = kRootHalf * (in[2 * i] + in[2 * i + 1]);
      out[coarse_ + i] = kRootHalf * (in[2 * i] - in[2 * i + 1]);
    }
    if (coarse_ > pairs_) out[pairs_] = in[2 * pairs_];
  }
  void Join(float* in, float* out, float* /*scratch*/) const override {
    for (int64_t i = 0; i < pairs_; ++i) {
      out[2 * i] = kRootHalf * (in[i] + in[coarse_ + i]);
      out[2 * i + 1] = kRootHalf * (in[i] - in[coarse_ + i]);
    }
    if (coarse_ > pairs_) out[2 * pairs_] = in[pairs_];
  }

 private:
  int64_t pairs_, coarse_;
};

// By Fourier transforms of an even number m of values, on a circle: exact for every length.
class SplineLine final : public WaveletLine {
 public:
  SplineLine(int degree, int64_t extent, const std::filesystem::path& wisdom_folder)
      : m_(extent / 2 * 2),
        half_(m_ / 2),
        last_(extent - m_),
        whole_line_(RowTransformFor(m_, wisdom_folder)),
        half_line_(RowTransformFor(half_, wisdom_folder)) {
    for (int64_t k = 0; k <= half_; ++k) {
      const double w = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(m_);
      h_.push_back(static_cast<float>(ScalingFilter(degree, w)));
      h_shifted_.push_back(static_cast<float>(ScalingFilter(degree, w + std::numbers::pi)));
      turn_.push_back(Complex(std::polar(1.0, w)));
    }
  }

  void Split(float* in, float* out, float* scratch) const override {
    const Room room(scratch, m_);
    const float last = in[m_ + last_ - 1];
    whole_line_.Forward(in, room.work, room.whole);
    // k + half is the negative of half - k.
    for (int64_t k = 0; k <= half_ / 2; ++k) {
      const Complex x = room.whole[k], shifted = std::conj(room.whole[half_ - k]);
      room.coarse[k] = 0.5F * (h(k) * x + h_shifted(k) * shifted);
      room.fine[k] = 0.5F * turn(k) * (h_shifted(k) * x - h(k) * shifted);
    }
    Back(half_line_, room.coarse, half_, room, in, out);
    Back(half_line_, room.fine, half_, room, in, out + half_ + last_);
    if (last_ > 0) out[half_] = last;
  }

  void Join(float* in, float* out, float* scratch) const override {
    const Room room(scratch, m_);
    Forth(in, room.coarse, room, out);
    Forth(in + half_ + last_, room.fine, room, out);
    for (int64_t k = 0; k <= half_; ++k) {
      const bool near = k <= half_ / 2;
      const Complex coarse = near ? room.coarse[k] : std::conj(room.coarse[half_ - k]);
      const Complex fine = near ? room.fine[k] : std::conj(room.fine[half_ - k]);
      room.whole[k] = h(k) * coarse + h_shifted(k) * std::conj(turn(k)) * fine;
    }
    const float last = in[half_];
    Back(whole_line_, room.whole, m_, room, out, nullptr);
    if (last_ > 0) out[m_] = last;
  }

 private:
  // Aligned parts of the scratch memory.
  struct Room {
    Room(float* scratch, int64_t m) {
      const int64_t numbers = (m / 2 + 1 + 7) / 8 * 8;
      whole = reinterpret_cast<Complex*>(scratch);
      work = whole + numbers;
      coarse = work + numbers;
      fine = coarse + (m / 4 + 1 + 7) / 8 * 8;
    }
    Complex *whole, *work, *coarse, *fine;
  };

  float h(int64_t k) const { return h_[static_cast<size_t>(k)]; }
  float h_shifted(int64_t k) const { return h_shifted_[static_cast<size_t>(k)]; }
  const Complex& turn(int64_t k) const { return turn_[static_cast<size_t>(k)]; }

  // n values of a spectrum into `aligned`, and from there to `target` where that is another place.
  static void Back(const RowTransform& line, const Complex* spectrum, int64_t n, const Room& room, float* aligned,
                   float* target) {
    line.Inverse(spectrum, room.work, aligned);
    const float scale = 1 / static_cast<float>(n);
    float* to = target != nullptr ? target : aligned;
    for (int64_t i = 0; i < n; ++i) to[i] = scale * aligned[i];
  }
  void Forth(const float* values, Complex* spectrum, const Room& room, float* aligned) const {
    std::copy_n(values, half_, aligned);
    half_line_.Forward(aligned, room.work, spectrum);
  }

  const int64_t m_, half_, last_;
  const RowTransform& whole_line_;
  const RowTransform& half_line_;
  std::vector<float> h_, h_shifted_;  // H at w and w + pi, by k
  std::vector<Complex> turn_;         // exp(i w)
};

class Shrinker {
 public:
  Shrinker(const WaveletShrinkage& shrinkage, const std::filesystem::path& wisdom_folder, CpuArray& array,
           ThreadPool& pool)
      : shrinkage_(shrinkage), wisdom_(wisdom_folder), pool_(pool), shape_(array.box().shape) {
    values_ = array.Row(array.box().origin.z, array.box().origin.y);
    const int64_t longest = std::max({shape_.x, shape_.y, shape_.z});
    room_ = (longest + 31) / 16 * 16;
    scratch_.resize(static_cast<size_t>(pool.threads()));
    for (auto& memory : scratch_) memory = Aligned(2 * kLinesAtOnce * room_ + 4 * (room_ + 16));
  }

  double Run() {
    std::vector<Shape3> scales;
    for (Shape3 s = shape_; static_cast<int>(scales.size()) < shrinkage_.scales; s = Coarse(s)) scales.push_back(s);
    for (size_t k = 0; k < scales.size(); ++k) EachAxis(scales[k], k == 0, /*split=*/true);
    const double sum = Shrink(Coarse(scales.back()));
    for (size_t k = scales.size(); k-- > 0;) EachAxis(scales[k], k == 0, /*split=*/false);
    return sum;
  }

 private:
  static constexpr int64_t kLinesAtOnce = 16;

  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<float, Free>;
  static Memory Aligned(int64_t floats) {
    const size_t bytes = (static_cast<size_t>(floats) * sizeof(float) + 127) / 64 * 64;
    return Memory(static_cast<float*>(std::aligned_alloc(64, bytes)));
  }

  static Shape3 Coarse(const Shape3& s) { return {s.z - s.z / 2, s.y - s.y / 2, s.x - s.x / 2}; }

  // The scale that splits a box of this shape, in the first numbers of each axis. Lines of the whole array begin at
  // `start`.
  void EachAxis(const Shape3& s, bool whole, bool split) {
    const int64_t row = shape_.x, plane = shape_.y * shape_.x;
    const Voxel start = whole ? shrinkage_.start : Voxel{};
    Axis(s.x, 1, start.x, s.y, row, s.z, plane, split);
    Axis(s.y, row, start.y, s.x, 1, s.z, plane, split);
    Axis(s.z, plane, start.z, s.x, 1, s.y, row, split);
  }

  // Lines of `extent` numbers, `stride` apart, for i < count and j < rows at i * step + j * jump.
  void Axis(int64_t extent, int64_t stride, int64_t start, int64_t count, int64_t step, int64_t rows, int64_t jump,
            bool split) {
    if (extent < 2) return;
    const auto line = MakeWaveletLine(shrinkage_.wavelet, extent, wisdom_);
    const int64_t strips = (count + kLinesAtOnce - 1) / kLinesAtOnce;
    pool_.ForEach(strips * rows, [&](int64_t index, int thread) {
      float* in = scratch_[static_cast<size_t>(thread)].get();
      float* out = in + kLinesAtOnce * room_;
      float* work = out + kLinesAtOnce * room_;
      const int64_t first = index % strips * kLinesAtOnce, lines = std::min(kLinesAtOnce, count - first);
      float* base = values_ + index / strips * jump + first * step;
      // Split reads from `start` on, round the end; Join writes there.
      for (int64_t i = 0; i < extent; ++i) {
        const float* from = base + (split ? (start + i) % extent : i) * stride;
        for (int64_t j = 0; j < lines; ++j) in[j * room_ + i] = from[j * step];
      }
      for (int64_t j = 0; j < lines; ++j) {
        split ? line->Split(in + j * room_, out + j * room_, work) : line->Join(in + j * room_, out + j * room_, work);
      }
      for (int64_t i = 0; i < extent; ++i) {
        float* to = base + (split ? i : (start + i) % extent) * stride;
        for (int64_t j = 0; j < lines; ++j) to[j * step] = out[j * room_ + i];
      }
    });
  }

  // Everything outside the coarse box at the beginning.
  double Shrink(const Shape3& coarse) {
    std::vector<double> planes(static_cast<size_t>(shape_.z), 0.0);
    pool_.ForEach(shape_.z, [&](int64_t z, int) {
      for (int64_t y = 0; y < shape_.y; ++y) {
        const int64_t kept = z < coarse.z && y < coarse.y ? coarse.x : 0;
        float* row = values_ + (z * shape_.y + y) * shape_.x;
        planes[static_cast<size_t>(z)] += ShrinkRow(shrinkage_.threshold, shape_.x - kept, row + kept);
      }
    });
    return std::accumulate(planes.begin(), planes.end(), 0.0);
  }

  const WaveletShrinkage& shrinkage_;
  const std::filesystem::path& wisdom_;
  ThreadPool& pool_;
  const Shape3 shape_;
  float* values_;
  int64_t room_;
  std::vector<Memory> scratch_;  // by thread
};

}  // namespace

std::unique_ptr<const WaveletLine> MakeWaveletLine(Wavelet wavelet, int64_t extent,
                                                   const std::filesystem::path& wisdom_folder) {
  switch (wavelet) {
    case Wavelet::kSpline1:
      return std::make_unique<const SplineLine>(1, extent, wisdom_folder);
    case Wavelet::kSpline3:
      return std::make_unique<const SplineLine>(3, extent, wisdom_folder);
    case Wavelet::kSpline5:
      return std::make_unique<const SplineLine>(5, extent, wisdom_folder);
    case Wavelet::kHaar:
      break;
  }
  return std::make_unique<const HaarLine>(extent);
}

double ShrinkWavelets(const WaveletShrinkage& shrinkage, const std::filesystem::path& wisdom_folder, CpuArray& array,
                      ThreadPool& pool) {
  return Shrinker(shrinkage, wisdom_folder, array, pool).Run();
}

}  // namespace deconvoy::worker::cpu
