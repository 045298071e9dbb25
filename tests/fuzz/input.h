// Reads what a fuzz target needs from the bytes it is given. Never fails: what is missing is zero or empty.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

namespace deconvoy::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}

  // A number of any type from as many bytes as it has.
  template <typename Number>
  Number Take() {
    Number number{};
    const size_t count = std::min(sizeof number, rest_.size());
    if (count > 0) std::memcpy(&number, rest_.data(), count);
    rest_ = rest_.subspan(count);
    return number;
  }

  // A text whose length comes before it, as two bytes.
  std::string TakeText() {
    const size_t count = std::min<size_t>(Take<uint16_t>(), rest_.size());
    std::string text(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(count));
    rest_ = rest_.subspan(count);
    return text;
  }

  std::string Rest() const { return {rest_.begin(), rest_.end()}; }

 private:
  std::span<const uint8_t> rest_;
};

// Ends the program, which the fuzzer reports as a find, unless `condition` holds.
inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

}  // namespace deconvoy::fuzz

// What every target defines; returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
