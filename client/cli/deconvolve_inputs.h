// The image and the PSF of a deconvolution, from files to a job's description. Shared by `run` and `submit`.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/given_models.h"
#include "client/cli/image_optics.h"
#include "client/cli/images.h"
#include "client/cli/job_run.h"
#include "client/cli/options/deconvolution_options.h"
#include "client/cli/options/optics_options.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::client {

struct InputOptions {
  std::string input;
  std::string psf;         // a file or a PSF of the library (IsLibraryPsf); empty: computed from the optics
  std::string mask;        // empty: none
  std::string flat_field;  // empty: none
  std::optional<v1::VoxelSize> voxel_um;
  std::optional<v1::VoxelSize> psf_voxel_um;
  OpticsOptions optics;
  PsfModelOptions psf_model;  // only without a PSF
};

void AddInputOptions(CLI::App& verb, InputOptions& options);

// The same but for INPUT itself, for verbs whose image comes otherwise.
void AddCompanionOptions(CLI::App& verb, InputOptions& options);

struct DeconvolveInputs {
  InputImage image;
  std::optional<InputImage> psf;             // as a file
  std::string library_psf;                   // its name in the library; empty where it is not of it
  std::optional<v1::Psf> kept;               // that PSF, once the server has been asked
  std::vector<v1::ModelPsfSpec> psf_models;  // without a file: what is computed for each channel
  std::optional<ImageOptics> optics;         // that the PSF is computed from, or is checked against
  std::optional<InputImage> mask;
  std::optional<InputImage> flat_field;
  std::vector<GivenModel> models;       // that are given as files
  bool models_stay = true;              // those of them that are new to the server's library stay there
  std::optional<v1::Method> method;     // that is asked for, once the server has been asked
  bool kept_volumes = false;            // what is uploaded is to stay, so that what is there already is not sent again
  std::optional<double> offset_counts;  // of the camera, from the image's file, where none is given

  // Of the PSF's volume, whether it is there already or not. REQUIRES: a PSF of the library is known.
  v1::VolumeSpec PsfSpec() const;
};

// Opens the files and checks that they go together and with the request, before anything is sent. Without a PSF file
// the optics that options and image file tell must suffice to compute one; what they are is said. With one, they are
// what it is checked against, where they suffice; where options tell some of them, they must. A PSF of the library is
// looked at by CheckWithServer. It is also said what offset the image's file tells where none is given, and whether it
// is taken.
absl::StatusOr<DeconvolveInputs> OpenInputs(const InputOptions& options, const v1::DeconvolveSpec& deconvolve,
                                            Progress& progress);

// The same for an image that is described but not there yet: without a reader, and `acquisition` is what is known of
// how it is taken.
absl::StatusOr<DeconvolveInputs> OpenInputsOf(InputImage image, const imageio::Acquisition& acquisition,
                                              const InputOptions& options, const v1::DeconvolveSpec& deconvolve,
                                              Progress& progress);

// What the result will be, whatever its name. A method that is known to join channels makes one of them.
v1::VolumeSpec ResultSpec(const DeconvolveInputs& inputs, const v1::DeconvolveSpec& deconvolve);

// Finds the PSF of the library, if it is of it, the models that are named, and the method among those that the
// session's server offers (for a local server, those of the worker program beside this one; none where no worker has
// ever told), and refuses what the server would refuse without having seen a voxel. Nothing is sent.
absl::Status CheckWithServer(const Session& session, const v1::DeconvolveSpec& deconvolve, const std::stop_token& stop,
                             DeconvolveInputs& inputs);

// Uploads the volumes, has given models in the library and the PSF computed where there is no file of it, and returns
// the job to submit. REQUIRES: CheckWithServer has accepted the request.
absl::StatusOr<v1::JobSpec> UploadInputs(Session& session, DeconvolveInputs& inputs, v1::DeconvolveSpec deconvolve,
                                         Leftovers& leftovers, Progress& progress, const std::stop_token& stop);

// The same for an image that is not uploaded: the job lacks its input volume.
absl::StatusOr<v1::JobSpec> UploadCompanions(Session& session, DeconvolveInputs& inputs, v1::DeconvolveSpec deconvolve,
                                             Leftovers& leftovers, Progress& progress, const std::stop_token& stop);

}  // namespace deconvoy::client
