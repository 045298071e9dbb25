// A volume as it comes over the wire, beside another one that is to be its PSF.
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/error.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  fuzz::Input input(data, size);
  v1::VolumeSpec psf, image;
  if (!fuzz::ParseTwo(input, psf, image)) return 0;
  const absl::Status valid = ValidateVolumeSpec(image);
  if (!valid.ok()) {
    fuzz::CheckRefusal(valid);
    return 0;
  }
  const auto shape = ToShape(image.shape(), image.type(), "shape");
  fuzz::Require(shape.ok() && VolumeBytes(*shape, image.type()) > 0, "the bytes of a valid volume can be counted");
  std::string note;
  if (ValidateVolumeSpec(psf).ok() && ValidatePair(image, psf, &note).ok()) {
    fuzz::Require(IsUtf8(note), "a note can be sent");
  }
  return 0;
}
