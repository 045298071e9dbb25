#include "worker/backends/cuda/cufft_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::worker::cuda {
namespace {

// Of the toolkit that this is compiled with: 12.0.x is that of CUDA 13.
const std::string& LibraryName() {
  static const std::string name = fmt::format("libcufft.so.{}", CUFFT_VER_MAJOR);
  return name;
}

absl::Status NotThere(std::string_view why) {
  return MakeError({.reason = v1::NO_WORKER,
                    .remedy = fmt::format("Install the CUDA runtime libraries, or name the folder of {} in "
                                          "LD_LIBRARY_PATH, with a bundle in DECONVOY_CUDA_LIBRARIES.",
                                          LibraryName())},
                   fmt::format("{} cannot be used: {}", LibraryName(), why));
}

template <typename Function>
absl::Status Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  return function != nullptr ? absl::OkStatus() : NotThere(fmt::format("it has no {}", name));
}

absl::StatusOr<CufftLibrary> Load() {
  void* library = ::dlopen(LibraryName().c_str(), RTLD_NOW | RTLD_LOCAL);
  const char* const told = library == nullptr ? ::dlerror() : nullptr;
  const std::string why = told != nullptr ? told : "unknown reason";
  // Where the toolkit puts it, without the loader being told.
  if (library == nullptr) library = ::dlopen(("/usr/local/cuda/lib64/" + LibraryName()).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return NotThere(why);
  }
  CufftLibrary cufft{};
  RETURN_IF_ERROR(Find(library, "cufftCreate", cufft.Create));
  RETURN_IF_ERROR(Find(library, "cufftDestroy", cufft.Destroy));
  RETURN_IF_ERROR(Find(library, "cufftSetAutoAllocation", cufft.SetAutoAllocation));
  RETURN_IF_ERROR(Find(library, "cufftMakePlanMany64", cufft.MakePlanMany64));
  RETURN_IF_ERROR(Find(library, "cufftSetStream", cufft.SetStream));
  RETURN_IF_ERROR(Find(library, "cufftSetWorkArea", cufft.SetWorkArea));
  RETURN_IF_ERROR(Find(library, "cufftExecR2C", cufft.ExecR2C));
  RETURN_IF_ERROR(Find(library, "cufftExecC2R", cufft.ExecC2R));
  RETURN_IF_ERROR(Find(library, "cufftExecC2C", cufft.ExecC2C));
  return cufft;
}

}  // namespace

absl::StatusOr<const CufftLibrary*> LoadCufft() {
  static const absl::StatusOr<CufftLibrary> library = Load();
  if (!library.ok()) return library.status();
  return &*library;
}

}  // namespace deconvoy::worker::cuda
