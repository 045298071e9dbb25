// The normalisation w = H* m in little memory.
//
// Without a mask, w depends along each axis only on the part of the PSF's box that meets the measured box: it is kept
// as a table over those classes, which are few inside the measured box and outside the PSF's reach. Else it is kept
// whole.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/backends/cpu/rows.h"
#include "worker/ops/axis_classes.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cpu {

class CpuWeights final : public Weights {
 public:
  // REQUIRES: `table` holds z.count() * y.count() * x.count() values in that order.
  CpuWeights(AxisClasses z, AxisClasses y, AxisClasses x, Buffer table);

  // The weights of a row of the domain: expanded into `scratch`, or lying in the table.
  const float* Row(int64_t z, int64_t y, float* scratch) const;

  // Fills the table from the rows of a convolution.
  std::unique_ptr<RowSink> Filler();

 private:
  friend class TableFiller;
  // Consecutive positions whose classes are the same or count up.
  struct Run {
    int64_t begin, length;
    int32_t first;
    bool rising;
  };

  const AxisClasses z_, y_, x_;
  bool whole_rows_;        // every x is its own class, in order
  std::vector<Run> runs_;  // of a row
  Buffer table_;
};

}  // namespace deconvoy::worker::cpu
