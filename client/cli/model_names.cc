#include "client/cli/model_names.h"

#include <fmt/format.h>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"

namespace deconvoy::client {

absl::StatusOr<std::string> ModelArgument(std::string_view text) {
  std::string name = text.starts_with("models/") ? std::string(text) : fmt::format("models/{}", text);
  if (const size_t at = name.find('@'); at != std::string::npos) name.replace(at, 1, "/versions/");
  const absl::StatusOr<ModelId> model = ParseModelName(name, "model");
  if (model.ok()) return ModelName(*model);
  return UsageError(fmt::format("'{}' is not the name of a model", Printable(text)),
                    "Give NAME or NAME@N, for instance rln-gfp or rln-gfp@2: up to 63 lower-case letters, digits and "
                    "-, the first of them a letter.");
}

std::string ShortModelName(const std::string& name) {
  const absl::StatusOr<ModelId> model = ParseModelName(name, "model");
  if (!model.ok() || model->version == 0) return name;
  return fmt::format("{}@{}", ModelName({model->id, 0}), model->version);
}

}  // namespace deconvoy::client
