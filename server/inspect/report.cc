#include "server/inspect/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "proto/contract/error.h"

namespace deconvoy::server {

std::string ToText(const Inspection& inspection) {
  std::string text;
  for (const Finding& finding : inspection.findings) {
    text += fmt::format("{}: {}: {}\n  in {}\n  {}\n", finding.kind, Printable(finding.subject),
                        Printable(finding.problem), Printable(finding.path.string()), Printable(finding.remedy));
  }
  const size_t found = inspection.findings.size();
  const std::string verdict = found == 0           ? "sound"
                              : inspection.sound() ? fmt::format("sound, {} leftovers", found)
                                                   : fmt::format("{} findings", found);
  return text + fmt::format("{}: {} volumes, {} boxes with {:.1f} MiB, {} jobs\n", verdict, inspection.volumes,
                            inspection.boxes, static_cast<double>(inspection.bytes) / (1 << 20), inspection.jobs);
}

std::string ToJson(const Inspection& inspection) {
  nlohmann::ordered_json json;
  json["sound"] = inspection.sound();
  json["volumes"] = inspection.volumes;
  json["boxes"] = inspection.boxes;
  json["bytes"] = inspection.bytes;
  json["jobs"] = inspection.jobs;
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : inspection.findings) {
    json["findings"].push_back({{"kind", finding.kind},
                                {"subject", Printable(finding.subject)},
                                {"path", Printable(finding.path.string())},
                                {"problem", Printable(finding.problem)},
                                {"remedy", Printable(finding.remedy)},
                                {"repairable", finding.mend != Mend::kNothing}});
  }
  return json.dump() + "\n";
}

}  // namespace deconvoy::server
