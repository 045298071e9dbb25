#include "worker/config/device_list.h"

#include <fmt/format.h>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#ifdef DECONVOY_HAS_CUDA
#include "worker/backends/cuda/devices.h"
#endif

namespace deconvoy::worker {
namespace {

#ifdef DECONVOY_HAS_CUDA
std::string ListCuda() {
  const auto devices = cuda::ListDevices();
  if (!devices.ok()) return fmt::format("cuda    {}\n", LogText(devices.status()));
  std::string text = devices->empty() ? "cuda    no device\n" : "";
  for (const cuda::Device& device : *devices) {
    text += fmt::format("cuda {}  {}, {} MiB, compute capability {}.{} (seen, not computed on)\n", device.index,
                        Printable(device.name), device.memory_bytes >> 20, device.compute_major, device.compute_minor);
  }
  return text;
}
#else
std::string ListCuda() {
  return "cuda    not looked for: this build has no CUDA\n";
}
#endif

}  // namespace

std::string ListDevices(const Backend& processors) {
  return fmt::format("cpu     {}, {} threads\n", processors.device(), processors.threads()) + ListCuda();
}

}  // namespace deconvoy::worker
