// deconvoy simulate: a specimen and its image, made by a worker.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <map>
#include <utility>
#include <vector>

#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/outputs.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

struct SimulateOptions {
  std::string folder;
  std::optional<Voxel> shape;
  std::string kind = "mixed";
  uint64_t seed = 1;
  double photons = 200;
  std::string psf;
  std::optional<v1::VoxelSize> psf_fwhm_um;
  std::optional<v1::VoxelSize> voxel_um;
  double background = 10;
  double read_noise = 1.5;
  double gain = 1;
  double offset = 100;
  bool periodic = false;
  std::string dtype = "u16";
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy simulate -o sample --shape 64,256,256
      writes truth.ome.tif, psf.ome.tif and raw.ome.tif into the folder `sample`
  deconvoy simulate -o beads --shape 32,128,128 --kind beads --seed 7 --photons 1000 --psf psf.tif
      beads seen through a PSF of one's own)";

constexpr char kDefaultVoxel[] = "0.2,0.1,0.1";
constexpr char kDefaultFwhm[] = "0.7,0.25,0.25";

const std::map<std::string, v1::SpecimenKind>& Kinds() {
  static const std::map<std::string, v1::SpecimenKind> kinds = {
      {"mixed", v1::MIXED}, {"filaments", v1::FILAMENTS}, {"shells", v1::SHELLS},
      {"beads", v1::BEADS}, {"points", v1::POINTS},       {"nuclei", v1::NUCLEI},
  };
  return kinds;
}

v1::SimulateSpec ToSpec(const SimulateOptions& options) {
  v1::SimulateSpec spec;
  *spec.mutable_shape() = ToProto(*options.shape);
  spec.set_kind(Kinds().at(options.kind));
  spec.set_seed(options.seed);
  spec.set_peak_photons(options.photons);
  *spec.mutable_voxel_size() = options.voxel_um ? *options.voxel_um : *ParseVoxelSize(kDefaultVoxel);
  if (options.psf.empty())
    *spec.mutable_psf_fwhm() = options.psf_fwhm_um ? *options.psf_fwhm_um : *ParseVoxelSize(kDefaultFwhm);
  spec.set_background_photons(options.background);
  spec.set_read_noise_photons(options.read_noise);
  spec.set_gain_photons_per_count(options.gain);
  spec.set_offset_counts(options.offset);
  spec.set_periodic(options.periodic);
  spec.set_raw_type(options.dtype == "f32" ? v1::F32 : v1::U16);
  return spec;
}

// The folder of the results; made where it is missing, and unmade by the destructor where it is still empty.
class ResultFolder {
 public:
  explicit ResultFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~ResultFolder() {
    std::error_code ignored;
    for (const auto& made : made_) std::filesystem::remove(made, ignored);
  }
  ResultFolder(const ResultFolder&) = delete;
  ResultFolder& operator=(const ResultFolder&) = delete;

  absl::Status Make() {
    std::error_code error;
    const auto lacks = [](const std::filesystem::path& path) {
      std::error_code ignored;
      return !path.empty() &&
             std::filesystem::symlink_status(path, ignored).type() == std::filesystem::file_type::not_found;
    };
    for (auto path = folder_; lacks(path); path = path.parent_path())
      if (path.has_filename()) made_.push_back(path);
    std::filesystem::create_directories(folder_, error);
    if (!error && std::filesystem::is_directory(folder_, error)) return absl::OkStatus();
    return WithExitCode(MakeError({.reason = v1::INVALID_FIELD, .remedy = "Choose another folder with -o."},
                                  fmt::format("cannot make the folder {} ({})", Printable(folder_.string()),
                                              error ? error.message() : "there is a file of this name")),
                        ExitCode::kInvalidInput);
  }

 private:
  const std::filesystem::path folder_;
  std::vector<std::filesystem::path> made_;  // innermost first
};

class Simulation {
 public:
  Simulation(const SimulateOptions& options, const Console& console)
      : options_(options),
        console_(console),
        stop_(TakeInterrupts()),
        progress_(MakeProgress(console, [] { return absl::Now(); })) {}

  absl::Status Do() {
    v1::JobSpec spec;
    spec.set_display_name("simulate " + options_.kind);
    *spec.mutable_simulate() = ToSpec(options_);
    std::optional<InputImage> psf;
    if (!options_.psf.empty()) {
      ASSIGN_OR_RETURN(psf, OpenInput(options_.psf, std::nullopt, *progress_));
      spec.mutable_simulate()->set_psf_volume(VolumeName("psf"));  // until it is uploaded
      const v1::VoxelSize& voxel = psf->spec.voxel_size();
      if (!options_.voxel_um && voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0)
        *spec.mutable_simulate()->mutable_voxel_size() = voxel;
    }
    RETURN_IF_ERROR(WithExitCode(ValidateJobSpec(spec), ExitCode::kUsage));
    ResultFolder folder(options_.folder);
    RETURN_IF_ERROR(folder.Make());
    RETURN_IF_ERROR(CheckPlaces(spec, psf));
    ASSIGN_OR_RETURN(const auto session, Session::Open(options_.server, *progress_, stop_));
    const absl::Status status = session->Explain(DoWith(*session, spec, psf));
    if (!session->local() && !IsRetryable(status)) leftovers_.Remove(session->client(), *progress_);
    progress_->Clear();
    return status;
  }

 private:
  static constexpr std::array<const char*, 3> kRoles = {"truth", "psf", "raw"};

  std::filesystem::path FileOf(const std::string& role) const {
    return std::filesystem::path(options_.folder) / (role + ".ome.tif");
  }

  // Room for all results, and that none would replace the PSF.
  absl::Status CheckPlaces(const v1::JobSpec& spec, const std::optional<InputImage>& psf) const {
    ASSIGN_OR_RETURN(const auto outputs, PlanOutputs(spec, nullptr, psf ? &psf->spec : nullptr));
    int64_t need_bytes = 0;
    for (const PlannedOutput& output : outputs) {
      const auto file = FileOf(output.role);
      need_bytes += imageio::RoomFor(file, output.spec, ToWriteOptions(options_.image_output));
      RETURN_IF_ERROR(imageio::CheckWritable(file, need_bytes));
      std::error_code ignored;
      if (psf && std::filesystem::equivalent(options_.psf, file, ignored))
        return UsageError(fmt::format("the output {} is also the PSF", Printable(file.string())),
                          "Choose another folder with -o.");
    }
    return absl::OkStatus();
  }

  absl::Status DoWith(Session& session, v1::JobSpec& spec, std::optional<InputImage>& psf) {
    if (psf) {
      ASSIGN_OR_RETURN(const std::string volume, UploadImage(session.client(), *psf, *progress_, stop_));
      leftovers_.AddVolume(volume);
      spec.mutable_simulate()->set_psf_volume(volume);
    }
    ASSIGN_OR_RETURN(const v1::Job job, RunJob(session, spec, leftovers_, *progress_, stop_));
    for (const char* role : kRoles) {
      RETURN_IF_ERROR(SaveOutput(session.client(), job, role, FileOf(role), ToWriteOptions(options_.image_output),
                                 console_, *progress_, stop_));
    }
    return absl::OkStatus();
  }

  const SimulateOptions& options_;
  const Console& console_;
  const std::stop_token stop_;
  const std::unique_ptr<Progress> progress_;
  Leftovers leftovers_;
};

void AddSpecimen(CLI::App& verb, SimulateOptions& options) {
  verb.add_option("-o,--output", options.folder,
                  "Folder to write to, made where missing; files of the same names are replaced")
      ->type_name("DIR")
      ->required();
  AddVoxel(verb, "--shape", options.shape, 1, "Extent in voxels")->required();
  verb.add_option("--kind", options.kind, "What the specimen is made of")
      ->check(CLI::IsMember({"mixed", "filaments", "shells", "beads", "points", "nuclei"}))
      ->type_name("")
      ->capture_default_str();
  verb.add_option("--seed", options.seed,
                  "The same seed gives the same specimen on any machine, and the same image with the same program and "
                  "kind of processor; else, and with --psf, single voxels of the image may differ")
      ->type_name("N")
      ->capture_default_str();
  AddVoxelSize(verb, "--voxel-um", options.voxel_um, "Voxel size in um; without it that of --psf, where its file tells")
      ->default_str(kDefaultVoxel);
}

void AddImaging(CLI::App& verb, SimulateOptions& options) {
  const auto number = [&verb](const char* name, double& target, const char* meaning, const CLI::Validator& range) {
    verb.add_option(name, target, meaning)->check(range)->type_name("V")->capture_default_str()->group("Imaging");
  };
  CLI::Option* psf = verb.add_option("--psf", options.psf, "Stack to blur with; without it a Gaussian")
                         ->type_name("FILE")
                         ->group("Imaging");
  AddVoxelSize(verb, "--psf-fwhm-um", options.psf_fwhm_um, "Full width at half maximum of the Gaussian in um")
      ->default_str(kDefaultFwhm)
      ->group("Imaging")
      ->excludes(psf);
  number("--photons", options.photons, "Photons at the brightest voxel, without background", CLI::PositiveNumber);
  number("--background", options.background, "Background light in photons", CLI::NonNegativeNumber);
  number("--read-noise", options.read_noise, "Standard deviation of the camera's noise in photons",
         CLI::NonNegativeNumber);
  number("--gain", options.gain, "Photons per count", CLI::PositiveNumber);
  number("--offset", options.offset, "Camera offset in counts", CLI::NonNegativeNumber);
  verb.add_flag("--periodic", options.periodic, "The blur wraps around, so that no light leaves the volume")
      ->group("Imaging");
  verb.add_option("--dtype", options.dtype, "Type of raw's voxels")
      ->check(CLI::IsMember({"u16", "f32"}))
      ->type_name("")
      ->capture_default_str()
      ->group("Imaging");
}

}  // namespace

void AddSimulate(CLI::App& root, Program& program) {
  AddVerb<SimulateOptions>(
      root, program, "simulate", "Make a synthetic specimen, its PSF and its image.", kExamples,
      [&program](CLI::App& verb, SimulateOptions& options) {
        AddSpecimen(verb, options);
        AddImaging(verb, options);
        AddServerOrLocalOptions(verb, options.server);
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
      },
      [&program](const SimulateOptions& options) { return Simulation(options, program.console).Do(); });
}

}  // namespace deconvoy::client
