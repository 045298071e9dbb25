// The subcommands of deconvoy-bench. Each measures one concern and knows how its figures are printed.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>

namespace deconvoy::bench {

struct Command {
  CLI::App* app;
  std::function<nlohmann::json()> measure;            // once the command line is parsed; throws std::exception
  std::function<void(const nlohmann::json&)> report;  // prints what `measure` gave as a table
};

Command AddIteration(CLI::App& root);
Command AddSolve(CLI::App& root);
Command AddFirstJob(CLI::App& root);
Command AddScaling(CLI::App& root);
Command AddOperations(CLI::App& root);
Command AddQuality(CLI::App& root);
Command AddQueue(CLI::App& root);
Command AddPsf(CLI::App& root);
Command AddMethods(CLI::App& root);
Command AddResolution(CLI::App& root);
Command AddTransfer(CLI::App& root);
Command AddStreams(CLI::App& root);
Command AddClients(CLI::App& root);
Command AddGpuIteration(CLI::App& root);
Command AddGpuTiles(CLI::App& root);

}  // namespace deconvoy::bench
