#include "worker/config/describe.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <utility>

#include "worker/pipeline/offered_methods.h"

namespace deconvoy::worker {
namespace {

std::string RangeOf(const v1::Parameter& parameter) {
  switch (parameter.type()) {
    case v1::REAL:
    case v1::INTEGER:
      return fmt::format("{:.10g} to {:.10g}", parameter.minimum(), parameter.maximum());
    case v1::CHOICE: {
      std::string names;
      for (const v1::ParameterChoice& choice : parameter.choices()) {
        names += (names.empty() ? "" : " | ") + choice.name();
      }
      return names;
    }
    default:
      return "true | false";
  }
}

std::string ToText(const v1::Method& method) {
  std::string text =
      fmt::format("{}  {} ({} noise)\n  {}\n", method.name(), method.title(), method.noise_model(), method.summary());
  for (const v1::Parameter& parameter : method.parameters()) {
    const std::string range = RangeOf(parameter) + (parameter.automatic() ? ", or auto" : "");
    text += fmt::format("  {:<16} {:<28} default {:<12} {}\n", parameter.name(), range, parameter.default_value(),
                        parameter.meaning());
  }
  return text;
}

}  // namespace

v1::ListMethodsResponse DescribeMethods() {
  v1::ListMethodsResponse response;
  for (v1::Method& method : OfferedMethods()) *response.add_methods() = std::move(method);
  return response;
}

std::string ToText(const v1::ListMethodsResponse& methods) {
  std::string text;
  for (const v1::Method& method : methods.methods()) text += ToText(method) + '\n';
  return text;
}

std::string ToJson(const v1::ListMethodsResponse& methods) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Only bytes that are not UTF-8 can fail, and descriptions are constants.
  if (!google::protobuf::util::MessageToJsonString(methods, &json, options).ok()) return {};
  return json;
}

}  // namespace deconvoy::worker
