#include "tests/integration/support/image.h"

#include <cmath>
#include <cstring>
#include <numeric>

#include "client/imageio/image_file.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::testing {

namespace {

double VoxelAt(const std::byte* bytes, v1::VoxelType type, int64_t index) {
  if (type == v1::U8) return std::to_integer<int>(bytes[index]);
  if (type == v1::U16) {
    uint16_t value;
    std::memcpy(&value, bytes + 2 * index, 2);
    return value;
  }
  float value;
  std::memcpy(&value, bytes + 4 * index, 4);
  return static_cast<double>(value);
}

void PutVoxel(std::byte* bytes, v1::VoxelType type, int64_t index, double voxel) {
  if (type == v1::U8) {
    bytes[index] = static_cast<std::byte>(std::lround(voxel));
  } else if (type == v1::U16) {
    const auto value = static_cast<uint16_t>(std::lround(voxel));
    std::memcpy(bytes + 2 * index, &value, 2);
  } else {
    const auto value = static_cast<float>(voxel);
    std::memcpy(bytes + 4 * index, &value, 4);
  }
}

double SquaredDistance(const std::vector<double>& a, const std::vector<double>& b, double scale) {
  double sum = 0;
  for (size_t i = 0; i < b.size(); ++i) sum += (scale * a[i] - b[i]) * (scale * a[i] - b[i]);
  return sum;
}

double Dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

Shape5 Image::shape() const {
  const v1::Shape5& s = spec.shape();
  return {s.t(), s.c(), s.z(), s.y(), s.x()};
}

double Image::at(int64_t c, int64_t z, int64_t y, int64_t x) const {
  const Shape5 s = shape();
  return voxels[static_cast<size_t>(((c * s.z + z) * s.y + y) * s.x + x)];
}

absl::StatusOr<Image> LoadImage(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(auto reader, imageio::OpenImage(path));
  Image image{reader->spec(), {}};
  const Shape5 s = image.shape();
  const int64_t plane = s.y * s.x;
  std::vector<std::byte> bytes(static_cast<size_t>(plane * BytesPerVoxel(image.spec.type())));
  image.voxels.reserve(static_cast<size_t>(s.voxels()));
  for (int64_t i = 0; i < s.t * s.c * s.z; ++i) {
    RETURN_IF_ERROR(reader->ReadPlane(i / (s.c * s.z), i / s.z % s.c, i % s.z, bytes));
    for (int64_t k = 0; k < plane; ++k) image.voxels.push_back(VoxelAt(bytes.data(), image.spec.type(), k));
  }
  return image;
}

absl::Status SaveImage(const std::filesystem::path& path, const v1::VolumeSpec& spec,
                       const std::vector<double>& voxels) {
  ASSIGN_OR_RETURN(auto writer, imageio::CreateImage(path, spec, {}));
  const int64_t plane = int64_t{spec.shape().y()} * spec.shape().x();
  std::vector<std::byte> bytes(static_cast<size_t>(plane * BytesPerVoxel(spec.type())));
  for (size_t start = 0; start < voxels.size(); start += static_cast<size_t>(plane)) {
    for (int64_t k = 0; k < plane; ++k) PutVoxel(bytes.data(), spec.type(), k, voxels[start + static_cast<size_t>(k)]);
    RETURN_IF_ERROR(writer->WritePlane(bytes));
  }
  return writer->Finish();
}

v1::VolumeSpec MakeSpec(const Shape5& shape, v1::VoxelType type) {
  v1::VolumeSpec spec;
  *spec.mutable_shape() = ToProto(shape);
  spec.set_type(type);
  spec.mutable_voxel_size()->set_z_um(0.2);
  spec.mutable_voxel_size()->set_y_um(0.1);
  spec.mutable_voxel_size()->set_x_um(0.1);
  return spec;
}

std::vector<double> GaussianPsf(const Shape3& shape, double sigma_z, double sigma_y, double sigma_x) {
  std::vector<double> psf;
  for (int64_t z = 0; z < shape.z; ++z)
    for (int64_t y = 0; y < shape.y; ++y)
      for (int64_t x = 0; x < shape.x; ++x) {
        const double dz = static_cast<double>(z - shape.z / 2) / sigma_z;
        const double dy = static_cast<double>(y - shape.y / 2) / sigma_y;
        const double dx = static_cast<double>(x - shape.x / 2) / sigma_x;
        psf.push_back(std::exp(-0.5 * (dz * dz + dy * dy + dx * dx)));
      }
  const double sum = Sum(psf);
  for (double& value : psf) value /= sum;
  return psf;
}

double RelativeL2(const std::vector<double>& a, const std::vector<double>& reference) {
  return std::sqrt(SquaredDistance(a, reference, 1) / Dot(reference, reference));
}

double NrmseOfRange(const std::vector<double>& a, const std::vector<double>& reference) {
  const auto [low, high] = std::minmax_element(reference.begin(), reference.end());
  return std::sqrt(SquaredDistance(a, reference, 1) / static_cast<double>(a.size())) / (*high - *low);
}

double MaxAbs(const std::vector<double>& a, const std::vector<double>& reference) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - reference[i]));
  return largest;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size()), ma = Sum(a) / n, mb = Sum(b) / n;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

double ScaleFreeNrmse(const std::vector<double>& a, const std::vector<double>& reference) {
  return std::sqrt(SquaredDistance(a, reference, Dot(a, reference) / Dot(a, a)) / Dot(reference, reference));
}

double Sum(const std::vector<double>& a) {
  return std::accumulate(a.begin(), a.end(), 0.0);
}

}  // namespace deconvoy::testing
