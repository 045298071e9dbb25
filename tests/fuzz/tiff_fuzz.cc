// A TIFF file of unknown origin: its structure, OME-XML, ImageJ text and pixels.
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/fuzz/input.h"

namespace {

using namespace deconvoy;

// Small files may stand for large planes; decoding them takes the time that other inputs need.
constexpr int64_t kPlaneBytes = int64_t{4} << 20;
constexpr int64_t kPlanes = 64;

void ReadPlanes(imageio::ImageReader& image) {
  const v1::Shape5& shape = image.spec().shape();
  const int64_t bytes = int64_t{shape.y()} * shape.x() * BytesPerVoxel(image.spec().type());
  if (bytes > kPlaneBytes) return;
  std::vector<std::byte> plane(static_cast<size_t>(bytes));
  const int64_t planes = int64_t{shape.t()} * shape.c() * shape.z();
  for (int64_t i = 0; i < std::min(planes, kPlanes); ++i) {
    const int64_t z = i % shape.z(), c = i / shape.z() % shape.c(), t = i / shape.z() / shape.c();
    const absl::Status status = image.ReadPlane(t, c, z, plane);
    fuzz::Require(status.ok() || ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED, "a refusal has a reason");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int file = memfd_create("fuzz.tif", MFD_CLOEXEC);
  fuzz::Require(file >= 0 && write(file, data, size) == static_cast<ssize_t>(size), "a file in memory");
  const auto image = imageio::OpenImage("/proc/self/fd/" + std::to_string(file));
  if (image.ok()) {
    fuzz::Require(ValidateVolumeSpec((*image)->spec()).ok(), "what is read can be uploaded");
    ReadPlanes(**image);
  } else {
    fuzz::Require(ReasonOf(image.status()) != v1::ERROR_REASON_UNSPECIFIED, "a refusal has a reason");
  }
  close(file);
  return 0;
}
