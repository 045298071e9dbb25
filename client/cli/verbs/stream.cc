// deconvoy stream: deconvolve while the microscope records.
#include <absl/time/clock.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "client/cli/deconvolve_inputs.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_follow.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/recording.h"
#include "client/cli/report.h"
#include "client/cli/session_file.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr char kStandardInput[] = "-";

struct StreamOptions {
  InputOptions inputs;  // `input` is where planes come from
  std::string output;
  std::string session;     // empty: a new one
  std::string shape;       // T,C,Z, or T,C,Z,Y,X
  std::string plane_type;  // empty: as the files tell
  std::string order = "tcz";
  double settle_s = 0.5, idle_timeout_s = 300;
  double buffer_mib = 256;
  uint32_t first_planes = 0;  // 0: as many as is usual
  DeconvolutionOptions deconvolution;
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] =
    R"(  deconvoy stream /data/today --shape 20,1,60 --psf psf.tif -o out.ome.tif --server localhost:7450
      20 time points of 60 planes from the TIFF files that appear in a folder, in the order of their names
  deconvoy stream run7.tif --shape 1,2,60 --order tzc --psf psf.tif -o out.tif --background 12
      the pages that are appended to a TIFF, channels changing fastest
  camera | deconvoy stream - --shape 1,1,60,512,512 --plane-dtype u16 --voxel-um 0.3,0.1,0.1 --psf psf.tif -o out.tif
      raw planes
  deconvoy stream /data/today -o out.ome.tif --session 5f0c
      go on with a recording that was broken off)";

absl::StatusOr<v1::VoxelType> PlaneType(const std::string& name) {
  if (name == "u8") return v1::U8;
  if (name == "u16") return v1::U16;
  if (name == "f32") return v1::F32;
  return UsageError("--plane-dtype is missing", "Say what the raw planes on standard input are: u8, u16 or f32.");
}

// `T,C,Z` or `T,C,Z,Y,X`.
absl::StatusOr<std::vector<int64_t>> ParseShape(const std::string& text) {
  constexpr int64_t kMost = int64_t{1} << 20;
  const absl::Status wrong = UsageError(
      text.empty() ? "--shape is missing" : fmt::format("--shape '{}' is not T,C,Z or T,C,Z,Y,X", Printable(text)),
      "Say how much is recorded: time points, channels, planes, and rows and columns for raw planes.");
  std::vector<int64_t> numbers;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    int64_t number = 0;
    const auto [rest, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || rest != part.data() + part.size() || number < 1 || number > kMost) return wrong;
    numbers.push_back(number);
  }
  if (numbers.size() != 3 && numbers.size() != 5) return wrong;
  return numbers;
}

// One stream from a source to a file.
class Streaming {
 public:
  Streaming(const StreamOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    RETURN_IF_ERROR(RequireServer(options_.server).status());
    RETURN_IF_ERROR(CheckFiles());
    if (!options_.session.empty()) {
      ASSIGN_OR_RETURN(header_, FindSession(options_.session));
    } else {
      RETURN_IF_ERROR(ReadShape());
      ASSIGN_OR_RETURN(models_, OpenGivenModels(options_.deconvolution.models));
    }
    ASSIGN_OR_RETURN(session_, Session::Open(options_.server, *progress_, stop_));
    session_->set_job_class(v1::INTERACTIVE);  // as the live job, which waits for its PSF
    RETURN_IF_ERROR(OpenFeed());
    ASSIGN_OR_RETURN(const auto stream, Begin());
    return Record(*stream);
  }

 private:
  absl::Status CheckFiles() const {
    const InputOptions& in = options_.inputs;
    RETURN_IF_ERROR(CheckOwnFile(options_.output, "-o", {in.input, in.psf, in.mask, in.flat_field}));
    if (IsSameFile(std::filesystem::absolute(options_.output).parent_path().string(), in.input)) {
      return UsageError(fmt::format("-o {} lies in the folder that is read", Printable(options_.output)),
                        "Write the result elsewhere: there it would be taken for a plane.");
    }
    return imageio::CheckWritable(options_.output);
  }

  bool raw() const { return options_.inputs.input == kStandardInput; }

  absl::Status ReadShape() {
    ASSIGN_OR_RETURN(shape_, ParseShape(options_.shape));
    if (raw() && shape_.size() != 5)
      return UsageError("--shape has no rows and columns", "Give T,C,Z,Y,X for raw planes.");
    if (raw()) return PlaneType(options_.plane_type).status();
    if (options_.plane_type.empty()) return absl::OkStatus();
    return UsageError("--plane-dtype is for raw planes on standard input", "Leave it out: the files tell.");
  }

  absl::Status OpenFeed() {
    const absl::Duration settle = absl::Seconds(options_.settle_s);
    const std::string& source = options_.inputs.input;
    std::error_code ignored;
    if (raw()) {
      v1::VolumeSpec plane;
      if (header_.session().empty()) {
        ASSIGN_OR_RETURN(const v1::VoxelType type, PlaneType(options_.plane_type));
        plane.set_type(type);
        *plane.mutable_shape() = ToProto(Shape5{1, 1, 1, shape_[3], shape_[4]});
        plane.set_display_name("standard input");
      } else {
        plane = header_.input();
      }
      feed_ = ReadRaw(STDIN_FILENO, plane);
    } else if (std::filesystem::is_directory(source, ignored)) {
      feed_ = WatchFolder(source, settle, options_.order == "tzc", [] { return absl::Now(); });
    } else {
      const std::filesystem::path folder = std::filesystem::absolute(source, ignored).parent_path();
      if (!std::filesystem::is_directory(folder, ignored)) {
        return MakeError({.reason = v1::NOT_FOUND, .remedy = "Check the name."},
                         fmt::format("{}: neither a folder nor a file in a folder that is there", Printable(source)));
      }
      feed_ = WatchTiff(source, settle, [] { return absl::Now(); });
    }
    return absl::OkStatus();
  }

  // What the first plane tells, once it is there.
  absl::StatusOr<FeedStart> AwaitStart() {
    const absl::Time begin = absl::Now();
    for (;;) {
      ASSIGN_OR_RETURN(auto start, feed_->Start());
      if (start) return *std::move(start);
      if (stop_.stop_requested()) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
      if (absl::Now() - begin >= absl::Seconds(options_.idle_timeout_s)) {
        return WithExitCode(
            absl::DeadlineExceededError(fmt::format("no plane has come for {:g} s; waited for {}",
                                                    options_.idle_timeout_s, Printable(feed_->AwaitedText()))),
            ExitCode::kInvalidInput);
      }
      progress_->Show({.phase = "wait for the first plane"});
      absl::SleepFor(absl::Milliseconds(10));
    }
  }

  // Makes the header of a new session, and uploads the PSF and what else the job needs beside the image.
  absl::Status Describe(Leftovers& volumes) {
    ASSIGN_OR_RETURN(v1::DeconvolveSpec deconvolve, ToSpec(options_.deconvolution));
    deconvolve.set_first_planes(options_.first_planes);
    ASSIGN_OR_RETURN(FeedStart start, AwaitStart());
    const std::vector<int64_t>& n = shape_;
    const Shape5 plane{1, 1, 1, start.plane.shape().y(), start.plane.shape().x()};
    if (n.size() == 5 && (n[3] != plane.y || n[4] != plane.x)) {
      return MakeError({.reason = v1::SHAPE_MISMATCH, .remedy = "Give the extents of the planes, or T,C,Z only."},
                       fmt::format("--shape says planes of {} rows of {}, but the first has {} rows of {}", n[3], n[4],
                                   plane.y, plane.x));
    }
    InputImage image{.reader = nullptr, .spec = start.plane};
    *image.spec.mutable_shape() = ToProto(Shape5{n[0], n[1], n[2], plane.y, plane.x});
    RETURN_IF_ERROR(ToShape(image.spec.shape(), image.spec.type(), "--shape").status());
    if (options_.inputs.voxel_um) *image.spec.mutable_voxel_size() = *options_.inputs.voxel_um;
    ASSIGN_OR_RETURN(DeconvolveInputs inputs,
                     OpenInputsOf(std::move(image), start.acquisition, options_.inputs, deconvolve, *progress_));
    inputs.models = std::move(models_);
    RETURN_IF_ERROR(SetRegion(options_.deconvolution.region, inputs.image.spec, deconvolve));
    RETURN_IF_ERROR(CheckWithServer(*session_, deconvolve, stop_, inputs));
    ASSIGN_OR_RETURN(*header_.mutable_job(),
                     UploadCompanions(*session_, inputs, std::move(deconvolve), volumes, *progress_, stop_));
    *header_.mutable_input() = inputs.image.spec;
    return absl::OkStatus();
  }

  // Opens the session. What was uploaded for one that could not be opened is removed again.
  absl::StatusOr<std::unique_ptr<AcquisitionStream>> Begin() {
    Leftovers volumes;
    auto stream = [&]() -> absl::StatusOr<std::unique_ptr<AcquisitionStream>> {
      if (header_.session().empty()) RETURN_IF_ERROR(Describe(volumes));
      AcquisitionOptions open;
      open.session = header_.session();
      open.buffer_bytes = static_cast<int64_t>(options_.buffer_mib * 1024 * 1024);
      return AcquisitionStream::Open(session_->client(), header_.input(), header_.job(), open);
    }();
    if (!stream.ok() && !IsRetryable(stream.status())) volumes.Remove(session_->client(), *progress_);
    return stream;
  }

  absl::Status Record(AcquisitionStream& stream) {
    const Client& client = session_->client();
    header_.set_session(stream.session());
    header_.set_results(true);
    // Recording matters more than to be able to go on with it.
    if (const absl::Status kept = KeepSession(header_); !kept.ok()) {
      progress_->Say({.message = "the session cannot be taken up again: " + Printable(std::string(kept.message())),
                      .severity = "warning"});
    }
    if (stream.opened().estimate().empty()) {  // as of a job that has failed
      ForgetSession(header_.session());
      RETURN_IF_ERROR(OutcomeOf(stream.opened().job()));
    }
    ASSIGN_OR_RETURN(const v1::Volume estimate, client.GetVolume(stream.opened().estimate(), stop_));
    const absl::Status recorded = RecordInto(stream, estimate.spec());
    progress_->Clear();
    if (!recorded.ok() && !over_) {
      progress_->Say({.message = "the recording stays on the server; go on with: " + ResumeCommand()});
    }
    if (over_) ForgetSession(header_.session());
    return recorded;
  }

  absl::Status RecordInto(AcquisitionStream& stream, const v1::VolumeSpec& estimate) {
    ASSIGN_OR_RETURN(const auto result,
                     ResultFile::Create(options_.output, estimate, ToWriteOptions(options_.image_output)));
    const v1::SessionOpened& opened = stream.opened();
    progress_->Say({.message = fmt::format("session {}: {} of {} planes are on the server, job {}", stream.session(),
                                           stream.counts().planes_durable, stream.counts().planes_total,
                                           Printable(opened.job().name()))});
    Recording recording(
        *feed_, stream, *result, *progress_,
        {.channels_first = options_.order == "tzc", .idle_timeout = absl::Seconds(options_.idle_timeout_s)},
        [] { return absl::Now(); });
    absl::Status fed = recording.Feed(stop_);
    if (absl::IsDeadlineExceeded(fed)) fed = WithExitCode(fed, ExitCode::kInvalidInput);
    over_ = recording.ended().has_value();
    RETURN_IF_ERROR(fed);
    const auto ended = recording.AwaitEnd(stop_);
    over_ = recording.ended().has_value();
    if (!ended.ok() && over_ && recording.ended()->state() == v1::SUCCEEDED) {
      progress_->Say({.message = "the result is kept on the server: " +
                                 JobCommand("fetch", opened.job().name(), options_.server, "-o FILE")});
    }
    RETURN_IF_ERROR(ended.status());
    progress_->Clear();
    Report(*ended, estimate);
    return absl::OkStatus();
  }

  void Report(const v1::Job& job, const v1::VolumeSpec& estimate) const {
    for (const std::string& line : JobReport(job)) console_.Say(line);
    console_.Say(fmt::format("wrote {}: {}", Printable(options_.output), ShapeText(estimate)));
    console_.Remark(fmt::format("on the server: {} with {}", Printable(job.name()),
                                Printable(job.spec().deconvolve().input_volume())));
    if (console_.json) console_.Json({{"event", "result"}, {"output", options_.output}, {"job", ToJson(job)}});
  }

  std::string ResumeCommand() const {
    std::string text = fmt::format("deconvoy stream {} -o {} --session {}", Printable(options_.inputs.input),
                                   Printable(options_.output), header_.session());
    if (options_.order != "tcz") text += " --order " + options_.order;
    if (!options_.server.server.empty()) text += " --server " + Printable(options_.server.server);
    return text;
  }

  const StreamOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<PlaneFeed> feed_;
  std::vector<int64_t> shape_;      // of a new session: T,C,Z, or T,C,Z,Y,X
  std::vector<GivenModel> models_;  // of a new session, until it is described
  v1::DeconvolveHeader header_;     // without a session until there is one
  bool over_ = false;               // the job has ended
};

void AddSourceOptions(CLI::App& verb, StreamOptions& options) {
  verb.add_option(
          "INPUT", options.inputs.input,
          "Where planes come from: a folder that is filled with TIFF files, a TIFF to which pages are appended, "
          "or - for raw planes on standard input")
      ->type_name("FILE")
      ->required();
  verb.add_option("-o,--output", options.output, std::string("Result: .ome.tif or .tif") + kReplaced)
      ->type_name("FILE")
      ->required();
  verb.add_option(
          "--shape", options.shape,
          "How much is recorded: time points, channels and planes of a stack as T,C,Z, and rows and columns, too, "
          "for raw planes, as T,C,Z,Y,X")
      ->type_name("T,C,Z");
  verb.add_option("--plane-dtype", options.plane_type, "What raw planes consist of, little endian")
      ->check(CLI::IsMember({"u8", "u16", "f32"}))
      ->type_name("");
  verb.add_option("--order", options.order,
                  "Which axis changes fastest from plane to plane: the last; time always changes slowest")
      ->check(CLI::IsMember({"tcz", "tzc"}))
      ->type_name("")
      ->capture_default_str();
  verb.add_option(
          "--settle", options.settle_s,
          "Seconds for which a file must not change before it counts as written, where the system does not tell "
          "that it was closed")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S")
      ->capture_default_str();
  verb.add_option("--idle-timeout", options.idle_timeout_s, "Seconds without a plane after which the feeding stops")
      ->check(CLI::Range(0.0, 1e6))
      ->type_name("S")
      ->capture_default_str();
  verb.add_option("--first-planes", options.first_planes,
                  "Planes of the first time point in which background, saturation and bad pixels are found for all, "
                  "where they are not given [8]")
      ->check(CLI::Range(1U, 1048576U))
      ->type_name("N");
  verb.add_option("--buffer-mib", options.buffer_mib, "Memory in MiB for planes that are not on the server's disk yet")
      ->check(CLI::Range(1.0, 1048576.0))
      ->type_name("N")
      ->capture_default_str();
}

// A session that is taken up again was described when it was begun: only what has to do with this command is given.
void AddSessionOption(CLI::App& verb, StreamOptions& options) {
  static const std::set<std::string> kAlso = {"INPUT",          "--output",     "--order",  "--settle",
                                              "--idle-timeout", "--buffer-mib", "--server", "--compress",
                                              "--json",         "--quiet",      "--help"};
  const std::vector<CLI::Option*> others = verb.get_options();
  CLI::Option* session =
      verb.add_option("--session", options.session,
                      "Go on with a recording that was broken off, under the name that was told then: planes that the "
                      "server has are not sent again, what is to be computed is as it was")
          ->type_name("NAME");
  for (CLI::Option* other : others) {
    const std::string name = other->get_lnames().empty() ? other->get_name() : "--" + other->get_lnames().front();
    if (!kAlso.contains(name)) session->excludes(other);
  }
}

}  // namespace

void AddStream(CLI::App& root, Program& program) {
  AddVerb<StreamOptions>(
      root, program, "stream", "Deconvolve planes while they are recorded, on a server that outlasts the command.",
      kExamples,
      [&program](CLI::App& verb, StreamOptions& options) {
        AddSourceOptions(verb, options);
        AddCompanionOptions(verb, options.inputs);
        AddDeconvolutionOptions(verb, options.deconvolution);
        AddServerOption(verb, options.server);
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
        AddSessionOption(verb, options);
      },
      [&program](const StreamOptions& options) { return Streaming(options, program.console).Do(); });
}

}  // namespace deconvoy::client
