// The backends that a measurement can be asked to run on.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "worker/ops/backend.h"

namespace deconvoy::bench {

// --backend: `cpu` or `cuda`.
void AddBackendOption(CLI::App& app, std::string& backend);

// `threads` of the processors, also beside a GPU, of whose memory tasks may use `memory_mib`; 0: as a worker's may.
// std::runtime_error, saying why, where there is no such device, or where memory is bounded of another than a GPU.
std::unique_ptr<worker::Backend> MakeDevice(const std::string& backend, int threads, int64_t memory_mib = 0);

}  // namespace deconvoy::bench
