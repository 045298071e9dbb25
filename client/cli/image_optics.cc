#include "client/cli/image_optics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr double kStokesUm = 0.03;  // from excitation to emission, about
constexpr double kLeastWavelengthUm = 0.2, kMostWavelengthUm = 3;
constexpr double kLeastPinholeAu = 0.2, kMostPinholeAu = 10;  // others are in units that nobody told

struct Named {
  std::string_view name;
  double value;
};

// Refractive indices at room temperature and 589 nm; glycerol as immersions are, 80 % in water.
constexpr auto kImmersions = std::to_array<Named>({{"air", 1.0},
                                                   {"water", 1.333},
                                                   {"waterdipping", 1.333},
                                                   {"oil", 1.515},
                                                   {"glycerol", 1.451},
                                                   {"silicone", 1.406}});

// Peaks of emission in um, by the beginning of what channels are called.
constexpr auto kDyes = std::to_array<Named>(
    {{"dapi", 0.461},     {"hoechst", 0.461},  {"bfp", 0.448},      {"cfp", 0.476},      {"ecfp", 0.476},
     {"gfp", 0.509},      {"egfp", 0.509},     {"fitc", 0.519},     {"alexa488", 0.519}, {"af488", 0.519},
     {"yfp", 0.527},      {"eyfp", 0.527},     {"cy3", 0.565},      {"tritc", 0.576},    {"alexa555", 0.565},
     {"alexa568", 0.603}, {"dsred", 0.583},    {"tdtomato", 0.581}, {"rfp", 0.584},      {"mcherry", 0.610},
     {"texasred", 0.615}, {"alexa594", 0.617}, {"cy5", 0.666},      {"alexa647", 0.668}, {"af647", 0.668}});

struct Mode {
  std::string_view name;
  v1::Microscopy kind;
};

constexpr auto kModes = std::to_array<Mode>({{"WideField", v1::WIDEFIELD},
                                             {"LaserScanningConfocalMicroscopy", v1::CONFOCAL},
                                             {"LaserScanningConfocal", v1::CONFOCAL},
                                             {"SpinningDiskConfocal", v1::SPINNING_DISK},
                                             {"SweptFieldConfocal", v1::SPINNING_DISK},
                                             {"MultiPhotonMicroscopy", v1::TWO_PHOTON},
                                             {"SPIM", v1::LIGHT_SHEET},
                                             {"STED", v1::STED}});

// Modes of which no PSF is known here.
constexpr auto kOtherModes = std::to_array<std::string_view>(
    {"BrightField", "StructuredIllumination", "SingleMoleculeImaging", "TotalInternalReflection", "TIRF", "PALM",
     "STORM", "NearFieldScanningOpticalMicroscopy", "SecondHarmonicGenerationImaging", "SlitScanConfocal"});
constexpr auto kContrasts = std::to_array<std::string_view>(
    {"Brightfield", "Phase", "DIC", "HoffmanModulation", "ObliqueIllumination", "PolarizedLight", "Darkfield"});

// Letters and digits alone, small.
std::string Plain(std::string_view text) {
  std::string plain;
  std::copy_if(text.begin(), text.end(), std::back_inserter(plain),
               [](unsigned char c) { return c < 0x80 && std::isalnum(c) != 0; });
  return Lower(std::move(plain));
}

double EmissionByName(std::string_view channel) {
  const std::string plain = Plain(channel);
  double found = 0;
  size_t longest = 0;
  for (const Named& dye : kDyes) {
    if (dye.name.size() <= longest || plain.find(dye.name) == std::string::npos) continue;
    found = dye.value;
    longest = dye.name.size();
  }
  return found;
}

double Wavelength(double um) {
  return um >= kLeastWavelengthUm && um <= kMostWavelengthUm ? um : 0;
}

bool Scans(v1::Microscopy kind) {
  return kind == v1::CONFOCAL || kind == v1::STED || kind == v1::TWO_PHOTON || kind == v1::SPINNING_DISK;
}

bool HasPinhole(v1::Microscopy kind) {
  return kind == v1::CONFOCAL || kind == v1::STED || kind == v1::SPINNING_DISK;
}

class OpticsFinder {
 public:
  OpticsFinder(const v1::VolumeSpec& image, const imageio::Acquisition& acquisition, OpticsValues given)
      : image_(image), acquisition_(acquisition), given_(std::move(given)), channels_(image.shape().c()) {
    found_.channels.resize(channels_);
  }

  absl::StatusOr<ImageOptics> Find(const OpticsOptions& options) {
    RETURN_IF_ERROR(CheckLists());
    FindKind(options.microscopy);
    for (size_t c = 0; c < channels_; ++c) SetOptics(given_, c, found_.channels[c]);
    FindAperture();
    FindImmersion();
    for (size_t c = 0; c < channels_; ++c) FindLight(c);
    NoteGiven();
    FindVoxels();
    return std::move(found_);
  }

 private:
  absl::Status CheckLists() const {
    for (const auto& [name, list] : given_) {
      if (list.size() == 1 || list.size() == channels_) continue;
      return UsageError(
          fmt::format("--optics gives {} values of {}, but the image has {} channels", list.size(), name, channels_),
          "Give one value for all channels, or one for each.");
    }
    return absl::OkStatus();
  }

  const imageio::ChannelAcquisition& Channel(size_t c) const {
    static const imageio::ChannelAcquisition kUnknown;
    return c < acquisition_.channels.size() ? acquisition_.channels[c] : kUnknown;
  }

  // `channel 2 ("GFP")`; nothing where there is only one.
  std::string ChannelText(size_t c) const {
    if (channels_ == 1) return "";
    const std::string name =
        static_cast<int>(c) < image_.channels_size() ? image_.channels(static_cast<int>(c)).name() : "";
    return name.empty() ? fmt::format(" of channel {}", c) : fmt::format(" of channel {} ({})", c, Printable(name));
  }

  void FindKind(const std::string& given) {
    if (!given.empty()) {
      found_.microscopy = MicroscopyNames().at(given);
      found_.used.push_back(given + " (given)");
      return;
    }
    std::optional<v1::Microscopy> kind;
    bool pinhole = given_.contains("pinhole_au");
    for (size_t c = 0; c < channels_ && found_.impossible.empty(); ++c) {
      const imageio::ChannelAcquisition& channel = Channel(c);
      pinhole = pinhole || channel.pinhole_um > 0;
      NoteImpossible(c, channel);
      const auto mode =
          std::find_if(kModes.begin(), kModes.end(), [&](const Mode& known) { return known.name == channel.mode; });
      if (mode == kModes.end()) continue;
      if (kind && *kind != mode->kind) {
        found_.impossible = fmt::format("its channels were taken with different kinds of microscope, {} and {}",
                                        MicroscopyName(*kind), MicroscopyName(mode->kind));
      }
      kind = mode->kind;
    }
    found_.microscopy = kind.value_or(pinhole ? v1::CONFOCAL : v1::WIDEFIELD);
    if (kind) {
      found_.used.push_back(MicroscopyName(*kind) + " (file)");
    } else {
      Miss("microscopy", "the kind of microscope", MicroscopyName(found_.microscopy));
    }
  }

  void NoteImpossible(size_t c, const imageio::ChannelAcquisition& channel) {
    const auto is_one_of = [](const auto& names, const std::string& name) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    const std::string how = is_one_of(kOtherModes, channel.mode)      ? channel.mode
                            : is_one_of(kContrasts, channel.contrast) ? channel.contrast
                            : channel.illumination == "Transmitted"   ? channel.illumination
                                                                      : "";
    if (how.empty()) return;
    found_.impossible = fmt::format("the light{} was taken as `{}`, of which no PSF is known here",
                                    channels_ == 1 ? std::string() : ChannelText(c), Printable(how));
  }

  void Miss(std::string field, std::string what, std::string assumed) {
    if (!assumed.empty()) found_.used.push_back(fmt::format("{} {} (assumed)", field, assumed));
    found_.missing.push_back({std::move(field), std::move(what), std::move(assumed)});
  }

  void SetAll(const char* name, double value) {
    for (v1::Optics& optics : found_.channels) SetOptics({{name, {value}}}, 0, optics);
  }

  void FindAperture() {
    if (given_.contains("na")) return;
    if (acquisition_.na > 0) {
      SetAll("na", acquisition_.na);
      found_.used.push_back(fmt::format("na {:g} (file)", acquisition_.na));
    } else {
      Miss("na", "the numerical aperture of the objective", "");
    }
  }

  void FindImmersion() {
    if (given_.contains("ri_immersion")) return;
    const double na = found_.channels.front().na();
    const auto named = std::find_if(kImmersions.begin(), kImmersions.end(),
                                    [&](const Named& known) { return known.name == Plain(acquisition_.immersion); });
    double index = acquisition_.ri_immersion;
    std::string whence = "file";
    if (index == 0 && named != kImmersions.end()) {
      index = named->value;
      whence = Printable(acquisition_.immersion);
    }
    if (index > 0 && na < index) {
      SetAll("ri_immersion", index);
      found_.used.push_back(fmt::format("ri_immersion {:g} ({})", index, whence));
      return;
    }
    const std::string what =
        index > 0
            ? fmt::format("the refractive index of the immersion (the file tells {:g}, which no NA of {:g} allows)",
                          index, na)
            : "the refractive index of the immersion";
    if (na == 0) return Miss("ri_immersion", what, "");
    const double usual = na < 0.95 ? 1.0 : na < 1.26 ? 1.333 : 1.515;
    SetAll("ri_immersion", usual);
    Miss("ri_immersion", what, fmt::format("{:g}", usual));
  }

  void FindLight(size_t c) {
    v1::Optics& optics = found_.channels[c];
    v1::Channel known;
    if (static_cast<int>(c) < image_.channels_size()) known = image_.channels(static_cast<int>(c));
    double emission = Wavelength(known.emission_wavelength_um());
    double excitation = Wavelength(known.excitation_wavelength_um());
    const bool needs_emission = found_.microscopy != v1::TWO_PHOTON, needs_excitation = Scans(found_.microscopy);
    if (given_.contains("emission_um")) emission = optics.emission_um();
    if (given_.contains("excitation_um")) excitation = optics.excitation_um();
    if (needs_emission && !given_.contains("emission_um")) {
      const double by_name = EmissionByName(known.name());
      const double usual = by_name > 0 ? by_name : excitation > 0 ? excitation + kStokesUm : 0;
      emission = Choose("emission_um", "the wavelength of the emission", c, emission, usual);
      optics.set_emission_um(emission);
    }
    if (needs_excitation && !given_.contains("excitation_um")) {
      const double usual = found_.microscopy != v1::TWO_PHOTON && emission > 0 ? emission - kStokesUm : 0;
      optics.set_excitation_um(Choose("excitation_um", "the wavelength of the illumination", c, excitation, usual));
    }
    if (HasPinhole(found_.microscopy)) FindPinhole(c, optics);
    if (found_.microscopy == v1::LIGHT_SHEET) Need("sheet_fwhm_um", "the width of the light sheet", c);
    if (found_.microscopy != v1::STED) return;
    Need("depletion_um", "the wavelength of the depletion", c);
    Need("saturation", "how much the depletion saturates", c);
  }

  // What the file knows, else what is usual; 0 where there is neither.
  double Choose(const char* name, const char* what, size_t c, double in_file, double usual) {
    if (in_file > 0) {
      found_.used.push_back(fmt::format("{}{} {:g} (file)", name, ChannelText(c), in_file));
      return in_file;
    }
    Miss(name, what + ChannelText(c), usual > 0 ? fmt::format("{:g}", usual) : "");
    return usual;
  }

  void Need(const char* name, const char* what, size_t c) {
    if (c == 0 && !given_.contains(name)) Miss(name, what, "");
  }

  // The file knows the hole, and not the lenses before it but the objective.
  void FindPinhole(size_t c, v1::Optics& optics) {
    if (given_.contains("pinhole_au")) return;
    const double airy_um = 1.22 * optics.emission_um() / optics.na() * acquisition_.magnification;
    const double au = airy_um > 0 && std::isfinite(airy_um) ? Channel(c).pinhole_um / airy_um : 0;
    const bool plausible = au >= kLeastPinholeAu && au <= kMostPinholeAu;
    optics.set_pinhole_au(plausible ? au : 1);
    found_.used.push_back(fmt::format("pinhole_au{} {:.3g} ({})", ChannelText(c), optics.pinhole_au(),
                                      plausible ? "file" : "not in the file"));
  }

  void NoteGiven() {
    for (const auto& [name, list] : given_)
      found_.used.push_back(fmt::format("{} {:g} (given)", name, fmt::join(list, "/")));
    if (!given_.contains("ri_sample")) found_.used.push_back("specimen of the immersion's refractive index");
  }

  void FindVoxels() {
    const v1::VoxelSize& size = image_.voxel_size();
    const bool flat = image_.shape().z() == 1;
    if (size.y_um() > 0 && size.x_um() > 0 && (flat || size.z_um() > 0)) return;
    found_.missing.push_back(
        {"voxel_um", size.y_um() > 0 && size.x_um() > 0 ? "the distance of the planes" : "the voxel size", ""});
  }

  const v1::VolumeSpec& image_;
  const imageio::Acquisition& acquisition_;
  const OpticsValues given_;
  const size_t channels_;
  ImageOptics found_;
};

std::string OptionFor(const MissingOptic& missing) {
  if (missing.field == "microscopy") return "--microscopy";
  if (missing.field == "voxel_um") return "--voxel-um Z,Y,X";
  return fmt::format("--optics {}=...", missing.field);
}

}  // namespace

bool ImageOptics::assumable() const {
  return impossible.empty() &&
         std::none_of(missing.begin(), missing.end(), [](const MissingOptic& m) { return m.assumed.empty(); });
}

absl::StatusOr<ImageOptics> FindOptics(const v1::VolumeSpec& image, const imageio::Acquisition& acquisition,
                                       const OpticsOptions& options) {
  ASSIGN_OR_RETURN(OpticsValues given, ParseOpticsValues(options.optics));
  return OpticsFinder(image, acquisition, std::move(given)).Find(options);
}

absl::Status CheckSuffices(const ImageOptics& optics, const std::string& file, bool assume) {
  if (!optics.impossible.empty()) {
    return MakeError(
        {.reason = v1::INVALID_FIELD,
         .field = "deconvolve.psf_volume",
         .remedy = "Give a PSF with --psf, or the kind of microscope with --microscopy; leave out channels "
                   "that are not fluorescence."},
        fmt::format("no PSF can be computed for {}: {}", Printable(file), optics.impossible));
  }
  std::vector<std::string> texts, fields, options;
  bool assumable = true;
  for (const MissingOptic& missing : optics.missing) {
    if (assume && !missing.assumed.empty()) continue;
    texts.push_back(missing.assumed.empty() ? missing.what
                                            : fmt::format("{} ({} would be assumed)", missing.what, missing.assumed));
    fields.push_back(missing.field);
    const std::string option = OptionFor(missing);
    if (std::find(options.begin(), options.end(), option) == options.end()) options.push_back(option);
    assumable = assumable && !missing.assumed.empty();
  }
  if (texts.empty()) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "deconvolve.psf_volume",
                    .remedy = fmt::format("Give {}{}, or a PSF with --psf FILE.", fmt::join(options, ", "),
                                          assumable ? ", or --assume" : ""),
                    .metadata = {{"missing", fmt::format("{}", fmt::join(fields, ","))}}},
                   fmt::format("the file {} and the options do not tell all that a PSF depends on: {}", Printable(file),
                               fmt::join(texts, "; ")));
}

absl::StatusOr<std::optional<ImageOptics>> OpticsToCompare(ImageOptics found, const std::string& file,
                                                           const OpticsOptions& options) {
  std::erase_if(found.missing, [](const MissingOptic& missing) { return missing.field == "voxel_um"; });
  const absl::Status suffices = CheckSuffices(found, file, options.assume);
  if (options.tell()) RETURN_IF_ERROR(WithExitCode(suffices, ExitCode::kUsage));
  if (!suffices.ok()) return std::nullopt;
  return found;
}

}  // namespace deconvoy::client
