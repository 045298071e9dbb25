// deconvoy psf show: one PSF of the library, and how its versions differ.
#include <absl/time/clock.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/json.h"
#include "client/cli/options/optics_options.h"
#include "client/cli/options/output_options.h"
#include "client/cli/psf_names.h"
#include "client/cli/psf_widths.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/verbs/psf_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct ShowOptions {
  std::string psf;
  bool history = false;
  std::string output;
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy psf show gfp-60x
      what is known of the newest version; gfp-60x@2 of the second
  deconvoy psf show gfp-60x -o psf.ome.tif
      the stack, too
  deconvoy psf show gfp-60x --history
      the widths of every version, as a worker measures them, and how they have changed)";

// The fields that are set: "na 1.4, emission_um 0.52".
std::string OpticsText(const v1::Optics& optics) {
  std::vector<std::string> texts;
  const auto* reflection = v1::Optics::GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(optics, &fields);
  for (const auto* field : fields) {
    if (field->is_repeated()) continue;
    const bool flag = field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_BOOL;
    texts.push_back(flag ? field->name() : fmt::format("{} {:g}", field->name(), reflection->GetDouble(optics, field)));
  }
  for (const v1::ZernikeTerm& term : optics.zernike())
    texts.push_back(fmt::format("zernike {}={:g}", term.noll(), term.rms_waves()));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string Hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::vector<std::string> Details(const v1::Psf& psf) {
  const v1::VoxelSize& voxel = psf.spec().voxel_size();
  std::vector<std::string> lines = {
      ShortPsfName(psf.name()), "created:     " + TimeText(psf.create_time()),
      "stack:       " + ShapeText(psf.spec()) +
          fmt::format(", voxels of {:g} x {:g} x {:g} um (z,y,x)", voxel.z_um(), voxel.y_um(), voxel.x_um()),
      "volume:      " + Printable(psf.volume()), "SHA-256:     " + Hex(psf.spec().digest())};
  if (!psf.job().empty()) lines.push_back("made by:     " + Printable(psf.job()));
  if (!psf.description().empty()) lines.push_back("description: " + Printable(psf.description()));
  if (!psf.optics().empty()) lines.push_back("microscope:  " + MicroscopyName(psf.microscopy()));
  for (const v1::Optics& optics : psf.optics()) lines.push_back("optics:      " + OpticsText(optics));
  return lines;
}

class Showing {
 public:
  Showing(const ShowOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    ASSIGN_OR_RETURN(const std::string name, PsfArgument(options_.psf));
    RETURN_IF_ERROR(RequireServer(options_.server).status());
    if (!options_.output.empty()) RETURN_IF_ERROR(imageio::CheckWritable(options_.output));
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = DoWith(*session, name);
    if (!IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  absl::Status DoWith(Session& session, const std::string& name) {
    ASSIGN_OR_RETURN(const v1::Psf psf, session.client().GetPsf(name, stop_));
    if (console_.json) console_.Json(ToJson(psf));
    for (const std::string& line : Details(psf)) console_.Say(line);
    if (options_.history) RETURN_IF_ERROR(ShowHistory(session, psf));
    if (options_.output.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const v1::VolumeSpec spec,
                     DownloadImage(session.client(), psf.volume(), options_.output,
                                   ToWriteOptions(options_.image_output), *progress_, stop_));
    progress_->Clear();
    console_.Say(fmt::format("wrote {}: {}", Printable(options_.output), ShapeText(spec)));
    if (console_.json) console_.Json({{"event", "result"}, {"output", options_.output}});
    return absl::OkStatus();
  }

  // Oldest first: each against the one before it.
  absl::Status ShowHistory(Session& session, const v1::Psf& psf) {
    ASSIGN_OR_RETURN(const PsfId id, ParsePsfName(psf.name(), "psf"));
    ASSIGN_OR_RETURN(std::vector<v1::Psf> versions, session.client().ListPsfs(PsfName({id.id, 0}), stop_));
    std::vector<std::vector<std::string>> rows;
    std::map<std::pair<uint32_t, uint32_t>, PsfWidths> before;
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
      v1::CheckPsfSpec check;
      check.set_psf_volume(version->volume());
      const auto quiet =
          MakeProgress({.out = console_.out, .err = console_.err, .quiet = true}, [] { return absl::Now(); });
      ASSIGN_OR_RETURN(const v1::Job job, CheckPsf(session, check, leftovers_, *quiet, stop_));
      for (const PsfWidths& widths : WidthsOf(job, version->spec().voxel_size())) {
        rows.push_back(Row(*version, widths, before));
        before[{widths.t, widths.c}] = widths;
      }
    }
    progress_->Clear();
    SayTable(console_, {"VERSION", "CREATED", "CHANNEL", "WIDTHS (z, y, x)", "AGAINST THE ONE BEFORE"}, rows, "");
    return absl::OkStatus();
  }

  std::vector<std::string> Row(const v1::Psf& version, const PsfWidths& widths,
                               const std::map<std::pair<uint32_t, uint32_t>, PsfWidths>& before) const {
    const auto old = before.find({widths.t, widths.c});
    if (console_.json) {
      console_.Json({{"event", "widths"},
                     {"psf", version.name()},
                     {"channel", widths.c},
                     {"unit", widths.in_um ? "um" : "voxels"},
                     {"fwhm", {widths.z, widths.y, widths.x}}});
    }
    return {ShortPsfName(version.name()), TimeText(version.create_time()), fmt::to_string(widths.c), WidthsText(widths),
            old == before.end() ? "" : DriftText(widths, old->second)};
  }

  const ShowOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
};

}  // namespace

void AddPsfShow(CLI::App& group, Program& program) {
  AddVerb<ShowOptions>(
      group, program, "show", "Show one PSF that the server keeps.", kExamples,
      [&program](CLI::App& verb, ShowOptions& options) {
        verb.add_option("PSF", options.psf, "NAME for its newest version, or NAME@N")->type_name("PSF")->required();
        verb.add_flag("--history", options.history,
                      "Have a worker measure the widths of all versions, and say how they have changed");
        verb.add_option("-o,--output", options.output, std::string("Write the stack, too") + kReplaced)
            ->type_name("FILE");
        AddServerOption(verb, options.server);
        AddCompressOption(verb, options.server);
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
      },
      [&program](const ShowOptions& options) { return Showing(options, program.console).Do(); });
}

}  // namespace deconvoy::client
