// LibTorch's exceptions as statuses. For the sources of this room only.
#pragma once

#include <absl/status/status.h>
#include <c10/util/Exception.h>

#include <new>
#include <string_view>
#include <utility>

namespace deconvoy::worker::learned {

// OUT_OF_MEMORY where memory was asked for in vain, else INTERNAL with LibTorch's own words.
absl::Status TorchError(std::string_view doing, std::string_view words);

// What `compute` returns, a status or StatusOr; `doing` says what that is, for people.
template <typename Compute>
auto Guarded(std::string_view doing, Compute&& compute) -> decltype(compute()) {
  try {
    return std::forward<Compute>(compute)();
  } catch (const c10::Error& error) {
    return TorchError(doing, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return TorchError(doing, "can't allocate memory");
  } catch (const std::exception& error) {
    return TorchError(doing, error.what());
  }
}

}  // namespace deconvoy::worker::learned
