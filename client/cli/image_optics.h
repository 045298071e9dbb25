// The optics of an image: what the command line gives, what its file tells, and what is usual where neither does.
//
// Pure functions.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "client/cli/options/optics_options.h"
#include "client/imageio/acquisition.h"
#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/volumes.pb.h"

namespace deconvoy::client {

// Something that a PSF needs, but that neither file nor command line tells.
struct MissingOptic {
  std::string field;    // of Optics; `microscopy`; `voxel_um`
  std::string what;     // for people
  std::string assumed;  // what is usual, for people; empty where nothing is
};

struct ImageOptics {
  std::vector<v1::Optics> channels;  // one per channel, with what is usual where something is missing
  v1::Microscopy microscopy = v1::WIDEFIELD;
  std::vector<std::string> used;  // what a PSF would be computed from, and whence: `na 1.4 (file)`
  std::vector<MissingOptic> missing;
  std::string impossible;  // why no PSF can be computed at all, such as a channel in transmitted light; else empty

  bool complete() const { return missing.empty() && impossible.empty(); }
  // Every missing one has something usual.
  bool assumable() const;
};

// Given values come before those of the file. Of an immersion that the file only names, the index is the usual one of
// its name. Usual where nothing is said: for the index of the immersion that of air below NA 0.95, of water below 1.26,
// else of oil; for the kind of microscope a confocal where the file knows a pinhole, else a wide field; wavelengths by
// the channel's name (DAPI, GFP, ...), else 30 nm apart from one another; a pinhole of 1 Airy unit. Errors are of
// usage.
absl::StatusOr<ImageOptics> FindOptics(const v1::VolumeSpec& image, const imageio::Acquisition& acquisition,
                                       const OpticsOptions& options);

// Why no PSF can be computed from them, unless one can: what is impossible or missing, and what would be assumed.
// `file` is the image's name. With `assume` only what has no usual value.
absl::Status CheckSuffices(const ImageOptics& optics, const std::string& file, bool assume);

// The optics to hold a PSF against: those that are found, where they suffice, which they must where the command line
// tells some of them; else none. What the file lacks of the voxel size does not matter to looking at a PSF. Errors are
// of usage.
absl::StatusOr<std::optional<ImageOptics>> OpticsToCompare(ImageOptics found, const std::string& file,
                                                           const OpticsOptions& options);

}  // namespace deconvoy::client
