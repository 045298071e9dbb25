// deconvoy picture: stacks side by side, for looking at.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <algorithm>

#include "client/cli/figures/picture.h"
#include "client/cli/interrupt.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/projections.h"
#include "client/cli/verbs/verbs.h"
#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct PictureOptions {
  std::vector<std::string> files;
  std::string output;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy picture raw.tif truth.tif out.tif -o before-truth-after.png
      one column per stack; maximum projections along z (xy) and along y (xz) of the first time point; black is the
      smallest value of the xy projection, white its 99.8th percentile)";

using Columns = std::vector<std::vector<ChannelPanels>>;

// For every channel a row of xy panels and one of xz panels in the same contrast; a stack with fewer channels leaves
// its place empty.
std::vector<std::vector<Panel>> Rows(Columns& columns) {
  size_t channels = 0;
  for (const auto& column : columns) channels = std::max(channels, column.size());
  std::vector<std::vector<Panel>> rows;
  for (size_t c = 0; c < channels; ++c) {
    std::vector<Panel> xy, xz;
    for (auto& column : columns) {
      if (c < column.size()) column[c].xz.contrast = ContrastOf(column[c].xy);
      xy.push_back(c < column.size() ? std::move(column[c].xy) : Panel());
      xz.push_back(c < column.size() ? std::move(column[c].xz) : Panel());
    }
    rows.push_back(std::move(xy));
    if (std::any_of(xz.begin(), xz.end(), [](const Panel& panel) { return !panel.pixels.empty(); }))
      rows.push_back(std::move(xz));
  }
  return rows;
}

absl::Status Draw(const PictureOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  RETURN_IF_ERROR(CheckPicture(options.output, "-o", options.files));
  for (const std::string& file : options.files) RETURN_IF_ERROR(imageio::OpenImage(file).status());
  ASSIGN_OR_RETURN(const auto session, Session::Open(options.server, *progress, stop));
  Leftovers leftovers;
  Columns columns;
  absl::Status status;
  for (size_t i = 0; i < options.files.size() && status.ok(); ++i) {
    auto panels = ProjectStack(*session, options.files[i], leftovers, *progress, stop);
    status = session->Explain(panels.status());
    if (!status.ok()) status = WithExitCode(AddContext(status, Printable(options.files[i])), ExitCodeOf(status));
    if (panels.ok()) columns.push_back(*std::move(panels));
  }
  if (!session->local() && !IsRetryable(status)) leftovers.Remove(session->client(), *progress);
  progress->Clear();
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(WritePicture(options.output, Rows(columns)));
  console.Say("wrote " + Printable(options.output));
  if (console.json) console.Json({{"event", "result"}, {"output", options.output}});
  return absl::OkStatus();
}

}  // namespace

void AddPicture(CLI::App& root, Program& program) {
  AddVerb<PictureOptions>(
      root, program, "picture", "Draw projections of stacks side by side into a PNG.", kExamples,
      [&program](CLI::App& verb, PictureOptions& options) {
        verb.add_option("FILE", options.files, "Stacks")->type_name("FILE")->required();
        verb.add_option("-o,--output", options.output, std::string("Picture to write: .png") + kReplaced)
            ->type_name("FILE")
            ->required();
        AddServerOrLocalOptions(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const PictureOptions& options) { return Draw(options, program.console); });
}

}  // namespace deconvoy::client
