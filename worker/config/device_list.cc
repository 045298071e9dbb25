#include "worker/config/device_list.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/status_macros.h"
#include "worker/backends/cuda/devices.h"

namespace deconvoy::worker {
namespace {

std::string ListCuda() {
  if (!cuda::BuiltWithCuda()) return "cuda    not looked for: this build has no CUDA\n";
  const auto devices = cuda::ListDevices();
  if (!devices.ok()) return fmt::format("cuda    {}\n", LogText(devices.status()));
  std::string text = devices->empty() ? "cuda    no device\n" : "";
  for (const cuda::Device& device : *devices) {
    text += fmt::format("cuda {}  {}, {}\n", device.index, Printable(cuda::Describe(device)),
                        cuda::ToAccelerator(device).uuid());
  }
  return text;
}

}  // namespace

absl::StatusOr<v1::DeviceReport> ReportDevices() {
  ASSIGN_OR_RETURN(const std::vector<cuda::Device> devices, cuda::ListDevices());
  v1::DeviceReport report;
  for (const cuda::Device& device : devices) *report.add_accelerators() = cuda::ToAccelerator(device);
  return report;
}

std::string ToJson(const v1::DeviceReport& report) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Only bytes that are not UTF-8 can fail, and a driver's names have none.
  if (!google::protobuf::util::MessageToJsonString(report, &json, options).ok()) return {};
  return json;
}

std::string ListDevices(const Backend& processors) {
  return fmt::format("cpu     {}, {} threads\n", processors.device(), processors.threads()) + ListCuda();
}

}  // namespace deconvoy::worker
