// deconvoy models train: has the server's workers train a network for a PSF, and keeps the model.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_follow.h"
#include "client/cli/json.h"
#include "client/cli/model_library.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/psf_names.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/psf_library.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct TrainOptions {
  std::string name;
  std::string network = "rln";
  std::string psf;
  std::string target = "truth";
  std::string method;
  std::vector<std::string> parameters;
  std::vector<std::string> images;
  std::vector<std::string> truths;
  std::vector<std::string> kinds;
  std::vector<std::string> held_out;
  double least_photons = 0, most_photons = 0, background = 0, read_noise = 0;
  double least_noise = 0, most_noise = 0;
  std::optional<v1::VoxelSize> voxel_um;
  std::optional<Voxel> patch;
  uint32_t steps = 0, parts = 0, batch = 0, patience = 0, specimens = 0, validation = 0;
  double learning_rate = 0;
  uint64_t seed = 1;
  bool probabilistic = false;
  bool leave = false;
  std::string description;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy models train rln-gfp --network rln --psf psfs/gfp-60x --held-out nuclei
      from synthetic specimens, blurred with the PSF; how good it is on nuclei, which it never sees, is told, too
  deconvoy models train fast-tv --psf psf.tif --target method --method rl-tv --param iterations=200
      what 200 iterations of rl-tv make of such specimens, in one pass
  deconvoy models train iso-gfp --network isonet2 --psf psfs/gfp-60x --target degradation --image volumes/8c1d
      from the image alone: lateral slices, blurred as axial ones are; axial ones become as sharp as lateral ones
  deconvoy models train own --psf psf.tif --target pairs --image raw.tif --truth truth.tif
      from images and what each should become
  deconvoy models train clean --network dncnn3d --target denoise --psf psfs/gfp-60x --most-noise 0.1
      takes noise out: a denoiser for deconvoy run --method pnp-admm --network clean
  job=$(deconvoy models train rln-gfp --psf psfs/gfp-60x --no-wait --quiet) && deconvoy models keep rln-gfp $job
      leaves the training with the server; the second command waits for it, now or tomorrow)";

const std::map<std::string, v1::TrainingTarget>& Targets() {
  static const std::map<std::string, v1::TrainingTarget> targets = {
      {"truth", v1::SIMULATED_TRUTH}, {"method", v1::CLASSICAL},        {"pairs", v1::PAIRS},
      {"blind-spot", v1::BLIND_SPOT}, {"degradation", v1::DEGRADATION}, {"denoise", v1::DENOISE}};
  return targets;
}

const std::map<std::string, v1::SpecimenKind>& Kinds() {
  static const std::map<std::string, v1::SpecimenKind> kinds = {{"mixed", v1::MIXED},   {"filaments", v1::FILAMENTS},
                                                                {"shells", v1::SHELLS}, {"beads", v1::BEADS},
                                                                {"points", v1::POINTS}, {"nuclei", v1::NUCLEI}};
  return kinds;
}

class Training {
 public:
  Training(const TrainOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    ASSIGN_OR_RETURN(const std::string id, NewModelId(options_.name));
    RETURN_IF_ERROR(WithExitCode(ValidateLibraryDescription(options_.description), ExitCode::kUsage));
    RETURN_IF_ERROR(RequireServer(options_.server).status());
    ASSIGN_OR_RETURN(v1::JobSpec spec, MakeSpec(id));
    std::optional<InputImage> psf;
    if (!OnServer()) {
      ASSIGN_OR_RETURN(psf, OpenInput(options_.psf, std::nullopt, *progress_));
    }
    ASSIGN_OR_RETURN(images_, OpenFiles(options_.images));
    ASSIGN_OR_RETURN(truths_, OpenFiles(options_.truths));
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = DoWith(*session, id, psf, spec);
    if (!IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  // One for each of the names: nothing for those of volumes.
  using Files = std::vector<std::optional<InputImage>>;

  static bool IsVolume(const std::string& name) { return name.starts_with("volumes/"); }
  bool OnServer() const { return IsVolume(options_.psf) || IsLibraryPsf(options_.psf); }

  absl::StatusOr<Files> OpenFiles(const std::vector<std::string>& names) const {
    Files files;
    for (const std::string& name : names) {
      std::optional<InputImage>& file = files.emplace_back();
      if (IsVolume(name)) continue;
      ASSIGN_OR_RETURN(file, OpenInput(name, std::nullopt, *progress_));
    }
    return files;
  }

  // The volumes take the places of the files in `names`.
  absl::Status Send(const Session& session, Files& files, google::protobuf::RepeatedPtrField<std::string>& names) {
    for (size_t i = 0; i < files.size(); ++i) {
      if (!files[i]) continue;
      ASSIGN_OR_RETURN(std::string volume, UploadImage(session.client(), *files[i], *progress_, stop_));
      leftovers_.AddVolume(volume);
      names[static_cast<int>(i)] = std::move(volume);
    }
    return absl::OkStatus();
  }

  static std::string NameOf(const std::string& image) {
    return IsVolume(image) ? image : VolumeName("image");  // until it is there
  }

  absl::StatusOr<v1::JobSpec> MakeSpec(const std::string& id) const {
    v1::JobSpec spec;
    spec.set_display_name(id);
    v1::TrainModelSpec& work = *spec.mutable_train_model();
    work.set_network(options_.network);
    work.set_psf_volume(VolumeName("psf"));  // until it is there
    if (OnServer()) work.set_psf_volume(options_.psf);
    if (IsLibraryPsf(options_.psf)) {
      ASSIGN_OR_RETURN(*work.mutable_psf_volume(), PsfArgument(options_.psf));
    }
    work.set_target(Targets().at(options_.target));
    work.set_method(options_.method);
    ASSIGN_OR_RETURN(const auto parameters, ParseAssignments(options_.parameters, "--param",
                                                             "`deconvoy methods METHOD` tells which there are."));
    for (const auto& [name, value] : parameters) (*work.mutable_parameters())[name] = value;
    for (const std::string& image : options_.images) work.add_input_volumes(NameOf(image));
    for (const std::string& truth : options_.truths) work.add_truth_volumes(NameOf(truth));
    for (const std::string& kind : options_.kinds) work.add_kinds(Kinds().at(kind));
    for (const std::string& kind : options_.held_out) work.add_held_out(Kinds().at(kind));
    work.set_least_photons(options_.least_photons);
    work.set_most_photons(options_.most_photons);
    work.set_background_photons(options_.background);
    work.set_read_noise_photons(options_.read_noise);
    work.set_least_noise(options_.least_noise);
    work.set_most_noise(options_.most_noise);
    if (options_.voxel_um) *work.mutable_voxel_size() = *options_.voxel_um;
    work.set_specimens(options_.specimens);
    work.set_validation(options_.validation);
    if (options_.patch) {
      work.mutable_patch()->set_z(static_cast<int32_t>(options_.patch->z));
      work.mutable_patch()->set_y(static_cast<int32_t>(options_.patch->y));
      work.mutable_patch()->set_x(static_cast<int32_t>(options_.patch->x));
    }
    work.set_batch(options_.batch);
    work.set_steps(options_.steps);
    work.set_parts(options_.parts);
    work.set_learning_rate(options_.learning_rate);
    work.set_patience(options_.patience);
    work.set_seed(options_.seed);
    if (options_.probabilistic) work.set_head(v1::PROBABILISTIC);
    RETURN_IF_ERROR(WithExitCode(ValidateTrainModel(work), ExitCode::kUsage));
    return spec;
  }

  absl::Status DoWith(Session& session, const std::string& id, std::optional<InputImage>& psf, v1::JobSpec& spec) {
    if (psf) {
      ASSIGN_OR_RETURN(const std::string volume, UploadImage(session.client(), *psf, *progress_, stop_));
      leftovers_.AddVolume(volume);
      spec.mutable_train_model()->set_psf_volume(volume);
    }
    RETURN_IF_ERROR(Send(session, images_, *spec.mutable_train_model()->mutable_input_volumes()));
    RETURN_IF_ERROR(Send(session, truths_, *spec.mutable_train_model()->mutable_truth_volumes()));
    if (options_.leave) return Leave(session, id, spec);
    ASSIGN_OR_RETURN(const v1::Job job, RunJob(session, spec, leftovers_, *progress_, stop_));
    progress_->Clear();
    const absl::StatusOr<v1::Model> model =
        KeepModel(session.client(), id, options_.description, job, leftovers_, stop_);
    if (!model.ok()) {
      leftovers_ = {};  // hours of training
      return AddContext(model.status(), fmt::format("{} has trained it and stays on the server for: {}", job.name(),
                                                    JobCommand("models keep " + id, job.name(), options_.server)));
    }
    SayKept(*model, console_);
    return absl::OkStatus();
  }

  // The name alone goes to standard output, for scripts.
  absl::Status Leave(Session& session, const std::string& id, const v1::JobSpec& spec) {
    ASSIGN_OR_RETURN(const v1::Job job, session.Submit(spec, *progress_, stop_));
    leftovers_ = {};  // the job has its PSF
    progress_->Clear();
    if (console_.json) {
      console_.Json({{"event", "submitted"}, {"job", ToJson(job)}});
      return absl::OkStatus();
    }
    console_.out << Printable(job.name()) << std::endl;
    console_.Remark("follow it:      " + JobCommand("watch", job.name(), options_.server));
    console_.Remark("keep the model: " + JobCommand("models keep " + id, job.name(), options_.server));
    console_.Remark("stop it:        " + JobCommand("cancel", job.name(), options_.server));
    return absl::OkStatus();
  }

  const TrainOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Files images_, truths_;
  Leftovers leftovers_;
};

template <class Names>
CLI::Option* AddNames(CLI::App& verb, const char* name, std::vector<std::string>& target, const Names& names,
                      const char* meaning) {
  return verb.add_option(name, target, meaning)->check(CLI::IsMember(&names))->delimiter(',')->type_name("");
}

void AddWhat(CLI::App& verb, TrainOptions& options) {
  verb.add_option("NAME", options.name, "Name of the model, which gets one more version")
      ->type_name("MODEL")
      ->required();
  verb.add_option("--network", options.network, "Network; `deconvoy methods network` tells which there are")
      ->type_name("NAME")
      ->capture_default_str();
  verb.add_option("--psf", options.psf, "PSF that it is for: FILE, psfs/NAME or volumes/ID")
      ->type_name("PSF")
      ->required();
  AddVoxelSize(verb, "--voxel-um", options.voxel_um,
               "Voxel size in um of the images that it is for, where the PSF does not tell it; refused where it does, "
               "and differs");
  verb.add_option(
          "--target", options.target,
          "What it is to learn; degradation: to undo one more blur of the images, with isonet1 and isonet2 what "
          "axial slices are blurred more than lateral ones")
      ->check(CLI::IsMember(&Targets()))
      ->type_name("")
      ->capture_default_str();
  verb.add_option("--method", options.method, "With the target method: whose results it learns")->type_name("NAME");
  verb.add_option("--param", options.parameters, "Parameter of that method, repeatable")->type_name("NAME=VALUE");
  verb.add_option("--image", options.images,
                  "With pairs, blind-spot and degradation: image to learn from, in photons, with the PSF's voxel size: "
                  "FILE or volumes/ID, repeatable")
      ->type_name("VOLUME|FILE");
  verb.add_option("--truth", options.truths,
                  "With pairs: what each image should become, FILE or volumes/ID, repeatable")
      ->type_name("VOLUME|FILE");
  verb.add_flag("--probabilistic", options.probabilistic, "It also learns to tell how sure it is");
  verb.add_option("--description", options.description, "What people should know of it")->type_name("TEXT");
  verb.add_flag("--no-wait", options.leave,
                "Leave the training with the server and print its job's name; keep what it finds with models keep");
}

void AddHow(CLI::App& verb, TrainOptions& options) {
  AddNames(verb, "--kinds", options.kinds, Kinds(), "Kinds of synthetic specimens; without it mixed ones");
  AddNames(verb, "--held-out", options.held_out, Kinds(),
           "Kinds that it never learns from, to tell how good it is on what it does not know; without it and --kinds "
           "nuclei");
  verb.add_option("--least-photons", options.least_photons, "Photons at the brightest voxel of the dimmest specimens")
      ->type_name("V");
  verb.add_option("--most-photons", options.most_photons, "The same of the brightest ones")->type_name("V");
  verb.add_option("--background", options.background, "Background light of the specimens, photons")->type_name("V");
  verb.add_option("--read-noise", options.read_noise, "Their read noise, photons")->type_name("V");
  verb.add_option("--least-noise", options.least_noise,
                  "With denoise: noise of the least noisy specimens over their brightest voxel; without it 0.01")
      ->type_name("V");
  verb.add_option("--most-noise", options.most_noise, "The same of the noisiest ones; without it 0.2")->type_name("V");
  verb.add_option("--specimens", options.specimens, "Specimens that are drawn, each met several times; without it 64")
      ->type_name("N");
  verb.add_option("--validation", options.validation,
                  "Further ones that are only looked at after each part; without it 4")
      ->type_name("N");
  AddVoxel(verb, "--patch", options.patch, 8, "Extents of what it is shown at once");
  verb.add_option("--batch", options.batch, "Patches of a step")->type_name("N");
  verb.add_option("--steps", options.steps, "Steps; without it 2000")->type_name("N");
  verb.add_option("--parts", options.parts, "Parts, after each of which its state is safe; without it 20")
      ->type_name("N");
  verb.add_option("--patience", options.patience, "Parts without a better figure after which it ends early")
      ->type_name("N");
  verb.add_option("--learning-rate", options.learning_rate, "Of the first step; without it 0.002")->type_name("V");
  verb.add_option("--seed", options.seed, "Another one draws other specimens and weights")
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

void AddModelsTrain(CLI::App& group, Program& program) {
  AddVerb<TrainOptions>(
      group, program, "train", "Train a network for a PSF, and keep the model.", kExamples,
      [&program](CLI::App& verb, TrainOptions& options) {
        AddWhat(verb, options);
        AddHow(verb, options);
        AddServerOption(verb, options.server);
        AddCompressOption(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const TrainOptions& options) { return Training(options, program.console).Do(); });
}

}  // namespace deconvoy::client
