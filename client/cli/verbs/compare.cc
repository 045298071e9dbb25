// deconvoy compare: how far one stack lies from another.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "client/cli/figures/compare.h"
#include "client/cli/options/output_options.h"
#include "client/cli/verbs/verbs.h"
#include "client/imageio/image_file.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct CompareOptions {
  std::string a;
  std::string b;
};

constexpr char kExamples[] = R"(  deconvoy compare out.tif truth.tif
      nothing is rescaled, shifted or clipped first; a figure that would divide by zero is undefined (null in JSON)
  deconvoy compare out.tif truth.tif --json | jq .nrmse)";

struct Figure {
  const char* name;
  const char* meaning;
  double ComparisonFigures::*value;
};

constexpr std::array<Figure, 7> kFigures = {{
    {"nrmse", "root of the mean squared difference over the range of B", &ComparisonFigures::nrmse},
    {"relative_l2", "norm of the difference over the norm of B", &ComparisonFigures::relative_l2},
    {"psnr", "in dB: range of B over the root of the mean squared difference", &ComparisonFigures::psnr},
    {"ssim", "structural similarity, mean over planes", &ComparisonFigures::ssim},
    {"ncc", "correlation coefficient", &ComparisonFigures::ncc},
    {"max_abs", "largest difference", &ComparisonFigures::max_abs},
    {"flux_ratio", "sum of A over sum of B", &ComparisonFigures::flux_ratio},
}};

// JSON has neither infinity nor NaN: they become "inf" and null.
nlohmann::json Number(double value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) return nullptr;
  return fmt::format("{}", value);
}

std::string Text(double value) {
  return std::isnan(value) ? "undefined" : fmt::format("{:.6g}", value);
}

absl::Status CompareFiles(const CompareOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const auto a, imageio::OpenImage(options.a));
  ASSIGN_OR_RETURN(const auto b, imageio::OpenImage(options.b));
  ASSIGN_OR_RETURN(const ComparisonFigures figures, Compare(*a, *b));
  nlohmann::json json = {{"a", options.a}, {"b", options.b}};
  for (const Figure& figure : kFigures) {
    json[figure.name] = Number(figures.*figure.value);
    console.Say(fmt::format("{:<12} {:<13} {}", figure.name, Text(figures.*figure.value), figure.meaning));
  }
  if (console.json) console.Json(json);
  return absl::OkStatus();
}

}  // namespace

void AddCompare(CLI::App& root, Program& program) {
  AddVerb<CompareOptions>(
      root, program, "compare", "Compare a stack A with a reference B of the same shape.", kExamples,
      [&program](CLI::App& verb, CompareOptions& options) {
        verb.add_option("A", options.a, "Stack to judge")->type_name("FILE")->required();
        verb.add_option("B", options.b, "Reference")->type_name("FILE")->required();
        AddJsonOption(verb, program.console);
      },
      [&program](const CompareOptions& options) { return CompareFiles(options, program.console); });
}

}  // namespace deconvoy::client
