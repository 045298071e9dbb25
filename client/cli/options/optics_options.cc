#include "client/cli/options/optics_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "client/cli/outcome.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

using google::protobuf::FieldDescriptor;

constexpr char kGroup[] = "Optics";

constexpr char kOptics[] =
    "What the image was taken with, as NAME=VALUE,...: na, emission_um, excitation_um, ri_immersion, ri_sample, "
    "depth_um, pinhole_au and what else deconvoy psf generate --help names; NAME=V/V/... gives each channel its own. "
    "It replaces what the file of INPUT tells";

// As on the command line: `LIGHT_SHEET` is `light-sheet`.
std::string OptionName(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return Lower(std::move(name));
}

const std::map<std::string, v1::PsfModel>& Models() {
  static const std::map<std::string, v1::PsfModel> models = [] {
    std::map<std::string, v1::PsfModel> all;
    for (const v1::PsfModel model : {v1::RICHARDS_WOLF, v1::DEBYE, v1::GIBSON_LANNI, v1::BORN_WOLF, v1::GAUSSIAN}) {
      all.emplace(PsfModelName(model), model);
    }
    return all;
  }();
  return models;
}

// "11=0.05": number after Noll, and strength in wavelengths.
absl::Status ParseZernike(const std::vector<std::string>& texts, v1::Optics& optics) {
  ASSIGN_OR_RETURN(const auto assignments,
                   ParseAssignments(texts, "--zernike", "Give NUMBER=WAVES,..., for instance 8=0.05,11=0.1."));
  for (const auto& [name, text] : assignments) {
    const absl::StatusOr<double> noll = ParseNumber(name), waves = ParseNumber(text);
    if (!noll.ok() || !waves.ok() || *noll != std::floor(*noll) || std::abs(*noll) > 1e6) {
      return UsageError(
          fmt::format("--zernike: `{}={}` is no number of a mode with its strength", Printable(name), Printable(text)),
          "Give NUMBER=WAVES, for instance 11=0.05 for spherical aberration.");
    }
    v1::ZernikeTerm& term = *optics.add_zernike();
    term.set_noll(static_cast<uint32_t>(std::max(*noll, 0.0)));
    term.set_rms_waves(*waves);
  }
  return absl::OkStatus();
}

absl::StatusOr<const FieldDescriptor*> FindField(const std::string& name) {
  const auto* descriptor = v1::Optics::descriptor();
  const auto* field = descriptor->FindFieldByName(name);
  const bool single = field != nullptr && !field->is_repeated();
  if (single) return field;
  std::vector<std::string> names;
  for (int i = 0; i < descriptor->field_count(); ++i) {
    if (!descriptor->field(i)->is_repeated()) names.push_back(descriptor->field(i)->name());
  }
  const std::string nearest = Nearest(name, names);
  return UsageError(fmt::format("--optics: there is no `{}`", Printable(name)),
                    nearest.empty() ? fmt::format("Choose from: {}.", fmt::join(names, ", "))
                                    : fmt::format("Did you mean `{}`?", nearest));
}

absl::StatusOr<std::vector<double>> ParseValues(const std::string& name, std::string_view text) {
  std::vector<double> values;
  for (;;) {
    const size_t slash = text.find('/');
    const std::string_view part = text.substr(0, slash);
    const absl::StatusOr<double> value = ParseNumber(part);
    if (!value.ok()) {
      return UsageError(fmt::format("--optics: {} is `{}`, which is no number", Printable(name), Printable(part)),
                        "Give a decimal number, for instance na=1.4.");
    }
    values.push_back(*value);
    if (slash == std::string_view::npos) return values;
    text.remove_prefix(slash + 1);
  }
}

}  // namespace

const std::map<std::string, v1::Microscopy>& MicroscopyNames() {
  static const std::map<std::string, v1::Microscopy> names = [] {
    std::map<std::string, v1::Microscopy> all;
    const auto* kinds = v1::Microscopy_descriptor();
    for (int i = 0; i < kinds->value_count(); ++i) {
      const auto kind = static_cast<v1::Microscopy>(kinds->value(i)->number());
      if (kind != v1::MICROSCOPY_UNSPECIFIED) all.emplace(MicroscopyName(kind), kind);
    }
    return all;
  }();
  return names;
}

std::string MicroscopyName(v1::Microscopy kind) {
  return OptionName(v1::Microscopy_Name(kind == v1::MICROSCOPY_UNSPECIFIED ? v1::WIDEFIELD : kind));
}

absl::StatusOr<OpticsValues> ParseOpticsValues(const std::vector<std::string>& texts) {
  ASSIGN_OR_RETURN(const auto assignments,
                   ParseAssignments(texts, "--optics", "Give NAME=VALUE,..., for instance na=1.4,emission_um=0.52."));
  OpticsValues values;
  for (const auto& [name, text] : assignments) {
    RETURN_IF_ERROR(FindField(name).status());
    ASSIGN_OR_RETURN(values[name], ParseValues(name, text));
  }
  return values;
}

void SetOptics(const OpticsValues& values, size_t c, v1::Optics& optics) {
  for (const auto& [name, list] : values) {
    const auto* field = v1::Optics::descriptor()->FindFieldByName(name);
    const double value = list.size() == 1 ? list.front() : list[c];
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
      optics.GetReflection()->SetBool(&optics, field, value != 0);
    } else {
      optics.GetReflection()->SetDouble(&optics, field, value);
    }
  }
}

absl::StatusOr<v1::Optics> ParseOptics(const std::vector<std::string>& texts) {
  ASSIGN_OR_RETURN(const OpticsValues values, ParseOpticsValues(texts));
  for (const auto& [name, list] : values) {
    if (list.size() > 1)
      return UsageError(fmt::format("--optics gives {} values of {} for one PSF", list.size(), name), "Give one.");
  }
  v1::Optics optics;
  SetOptics(values, 0, optics);
  return optics;
}

void AddOpticsOptions(CLI::App& verb, OpticsOptions& options) {
  verb.add_option("--optics", options.optics, kOptics)->type_name("NAME=VALUE")->delimiter(',')->group(kGroup);
  std::vector<std::string> names;
  for (const auto& [name, kind] : MicroscopyNames()) names.push_back(name);
  verb.add_option("--microscopy", options.microscopy, "Kind of microscope [as the file of INPUT tells]")
      ->check(CLI::IsMember(names))
      ->type_name("")
      ->group(kGroup);
  verb.add_flag("--assume", options.assume,
                "Take what is usual where neither the file of INPUT nor --optics tells what the PSF needs")
      ->group(kGroup);
}

std::string PsfModelName(v1::PsfModel model) {
  return OptionName(v1::PsfModel_Name(model == v1::PSF_MODEL_UNSPECIFIED ? v1::RICHARDS_WOLF : model));
}

void AddPsfModelOptions(CLI::App& verb, PsfModelOptions& options) {
  std::vector<std::string> names;
  for (const auto& [name, model] : Models()) names.push_back(name);
  verb.add_option("--model", options.model,
                  "How exactly light is computed: richards-wolf is vectorial, debye scalar for high apertures, "
                  "gibson-lanni the plain scalar one, born-wolf the same of an ideal objective, gaussian only has the "
                  "right widths [richards-wolf]")
      ->check(CLI::IsMember(names))
      ->type_name("")
      ->group(kGroup);
  verb.add_option("--zernike", options.zernike,
                  "Aberrations of the PSF as NUMBER=WAVES,...: Zernike modes after Noll (2 to 37; 4 defocus, 5 and 6 "
                  "astigmatism, 7 and 8 coma, 11 spherical), in wavelengths root mean square")
      ->type_name("NUMBER=WAVES")
      ->delimiter(',')
      ->group(kGroup);
}

absl::Status SetPsfModel(const PsfModelOptions& options, v1::ModelPsfSpec& spec) {
  spec.set_model(options.model.empty() ? v1::RICHARDS_WOLF : Models().at(options.model));
  return ParseZernike(options.zernike, *spec.mutable_optics());
}

}  // namespace deconvoy::client
