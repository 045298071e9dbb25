// deconvoy completion and deconvoy help-markdown: what is made from the parser itself.
#include "client/cli/option_model.h"
#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {
namespace {

struct CompletionOptions {
  std::string shell;
};

constexpr char kExamples[] = R"(  source <(deconvoy completion bash)
      completion in this shell
  deconvoy completion zsh > ~/.zfunc/_deconvoy)";

}  // namespace

void AddCompletion(CLI::App& root, Program& program) {
  AddVerb<CompletionOptions>(
      root, program, "completion", "Print a completion script for a shell.", kExamples,
      [](CLI::App& verb, CompletionOptions& options) {
        verb.add_option("SHELL", options.shell, "Shell to complete in")
            ->check(CLI::IsMember({"bash", "zsh", "fish"}))
            ->type_name("")
            ->required();
      },
      [&root, &program](const CompletionOptions& options) {
        program.console.out << CompletionScript(ModelOf(root), options.shell);
        return absl::OkStatus();
      });
}

void AddHelpMarkdown(CLI::App& root, Program& program) {
  CLI::App* verb = root.add_subcommand("help-markdown", "Print docs/cli.md")->group("");
  verb->callback([&root, &program] {
    program.action = [&root, &program] {
      program.console.out << MarkdownPage(ModelOf(root));
      return absl::OkStatus();
    };
  });
}

}  // namespace deconvoy::client
