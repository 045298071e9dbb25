// deconvoy-bench: how fast the worker's parts are on this machine. docs/performance.md says what each figure is.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include "tests/bench/commands.h"

namespace deconvoy::bench {
namespace {

void Write(const nlohmann::json& result, const std::string& path) {
  std::ofstream file(path);
  file << result.dump(2) << '\n';
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path);
}

int Main(int argc, char** argv) {
  CLI::App app{"Measures the parts of a deconvolution on this machine."};
  std::string json;
  app.add_option("--json", json, "file for the result as JSON, - for standard output instead of the table");
  app.require_subcommand(1);
  app.fallthrough();
  const Command commands[] = {AddIteration(app),  AddSolve(app),        AddFirstJob(app), AddScaling(app),
                              AddOperations(app), AddQuality(app),      AddMethods(app),  AddResolution(app),
                              AddPsf(app),        AddTransfer(app),     AddStreams(app),  AddQueue(app),
                              AddClients(app),    AddGpuIteration(app), AddGpuTiles(app)};
  CLI11_PARSE(app, argc, argv);
  for (const Command& command : commands) {
    if (!command.app->parsed()) continue;
    nlohmann::json result = command.measure();
    result["measurement"] = command.app->get_name();
    if (json == "-") {
      std::cout << result.dump(2) << std::endl;
      continue;
    }
    command.report(result);
    if (!json.empty()) Write(result, json);
  }
  return 0;
}

}  // namespace
}  // namespace deconvoy::bench

int main(int argc, char** argv) {
  try {
    return deconvoy::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "deconvoy-bench: {}\n", error.what());
    return 1;
  }
}
