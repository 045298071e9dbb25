// deconvoy-bench quality: how many iterations, and how much time, faster variants of rl need for what plain ones reach.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "tests/bench/bars.h"
#include "tests/bench/case.h"
#include "tests/bench/commands.h"
#include "tests/bench/light_sheet.h"

namespace deconvoy::bench {
namespace {

struct Options {
  std::string scene = "all";
  LightSheetOptions light_sheet;
  BarsOptions bars;
  int threads = 2;
};

nlohmann::json Measure(Options options) {
  options.light_sheet.threads = options.bars.threads = options.threads;
  nlohmann::json result = {{"threads", options.threads}};
  if (options.scene != "bars") result["light_sheet"] = MeasureLightSheet(options.light_sheet);
  if (options.scene != "light-sheet") result["bars"] = MeasureBars(options.bars);
  return result;
}

void ReportLine(const nlohmann::json& figures, const char* what) {
  fmt::print("  {:6} {:3} iterations: correlation {:.4f}, light {:.3f}\n", what, figures["iterations"].get<int>(),
             figures["correlation"].get<double>(), figures["light"].get<double>());
}

void ReportLightSheet(const nlohmann::json& r) {
  fmt::print("light sheet, background {}: {}\n", r["background"].get<double>(), r["parameters"].dump());
  if (!r["available"].get<bool>()) return fmt::print("  not available: {}\n", r["why"].get<std::string>());
  for (const char* boundary : {"periodic", "extend"}) {
    fmt::print(" {}: {} iterations needed\n", boundary, r[boundary]["iterations_needed"].dump());
    ReportLine(r[boundary]["plain"], "plain");
    for (const auto& figures : r[boundary]["fast"]) ReportLine(figures, "fast");
  }
}

void ReportBars(const nlohmann::json& r) {
  if (!r["available"].get<bool>()) return fmt::print("bars: not available: {}\n", r["why"].get<std::string>());
  fmt::print("bars: heavy-ball reaches the I-divergence of {} plain iterations in {}, {:.2f} times sooner\n",
             r["plain_iterations"].get<int>(), r["heavy_ball_iterations"].get<int>(), r["ratio"].get<double>());
}

void Report(const nlohmann::json& r) {
  if (r.contains("light_sheet")) ReportLightSheet(r["light_sheet"]);
  if (r.contains("bars")) ReportBars(r["bars"]);
}

}  // namespace

Command AddQuality(CLI::App& root) {
  auto* app = root.add_subcommand("quality", "what faster variants of rl need for what plain iterations reach");
  const auto options = std::make_shared<Options>();
  app->add_option("--scene", options->scene)
      ->check(CLI::IsMember({"light-sheet", "bars", "all"}))
      ->capture_default_str();
  AddExtents(*app, "--shape", options->light_sheet.shape, "volume of the light-sheet scene")->capture_default_str();
  app->add_option("--most-iterations", options->light_sheet.most_iterations, "tried on the light-sheet scene")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  app->add_option("--background", options->light_sheet.background_photons,
                  "photons in every voxel of the light-sheet scene")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app->add_option("--set", options->light_sheet.parameters, "NAME VALUE: parameters of rl on the light-sheet scene");
  app->add_option("--bars", options->bars.folder, "folder with raw_g15.tif and psf.tif")->capture_default_str();
  app->add_option("--plain-iterations", options->bars.plain_iterations, "on the bars")
      ->check(CLI::Range(2, 10000))
      ->capture_default_str();
  app->add_option("--repeats", options->bars.repeats, "timed runs on the bars")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app->add_option("--threads", options->threads)->check(CLI::Range(1, 1024))->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
