// deconvoy models import: brings a model's file to the server.
#include <absl/time/clock.h>

#include <memory>
#include <string>

#include "client/cli/interrupt.h"
#include "client/cli/model_library.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/session.h"
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/psf_library.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct ImportOptions {
  std::string name;
  std::string file;
  std::string descriptor;
  std::string description;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy models import rln-gfp rln-gfp.safetensors
      has a worker check the file, and keeps it as the next version of models/rln-gfp
  deconvoy models import care-nuclei net.pt --descriptor rdf.yaml
      the same of a TorchScript model, which only an administrator may bring)";

class Importing {
 public:
  Importing(const ImportOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    ASSIGN_OR_RETURN(const std::string id, NewModelId(options_.name));
    RETURN_IF_ERROR(WithExitCode(ValidateLibraryDescription(options_.description), ExitCode::kUsage));
    RETURN_IF_ERROR(RequireServer(options_.server).status());
    ASSIGN_OR_RETURN(file_, ReadModelFile(options_.file, "FILE"));
    RETURN_IF_ERROR(AddDescriptor(options_.descriptor, file_));
    RETURN_IF_ERROR(CheckBeginning(file_));
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = DoWith(*session, id);
    if (!IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  absl::Status DoWith(Session& session, const std::string& id) {
    ASSIGN_OR_RETURN(const v1::Model model,
                     ImportModel(session, file_, id, options_.description, leftovers_, *progress_, stop_));
    progress_->Clear();
    SayKept(model, console_);
    return absl::OkStatus();
  }

  const ImportOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  ModelFile file_;
  Leftovers leftovers_;
};

}  // namespace

void AddModelsImport(CLI::App& group, Program& program) {
  AddVerb<ImportOptions>(
      group, program, "import", "Bring a model's file to the server.", kExamples,
      [&program](CLI::App& verb, ImportOptions& options) {
        verb.add_option("NAME", options.name, "Name; a model of this name gets one more version")
            ->type_name("MODEL")
            ->required();
        verb.add_option("FILE", options.file, "File that `models export` or torch.jit.save has written, at most 64 MiB")
            ->type_name("FILE")
            ->required();
        verb.add_option("--descriptor", options.descriptor,
                        "Of a TorchScript model: its resource description, rdf.yaml, as bioimage.io has them")
            ->type_name("FILE");
        verb.add_option("--description", options.description, "What people should know of it")->type_name("TEXT");
        AddServerOption(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const ImportOptions& options) { return Importing(options, program.console).Do(); });
}

}  // namespace deconvoy::client
