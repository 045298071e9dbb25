// The element loops of the CPU backend on one row in the cache, timed by Google Benchmark.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

namespace deconvoy::bench {

// One entry per loop, `row copy` (memcpy) first: name, nanoseconds_per_element, bytes_per_element that it reads and
// writes, bytes_per_second, of_copy (that over the copy's), samples_seconds per row. Medians of `repeats`.
nlohmann::json MeasureElementLoops(int64_t row, int repeats);

}  // namespace deconvoy::bench
