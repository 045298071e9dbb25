// Parameters as a client gives them, against a method as a worker describes it; neither is trusted.
#include <map>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/parameters.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/wire.h"

namespace deconvoy {
namespace {

bool CanBeRead(const v1::Parameter& parameter, const Parameters& values) {
  if (values.IsAuto(parameter.name())) {
    return parameter.automatic() && values.texts().at(parameter.name()) == kAutomatic;
  }
  switch (parameter.type()) {
    case v1::REAL: {
      const double value = values.Real(parameter.name());
      return value >= parameter.minimum() && value <= parameter.maximum();
    }
    case v1::INTEGER: {
      const auto value = static_cast<double>(values.Integer(parameter.name()));
      return value >= parameter.minimum() && value <= parameter.maximum();
    }
    case v1::BOOLEAN:
      return values.Boolean(parameter.name()) == (values.texts().at(parameter.name()) == "true");
    default:
      return !values.Choice(parameter.name()).empty() || parameter.choices_size() > 0;
  }
}

}  // namespace
}  // namespace deconvoy

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  fuzz::Input input(data, size);
  v1::Method method;
  v1::DeconvolveSpec spec;
  if (!fuzz::ParseTwo(input, method, spec)) return 0;
  const auto resolved = ResolveParameters(method, {spec.parameters().begin(), spec.parameters().end()});
  if (!resolved.ok()) {
    fuzz::CheckRefusal(resolved.status());
    return 0;
  }
  for (const auto& parameter : method.parameters()) {
    fuzz::Require(CanBeRead(parameter, *resolved), "an accepted value can be read and is in its range");
  }
  MemoryOf(method, *resolved);
  return 0;
}
