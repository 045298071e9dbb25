#include "worker/methods/describe.h"

#include <fmt/format.h>

#include <string>

#include "proto/contract/deconvolution.h"
#include "proto/contract/parameters.h"

namespace deconvoy::worker {
namespace {

v1::Parameter& Add(v1::Method& method, v1::ParameterType type, std::string_view name, std::string_view default_value,
                   std::string_view meaning) {
  v1::Parameter& parameter = *method.add_parameters();
  parameter.set_name(std::string(name));
  parameter.set_type(type);
  parameter.set_default_value(std::string(default_value));
  parameter.set_meaning(std::string(meaning));
  return parameter;
}

}  // namespace

void AddIterations(v1::Method& method, int64_t default_value, std::string_view meaning) {
  AddInteger(method, kIterations, 1, 10000, default_value, meaning);
  MakeAutomatic(method);
}

void MakeAutomatic(v1::Method& method) {
  method.mutable_parameters(method.parameters_size() - 1)->set_automatic(true);
}

void AddInteger(v1::Method& method, std::string_view name, int64_t minimum, int64_t maximum, int64_t default_value,
                std::string_view meaning) {
  v1::Parameter& parameter = Add(method, v1::INTEGER, name, std::to_string(default_value), meaning);
  parameter.set_unit("1");
  parameter.set_minimum(static_cast<double>(minimum));
  parameter.set_maximum(static_cast<double>(maximum));
}

void AddAxialUpsample(v1::Method& method) {
  AddInteger(method, "axial_upsample", 1, kMostAxialUpsample, 1,
             "Planes of the result for each of the image; the PSF's planes lie as near as the result's");
}

void AddReal(v1::Method& method, std::string_view name, double minimum, double maximum, double default_value,
             std::string_view meaning, std::string_view unit) {
  v1::Parameter& parameter = Add(method, v1::REAL, name, fmt::format("{}", default_value), meaning);
  parameter.set_unit(std::string(unit));
  parameter.set_minimum(minimum);
  parameter.set_maximum(maximum);
}

void AddBoolean(v1::Method& method, std::string_view name, bool default_value, std::string_view meaning) {
  Add(method, v1::BOOLEAN, name, default_value ? "true" : "false", meaning);
}

void AddChoice(v1::Method& method, std::string_view name, std::string_view default_value, std::string_view meaning,
               const std::vector<Choice>& choices) {
  v1::Parameter& parameter = Add(method, v1::CHOICE, name, default_value, meaning);
  for (const Choice& choice : choices) {
    v1::ParameterChoice& added = *parameter.add_choices();
    added.set_name(std::string(choice.name));
    added.set_meaning(std::string(choice.meaning));
    added.set_extra_bytes_per_padded_voxel(choice.extra_bytes_per_padded_voxel);
  }
}

}  // namespace deconvoy::worker
