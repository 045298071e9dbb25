#include "client/cli/options/class_option.h"

#include <cstdint>

#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

constexpr int64_t kPreviewShare = 16;  // a preview's region is at most one of so many parts of a frame

bool IsPreview(const v1::VolumeSpec& image, const v1::DeconvolveSpec& spec) {
  if (!spec.has_region_shape()) return false;
  const v1::Shape5& shape = image.shape();
  const int64_t region = ToShape3(spec.region_shape()).voxels();
  const int64_t frame = Shape3{shape.z(), shape.y(), shape.x()}.voxels();
  const int64_t frames = int64_t{shape.t()} * shape.c();
  return region * kPreviewShare <= frame && region * frames <= frame;
}

}  // namespace

void AddClassOption(CLI::App& verb, std::string& target) {
  verb.add_option(
          "--class", target,
          "How urgent it is; interactive: before all others, when somebody waits for it; batch: whenever nothing "
          "else is to be done; auto: interactive for a preview, else normal. A preview is a --region of at most a "
          "sixteenth of a stack that in all time points and channels is not more than one stack")
      ->check(CLI::IsMember({"auto", "interactive", "normal", "batch"}))
      ->type_name("")
      ->capture_default_str()
      ->group("Server");
}

v1::JobClass JobClassOf(const std::string& name, const v1::VolumeSpec& image, const v1::DeconvolveSpec& spec) {
  if (name == "interactive") return v1::INTERACTIVE;
  if (name == "batch") return v1::BATCH;
  return name == "auto" && IsPreview(image, spec) ? v1::INTERACTIVE : v1::NORMAL;
}

}  // namespace deconvoy::client
