#include "worker/backends/cpu/weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace deconvoy::worker::cpu {

CpuWeights::CpuWeights(AxisClasses z, AxisClasses y, AxisClasses x, Buffer table)
    : z_(std::move(z)), y_(std::move(y)), x_(std::move(x)), table_(std::move(table)) {
  for (int64_t i = 0; i < static_cast<int64_t>(x_.of.size()); ++i) {
    const int32_t c = x_.of[static_cast<size_t>(i)];
    Run* last = runs_.empty() ? nullptr : &runs_.back();
    if (last != nullptr && last->rising && c == last->first + last->length) {
      ++last->length;
    } else if (last != nullptr && c == last->first && (!last->rising || last->length == 1)) {
      last->rising = false;
      ++last->length;
    } else {
      runs_.push_back({.begin = i, .length = 1, .first = c, .rising = true});
    }
  }
  whole_rows_ = runs_.size() == 1 && runs_[0].rising;
}

const float* CpuWeights::Row(int64_t z, int64_t y, float* scratch) const {
  const int64_t row = z_.of[static_cast<size_t>(z)] * y_.count() + y_.of[static_cast<size_t>(y)];
  const float* values = table_.data() + row * x_.count();
  if (whole_rows_) return values;
  for (const Run& run : runs_) {
    if (run.rising) {
      std::memcpy(scratch + run.begin, values + run.first, static_cast<size_t>(run.length) * sizeof(float));
    } else {
      std::fill_n(scratch + run.begin, run.length, values[run.first]);
    }
  }
  return scratch;
}

// Keeps one value per class.
class TableFiller final : public RowSink {
 public:
  explicit TableFiller(CpuWeights* weights)
      : RowSink(Extent{.planes = weights->z_.representative, .rows = {0, static_cast<int64_t>(weights->y_.of.size())}}),
        weights_(*weights) {}

  void Write(int64_t z, int64_t y, float* row, float*) override {
    const int32_t cy = weights_.y_.of[static_cast<size_t>(y)];
    if (weights_.y_.representative[static_cast<size_t>(cy)] != y) return;
    const int64_t index = weights_.z_.of[static_cast<size_t>(z)] * weights_.y_.count() + cy;
    float* values = weights_.table_.data() + index * weights_.x_.count();
    for (const int64_t x : weights_.x_.representative) *values++ = row[x];
  }

 private:
  CpuWeights& weights_;
};

std::unique_ptr<RowSink> CpuWeights::Filler() {
  return std::make_unique<TableFiller>(this);
}

}  // namespace deconvoy::worker::cpu
