#include "server/jobs/job_plan.h"

#include <fmt/format.h>

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

}  // namespace

std::string EncodePlan(const JobPlan& plan) {
  const std::string analysis = plan.analysis.SerializeAsString();
  const json object = {
      {"tile_plan_version", kTilePlanVersion},
      {"core", ToJson(plan.tiles.core)},
      {"halo", ToJson(plan.tiles.halo)},
      {"padded", ToJson(plan.tiles.padded)},
      {"grid", ToJson(plan.tiles.grid)},
      {"memory_bytes", plan.tiles.memory_bytes},
      {"analysis", json::binary(std::vector<uint8_t>(analysis.begin(), analysis.end()))},
  };
  std::string bytes;
  json::to_cbor(object, bytes);
  return bytes;
}

absl::StatusOr<JobPlan> DecodePlan(const std::string& bytes) {
  try {
    const json object = json::from_cbor(bytes);
    const json::binary_t& analysis = object.at("analysis").get_binary();
    JobPlan plan;
    plan.tiles = {.core = ShapeAt(object, "core"),
                  .halo = ShapeAt(object, "halo"),
                  .padded = ShapeAt(object, "padded"),
                  .grid = ShapeAt(object, "grid"),
                  .memory_bytes = object.at("memory_bytes").get<int64_t>()};
    if (!plan.analysis.ParseFromArray(analysis.data(), static_cast<int>(analysis.size()))) {
      return Damaged("its analysis is not a message of the contract");
    }
    return plan;
  } catch (const json::exception& error) {
    return Damaged(error.what());
  }
}

}  // namespace deconvoy::server
