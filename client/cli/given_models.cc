#include "client/cli/given_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "client/cli/model_names.h"
#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr char kOption[] = "--network";

absl::StatusOr<ModelFile> Open(const std::string& path, const std::string& id) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return MakeError({.reason = v1::NOT_FOUND,
                      .field = kOption,
                      .remedy = fmt::format(
                          "Check the path, or give {} {} where a model of the server's library is meant.", kOption, id),
                      .metadata = {{"path", path}}},
                     fmt::format("there is no file {}", Printable(path)));
  }
  ASSIGN_OR_RETURN(ModelFile file, ReadModelFile(path, kOption));
  if (file.spec.format() == v1::TORCHSCRIPT) {
    return MakeError(
        {.reason = v1::BAD_MODEL,
         .field = kOption,
         .remedy = fmt::format("If it is TorchScript, have an administrator keep it with `deconvoy models import {} "
                               "FILE --descriptor rdf.yaml`; what torch.save writes is never read.",
                               id),
         .metadata = {{"path", path}}},
        fmt::format("{} is an archive of PyTorch: a program or a pickle, and no model of numbers only",
                    Printable(path)));
  }
  RETURN_IF_ERROR(CheckBeginning(file));
  return file;
}

// Where a file may have been meant by a name of the library; else empty.
std::string FileOfThisName(const std::string& id) {
  for (const std::string& file : {id, id + ".safetensors"}) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(file, ignored)) return fmt::format("./{}", file);
  }
  return "";
}

// The version that holds a file of this digest; empty where none does.
absl::StatusOr<std::string> VersionWith(const Client& client, const std::string& digest, const std::stop_token& stop) {
  const auto find = [&digest](const std::vector<v1::Model>& models) -> std::string {
    const auto found = std::ranges::find_if(models, [&](const auto& one) { return one.facts().digest() == digest; });
    return found == models.end() ? "" : found->name();
  };
  ASSIGN_OR_RETURN(const std::vector<v1::Model> newest, client.ListModels("", stop));
  if (std::string name = find(newest); !name.empty()) return name;
  for (const v1::Model& model : newest) {
    ASSIGN_OR_RETURN(const ModelId id, ParseModelName(model.name(), "model"));
    if (id.version == 1) continue;
    const auto versions = client.ListModels(ModelName({id.id, 0}), stop);
    if (absl::IsNotFound(versions.status())) continue;  // gone since
    RETURN_IF_ERROR(versions.status());
    if (std::string name = find(*versions); !name.empty()) return name;
  }
  return "";
}

absl::StatusOr<std::string> Bring(Session& session, const GivenModel& given, bool stay, Leftovers& leftovers,
                                  Progress& progress, const std::stop_token& stop) {
  const std::string file = Printable(given.file.path.string());
  const auto say = [&](std::string_view what, const std::string& model) {
    if (!session.local()) progress.Say({.message = fmt::format("{} {} {}", file, what, ShortModelName(model))});
  };
  ASSIGN_OR_RETURN(std::string known, VersionWith(session.client(), given.file.Digest(), stop));
  if (!known.empty()) {
    say("is in the library, as", known);
    return known;
  }
  const auto model = ImportModel(session, given.file, given.id, "", leftovers, progress, stop);
  if (!model.ok()) return WithExitCode(AddContext(model.status(), file), ExitCodeOf(model.status()));
  if (!stay) leftovers.AddModel(model->name());
  if (stay) say("is kept as", model->name());
  return model->name();
}

}  // namespace

absl::StatusOr<std::vector<GivenModel>> OpenGivenModels(const std::vector<std::string>& networks) {
  std::vector<GivenModel> given;
  for (size_t i = 0; i < networks.size(); ++i) {
    if (!IsModelFile(networks[i])) continue;
    GivenModel model{.place = static_cast<int>(i), .id = {}, .file = {}};
    ASSIGN_OR_RETURN(model.id, ModelIdOfFile(networks[i]));
    ASSIGN_OR_RETURN(model.file, Open(networks[i], model.id));
    given.push_back(std::move(model));
  }
  return given;
}

absl::Status CheckNamedModels(const Session& session, const v1::DeconvolveSpec& deconvolve,
                              const std::vector<GivenModel>& given, const std::stop_token& stop) {
  for (int i = 0; i < deconvolve.models_size(); ++i) {
    if (std::ranges::any_of(given, [i](const GivenModel& model) { return model.place == i; })) continue;
    const std::string& name = deconvolve.models(i);
    ASSIGN_OR_RETURN(const ModelId id, ParseModelName(name, "deconvolve.models"));
    const std::string file = FileOfThisName(id.id);
    if (session.local()) {
      return UsageError(
          fmt::format("{} is a model of a server's library, and a local server has none", ShortModelName(name)),
          file.empty() ? "Name the server that keeps it with --server, or give the model's file."
                       : fmt::format("Name the server that keeps it with --server; the file of this name "
                                     "is {}.",
                                     file));
    }
    const absl::Status found = session.client().GetModel(name, stop).status();
    if (!absl::IsNotFound(found) || file.empty()) {
      RETURN_IF_ERROR(found);
      continue;
    }
    return MakeError({.reason = v1::NOT_FOUND,
                      .field = "deconvolve.models",
                      .remedy = fmt::format("Give {} {} for the file of this name; `deconvoy models list` tells which "
                                            "models there are.",
                                            kOption, file)},
                     fmt::format("there is no model {}", ShortModelName(name)));
  }
  return absl::OkStatus();
}

absl::Status CheckTakesModels(const v1::DeconvolveSpec& deconvolve, const v1::Method& method,
                              const std::vector<v1::Method>& offered) {
  if (deconvolve.models().empty()) return absl::OkStatus();
  if (!method.needs_models() && !method.takes_denoiser()) {
    return UsageError(fmt::format("{} is given, but the method '{}' uses no model", kOption, method.name()),
                      fmt::format("Leave it out, or choose --method {}.", kNetworkMethod));
  }
  const auto network =
      std::ranges::find_if(offered, [](const v1::Method& one) { return one.name() == kNetworkMethod; });
  if (network == offered.end() || network->unavailable().empty()) return absl::OkStatus();
  return MakeError({.reason = v1::NO_WORKER,
                    .field = "deconvolve.models",
                    .remedy = "Use a worker that was built with LibTorch (-DDECONVOY_TORCH=ON)."},
                   fmt::format("no worker can run models: {}", Printable(network->unavailable())));
}

absl::Status BringModels(Session& session, const std::vector<GivenModel>& given, bool stay,
                         v1::DeconvolveSpec& deconvolve, Leftovers& leftovers, Progress& progress,
                         const std::stop_token& stop) {
  for (const GivenModel& model : given) {
    ASSIGN_OR_RETURN(*deconvolve.mutable_models(model.place), Bring(session, model, stay, leftovers, progress, stop));
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::client
