#include "client/cli/model_names.h"

#include <absl/strings/ascii.h>
#include <absl/strings/strip.h>
#include <fmt/format.h>

#include <filesystem>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

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

bool IsModelFile(std::string_view text) {
  return text.find_first_of("/.") != std::string_view::npos && !ModelArgument(text).ok();
}

absl::StatusOr<std::string> ModelIdOfFile(std::string_view file) {
  const std::string own = absl::AsciiStrToLower(std::filesystem::path(file).filename().string());
  std::string id;
  for (const char c : absl::StripSuffix(own, ".safetensors")) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      id += c;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  while (id.ends_with('-')) id.pop_back();
  if (IsPsfId(id)) return id;
  return UsageError(fmt::format("'{}' gives no name for the library's model: '{}' is none", Printable(file), id),
                    "Give the file a name that begins with a letter and has at most 63 letters, digits and -, or keep "
                    "its model on a server under a name of your choice: deconvoy models import NAME FILE");
}

absl::StatusOr<std::string> NetworkArgument(std::string_view text) {
  if (!IsModelFile(text)) return ModelArgument(text);
  ASSIGN_OR_RETURN(const std::string id, ModelIdOfFile(text));
  return ModelName({id, 0});
}

std::string ShortModelName(const std::string& name) {
  const absl::StatusOr<ModelId> model = ParseModelName(name, "model");
  if (!model.ok() || model->version == 0) return name;
  return fmt::format("{}@{}", ModelName({model->id, 0}), model->version);
}

}  // namespace deconvoy::client
