#include "client/cli/options/field_options.h"

namespace deconvoy::client {
namespace {

constexpr FieldOption kFieldOptions[] = {
    {"run", "deconvolve.method", "--method"},
    {"run", "deconvolve.boundary", "--boundary"},
    {"run", "deconvolve.tile", "--tile"},
    {"run", "deconvolve.region_origin", "--region"},
    {"run", "deconvolve.region_shape", "--region"},
    {"run", "deconvolve.backend", "--backend"},
    {"run", "deconvolve.psf_volume", "--psf"},
    {"run", "deconvolve.psf_depths_um", "--psf-depths-um"},
    {"run", "deconvolve.optics", "--optics"},
    {"run", "deconvolve.microscopy", "--microscopy"},
    {"psf check", "check_psf.psf_volume", "PSF"},
    {"psf check", "check_psf.psf_centre", "--psf-centre"},
    {"psf check", "check_psf.psf_centre_voxel", "--psf-centre"},
    {"psf check", "check_psf.psf_energy", "--psf-energy"},
    {"psf check", "check_psf.psf_background_auto", "--psf-background"},
    {"psf check", "check_psf.psf_background_counts", "--psf-background"},
    {"psf check", "check_psf.image_voxel_size", "--voxel-um"},
    {"psf check", "check_psf.optics", "--optics"},
    {"psf check", "check_psf.microscopy", "--microscopy"},
    {"run", "deconvolve.mask_volume", "--mask"},
    {"run", "deconvolve.saturation_counts", "--saturation"},
    {"run", "deconvolve.flat_field_volume", "--flat-field"},
    {"run", "deconvolve.estimate_gain", "--gain"},
    {"run", "deconvolve.dark_photons", "--dark"},
    {"run", "deconvolve.keep_bad_pixels", "--bad-pixels"},
    {"run", "deconvolve.correct_bleaching", "--bleaching"},
    {"run", "deconvolve.correct_flicker", "--flicker"},
    {"run", "deconvolve.correct_motion", "--motion"},
    {"run", "deconvolve.psf_centre", "--psf-centre"},
    {"run", "deconvolve.psf_centre_voxel", "--psf-centre"},
    {"run", "deconvolve.psf_energy", "--psf-energy"},
    {"run", "deconvolve.psf_background_auto", "--psf-background"},
    {"run", "deconvolve.psf_background_counts", "--psf-background"},
    {"run", "deconvolve.offset_counts", "--offset"},
    {"run", "deconvolve.gain_photons_per_count", "--gain"},
    {"run", "deconvolve.read_noise_photons", "--read-noise"},
    {"run", "deconvolve.background_counts", "--background"},
    {"run", "deconvolve.background_percentile", "--background"},
    {"run", "deconvolve.background_planes", "--background"},
    {"run", "deconvolve.output_type", "--dtype"},
    {"run", "deconvolve.residual", "--residual"},
    {"run", "deconvolve.models", "--network"},
    {"run", "deconvolve.spread", "--spread"},
    {"run", "deconvolve.compared_tiles", "--compared-tiles"},
    {"run", "deconvolve.classical_method", "--compare-with"},
    {"models train", "train_model.voxel_size", "--voxel-um"},
    {"models train", "train_model.least_noise", "--least-noise"},
    {"models train", "train_model.most_noise", "--most-noise"},
    {"models train", "train_model.specimens", "--specimens"},
    {"models train", "train_model.validation", "--validation"},
    {"stream", "deconvolve.first_planes", "--first-planes"},
    {"simulate", "simulate.shape", "--shape"},
    {"simulate", "simulate.kind", "--kind"},
    {"simulate", "simulate.seed", "--seed"},
    {"simulate", "simulate.voxel_size", "--voxel-um"},
    {"simulate", "simulate.psf_fwhm", "--psf-fwhm-um"},
    {"simulate", "simulate.psf_volume", "--psf"},
    {"simulate", "simulate.peak_photons", "--photons"},
    {"simulate", "simulate.background_photons", "--background"},
    {"simulate", "simulate.read_noise_photons", "--read-noise"},
    {"simulate", "simulate.gain_photons_per_count", "--gain"},
    {"simulate", "simulate.offset_counts", "--offset"},
    {"simulate", "simulate.raw_type", "--dtype"},
    {"psf generate", "model_psf.shape", "--shape"},
    {"psf generate", "model_psf.voxel_size", "--voxel-um"},
    {"psf distill", "distill.shape", "--shape"},
    {"psf distill", "distill.channel", "--channel"},
    {"psf distill", "distill.least_snr", "--snr"},
    {"psf distill", "distill.saturation_counts", "--saturation"},
};

// `deconvolve.tile.core.z` belongs to `deconvolve.tile`.
bool IsPartOf(std::string_view name, std::string_view field) {
  return name.starts_with(field) && (name.size() == field.size() || name[field.size()] == '.');
}

std::string_view OptionOf(std::string_view name) {
  for (const FieldOption& entry : kFieldOptions)
    if (IsPartOf(name, entry.field)) return entry.option;
  return {};
}

}  // namespace

std::span<const FieldOption> FieldOptions() {
  return kFieldOptions;
}

std::string WithOptions(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t begin = text.find('`'), end = begin == text.npos ? text.npos : text.find('`', begin + 1);
    if (end == text.npos) break;
    const std::string_view option = OptionOf(text.substr(begin + 1, end - begin - 1));
    result += text.substr(0, begin);
    result += option.empty() ? text.substr(begin, end - begin + 1) : option;
    text.remove_prefix(end + 1);
  }
  return result.append(text);
}

}  // namespace deconvoy::client
