#include "worker/session/registration.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <random>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "worker/pipeline/offered_methods.h"

namespace deconvoy::worker {
namespace {

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace

v1::WorkerRegistration MakeRegistration(const Backend& backend, int64_t memory_budget_bytes,
                                        int64_t tile_memory_bytes) {
  v1::WorkerRegistration registration;
  registration.set_contract_version(limits::kContractVersion);
  registration.set_version(DECONVOY_VERSION);
  registration.set_host(HostName());
  registration.set_process_id(static_cast<uint32_t>(::getpid()));
  registration.set_backend(backend.name());
  registration.set_device(backend.device());
  registration.set_threads(static_cast<uint32_t>(backend.threads()));
  registration.set_memory_budget_bytes(static_cast<uint64_t>(memory_budget_bytes));
  registration.set_tile_memory_bytes(static_cast<uint64_t>(tile_memory_bytes));
  *registration.mutable_fft_costs() = backend.fft_costs();
  if (auto accelerator = backend.accelerator()) *registration.mutable_accelerator() = *std::move(accelerator);
  for (v1::Method& method : OfferedMethods()) {
    method.clear_backends();
    method.add_backends(backend.name());
    *registration.add_methods() = std::move(method);
  }
  return registration;
}

absl::StatusOr<std::string> ReadSpoolNonce(const std::filesystem::path& spool) {
  const std::filesystem::path path = spool / "nonce";
  std::ifstream file(path);
  std::string nonce;
  if (file >> nonce) return nonce;
  return MakeError({.reason = v1::STORAGE_FAILURE,
                    .remedy = "Give --spool the server's spool, or leave it out.",
                    .metadata = {{"path", path.string()}}},
                   fmt::format("no nonce can be read from {}", Printable(path.string())));
}

std::string NewWorkerName() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
  std::random_device device;
  std::uniform_int_distribution<size_t> letter(0, kLetters.size() - 1);
  std::string id;
  for (int i = 0; i < 26; ++i) id += kLetters[letter(device)];
  return WorkerName(id);
}

}  // namespace deconvoy::worker
