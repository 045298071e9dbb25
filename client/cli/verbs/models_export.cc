// deconvoy models export: writes a model's file.
#include <fmt/format.h>

#include <memory>
#include <span>
#include <string>

#include "client/cli/interrupt.h"
#include "client/cli/model_library.h"
#include "client/cli/model_names.h"
#include "client/cli/options/output_options.h"
#include "client/cli/session.h"
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "client/imageio/output_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct ExportOptions {
  std::string model;
  std::string output;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy models export rln-gfp -o rln-gfp.safetensors
      the newest version; rln-gfp@2 the second)";

absl::Status Export(const ExportOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const std::string name, ModelArgument(options.model));
  RETURN_IF_ERROR(imageio::CheckPlace(options.output));
  const std::stop_token stop = TakeInterrupts();
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::Model model, client.GetModel(name, stop));
  ASSIGN_OR_RETURN(const std::string file, DownloadModelFile(client, model, stop));
  ASSIGN_OR_RETURN(const std::unique_ptr<imageio::OutputFile> output,
                   imageio::OutputFile::Create(options.output, static_cast<int64_t>(file.size()), true));
  RETURN_IF_ERROR(output->WriteAt(0, std::as_bytes(std::span(file))));
  RETURN_IF_ERROR(output->Commit());
  console.Say(fmt::format("wrote {}: {}", Printable(options.output), ShortModelName(model.name())));
  if (console.json) console.Json({{"event", "written"}, {"file", options.output}, {"model", model.name()}});
  return absl::OkStatus();
}

}  // namespace

void AddModelsExport(CLI::App& group, Program& program) {
  AddVerb<ExportOptions>(
      group, program, "export", "Write a model's file.", kExamples,
      [&program](CLI::App& verb, ExportOptions& options) {
        verb.add_option("MODEL", options.model, "NAME for its newest version, or NAME@N")
            ->type_name("MODEL")
            ->required();
        verb.add_option("-o,--output", options.output, std::string("File to write") + kReplaced)
            ->type_name("FILE")
            ->required();
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const ExportOptions& options) { return Export(options, program.console); });
}

}  // namespace deconvoy::client
