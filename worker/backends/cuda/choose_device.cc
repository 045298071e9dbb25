#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <sstream>

#include "proto/contract/error.h"
#include "worker/backends/cuda/devices.h"

namespace deconvoy::worker::cuda {
namespace {

absl::Status NoDevice(std::span<const Device> devices, std::string_view what) {
  std::string there;
  for (const Device& device : devices) {
    there += fmt::format("{}{} (GPU-{}, {})", there.empty() ? "" : ", ", device.index, device.uuid, device.name);
  }
  const std::string remedy = devices.empty()
                                 ? "Look whether nvidia-smi lists a device, and what CUDA_VISIBLE_DEVICES leaves of it."
                                 : "Give the index or the UUID of one of these: " + there;
  return MakeError({.reason = v1::NO_WORKER, .remedy = remedy}, what);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

// Without `GPU-` or `MIG-`.
std::string DigitsOf(std::string_view uuid) {
  const std::string lower = Lower(uuid);
  return lower.starts_with("gpu-") || lower.starts_with("mig-") ? lower.substr(4) : lower;
}

}  // namespace

absl::StatusOr<Device> ChooseDevice(std::span<const Device> devices, std::string_view selector) {
  if (devices.empty()) return NoDevice(devices, "there is no NVIDIA device here that CUDA can use");
  if (selector.empty()) return devices.front();
  int index = -1;
  const auto [end, error] = std::from_chars(selector.data(), selector.data() + selector.size(), index);
  const bool is_index = error == std::errc() && end == selector.data() + selector.size() && selector.size() < 4;
  const std::string digits = DigitsOf(selector);
  const Device* found = nullptr;
  for (const Device& device : devices) {
    const bool named = is_index ? device.index == index : !digits.empty() && device.uuid.starts_with(digits);
    if (!named) continue;
    if (found != nullptr) {
      return NoDevice(devices, fmt::format("more than one NVIDIA device is `{}`", Printable(selector)));
    }
    found = &device;
  }
  if (found == nullptr) return NoDevice(devices, fmt::format("no NVIDIA device here is `{}`", Printable(selector)));
  return *found;
}

std::string DriverVersionIn(std::string_view text) {
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    const bool numbers = word.find_first_not_of("0123456789.") == std::string::npos;
    if (numbers && word.front() != '.' && word.find('.') != std::string::npos) return word;
  }
  return "";
}

std::string VersionText(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

v1::Accelerator ToAccelerator(const Device& device) {
  const bool instance = device.name.find(" MIG ") != std::string::npos;
  v1::Accelerator accelerator;
  accelerator.set_index(static_cast<uint32_t>(device.index));
  accelerator.set_uuid((instance ? "MIG-" : "GPU-") + device.uuid);
  accelerator.set_name(device.name);
  accelerator.set_memory_bytes(static_cast<uint64_t>(device.memory_bytes));
  const std::string& own = device.driver_version;
  accelerator.set_driver(fmt::format("CUDA {}{}{}", VersionText(device.driver), own.empty() ? "" : ", driver ", own));
  return accelerator;
}

std::string Describe(const Device& device) {
  const std::string& own = device.driver_version;
  return fmt::format("{}, {} MiB, compute capability {}.{}, driver{}{} for CUDA {}", device.name,
                     device.memory_bytes >> 20, device.compute_major, device.compute_minor, own.empty() ? "" : " ", own,
                     VersionText(device.driver));
}

}  // namespace deconvoy::worker::cuda
