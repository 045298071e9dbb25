// The backends that a measurement can be asked to run on.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "worker/ops/backend.h"

namespace deconvoy::bench {

// --backend: `cpu` or `cuda`.
void AddBackendOption(CLI::App& app, std::string& backend);

// `threads` of the processors, also beside a GPU. std::runtime_error, saying why, where there is no such device.
std::unique_ptr<worker::Backend> MakeDevice(const std::string& backend, int threads);

}  // namespace deconvoy::bench
