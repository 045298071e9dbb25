#include "server/jobs/job_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

using nlohmann::json;

json ToJson(const Shape3& shape) {
  return json::array({shape.z, shape.y, shape.x});
}

Shape3 ShapeAt(const json& object, const char* key) {
  const json& extents = object.at(key);
  return {extents.at(0).get<int64_t>(), extents.at(1).get<int64_t>(), extents.at(2).get<int64_t>()};
}

absl::Status Damaged(std::string_view why) {
  return MakeError({.reason = v1::STORAGE_FAILURE}, fmt::format("the stored plan of a job cannot be read: {}", why));
}

template <typename Message>
json Binary(const Message& message) {
  const std::string bytes = message.SerializeAsString();
  return json::binary(std::vector<uint8_t>(bytes.begin(), bytes.end()));
}

template <typename Message>
bool Parse(const json& binary, Message& message) {
  const json::binary_t& bytes = binary.get_binary();
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

template <typename Message>
json ToJson(const std::vector<Message>& messages) {
  json list = json::array();
  for (const Message& message : messages) list.push_back(Binary(message));
  return list;
}

template <typename Message>
bool Parse(const json& list, std::vector<Message>& messages) {
  return std::all_of(list.begin(), list.end(),
                     [&](const json& binary) { return Parse(binary, messages.emplace_back()); });
}

}  // namespace

v1::FrameStatistics StatisticsOf(const v1::AnalyseResult& analysis, int64_t channels, int64_t t, int64_t c) {
  v1::FrameStatistics statistics = analysis.frames(static_cast<int>((t * channels + c) % analysis.frames_size()));
  statistics.set_t(static_cast<uint32_t>(t));
  return statistics;
}

std::string EncodePlan(const JobPlan& plan) {
  json object = {
      {"tile_plan_version", kTilePlanVersion},     {"core", ToJson(plan.tiles.core)},
      {"halo", ToJson(plan.tiles.halo)},           {"padded", ToJson(plan.tiles.padded)},
      {"grid", ToJson(plan.tiles.grid)},           {"memory_bytes", plan.tiles.memory_bytes},
      {"analysis", Binary(plan.analysis)},         {"samples", ToJson(plan.samples)},
      {"calibrations", ToJson(plan.calibrations)}, {"psf_estimates", ToJson(plan.psf_estimates)},
  };
  if (plan.import) {
    object["import_spec"] = Binary(plan.import->spec);
    object["import_stamp"] = Binary(plan.import->stamp);
  }
  std::string bytes;
  json::to_cbor(object, bytes);
  return bytes;
}

absl::StatusOr<JobPlan> DecodePlan(const std::string& bytes) {
  try {
    const json object = json::from_cbor(bytes);
    JobPlan plan;
    plan.tiles = {.core = ShapeAt(object, "core"),
                  .halo = ShapeAt(object, "halo"),
                  .padded = ShapeAt(object, "padded"),
                  .grid = ShapeAt(object, "grid"),
                  .memory_bytes = object.at("memory_bytes").get<int64_t>()};
    // Absent in what earlier versions stored.
    const json none = json::array();
    if (!Parse(object.at("analysis"), plan.analysis) || !Parse(object.value("samples", none), plan.samples) ||
        !Parse(object.value("calibrations", none), plan.calibrations) ||
        !Parse(object.value("psf_estimates", none), plan.psf_estimates)) {
      return Damaged("a part of it is not a message of the contract");
    }
    if (!object.contains("import_spec")) return plan;
    plan.import.emplace();
    if (!Parse(object.at("import_spec"), plan.import->spec) || !Parse(object.at("import_stamp"), plan.import->stamp)) {
      return Damaged("what was found in the file of an import is not a message of the contract");
    }
    return plan;
  } catch (const json::exception& error) {
    return Damaged(error.what());
  }
}

}  // namespace deconvoy::server
