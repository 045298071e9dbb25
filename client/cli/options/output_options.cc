#include "client/cli/options/output_options.h"

namespace deconvoy::client {
namespace {
constexpr char kGroup[] = "Output";
}

void AddJsonOption(CLI::App& verb, Console& console) {
  verb.add_flag("--json", console.json, "Print JSON, one object per line, for programs")->group(kGroup);
}

void AddProgressOptions(CLI::App& verb, Console& console) {
  AddJsonOption(verb, console);
  verb.add_flag("--quiet", console.quiet, "Print errors only")->group(kGroup);
}

void AddImageOutputOptions(CLI::App& verb, ImageOutputOptions& options) {
  verb.add_option("--compress", options.compress, "Compression inside the file, without loss")
      ->check(CLI::IsMember({"none", "deflate", "zstd"}))
      ->type_name("")
      ->capture_default_str()
      ->group(kGroup);
}

void AddSavePreparedPsfOption(CLI::App& verb, std::string& file) {
  verb.add_option("--save-prepared-psf", file,
                  std::string("Write the PSF, too, as it was used in the end: without background, cropped, at the "
                              "image's voxels, of sum 1, its origin at voxel floor(n/2); an estimated one as it was "
                              "estimated") +
                      kReplaced)
      ->type_name("FILE");
}

imageio::WriteOptions ToWriteOptions(const ImageOutputOptions& options) {
  imageio::WriteOptions write;
  if (options.compress == "deflate") write.compression = imageio::Compression::kDeflate;
  if (options.compress == "zstd") write.compression = imageio::Compression::kZstd;
  return write;
}

}  // namespace deconvoy::client
