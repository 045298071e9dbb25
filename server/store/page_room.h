// How much of a list goes into one page: so many items and so many bytes, so that neither many items nor large ones
// make an answer that is too large to be built or sent.
#pragma once

#include <cstddef>

#include "proto/contract/limits.h"

namespace deconvoy::server {

class PageRoom {
 public:
  // `items`: at least 1.
  explicit PageRoom(int items, size_t bytes = limits::kPageBytes) : items_(items), bytes_(bytes) {}

  // Whether an item of so many bytes goes in as well; it counts if so. The first one always does.
  bool Take(size_t bytes) {
    if (taken_ == items_ || (taken_ > 0 && bytes > bytes_)) return false;
    ++taken_;
    bytes_ = bytes > bytes_ ? 0 : bytes_ - bytes;
    return true;
  }

 private:
  const int items_;
  size_t bytes_;  // that are left
  int taken_ = 0;
};

}  // namespace deconvoy::server
