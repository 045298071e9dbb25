// CreateImage: ImageJ TIFF and OME-TIFF, one page per plane.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "client/imageio/image_errors.h"
#include "client/imageio/image_file.h"
#include "client/imageio/imagej.h"
#include "client/imageio/ome.h"
#include "client/imageio/output_file.h"
#include "client/imageio/tiff_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::imageio {
namespace {

enum class Format { kImageJ, kOme };

constexpr int64_t kDirectoryBytes = 1024;       // more than one page takes beside its pixels, label included
constexpr int64_t kClassicBytes = 0xffff'0000;  // classic TIFF counts bytes in 32 bits
constexpr int64_t kCompressedStripBytes = 256 * 1024;
constexpr int64_t kWritingBytes = int64_t{8} << 20;  // after which the system begins to write them
constexpr int64_t kStripBytes = int64_t{1} << 30;

bool EndsWith(std::string name, std::string_view end) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.ends_with(end);
}

std::optional<Format> FormatOf(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  if (EndsWith(name, ".ome.tif") || EndsWith(name, ".ome.tiff")) return Format::kOme;
  if (EndsWith(name, ".tif") || EndsWith(name, ".tiff")) return Format::kImageJ;
  return std::nullopt;
}

absl::Status CheckName(const std::filesystem::path& path) {
  constexpr std::string_view kRemedy = "Name it .tif, .tiff, .ome.tif or .ome.tiff.";
  std::error_code ignored;
  if (!path.has_filename() || std::filesystem::is_directory(path, ignored)) {
    return FileError(path, "is a folder, not a file",
                     fmt::format("Name a file in it, for instance {}.", (path / "result.tif").string()));
  }
  if (FormatOf(path)) return absl::OkStatus();
  const std::string extension = path.extension().string();
  if (extension.empty()) return FileError(path, "has no extension, and only TIFF is written", kRemedy);
  return FileError(path, fmt::format("has the extension \"{}\", and only TIFF is written", extension), kRemedy);
}

// At most what a file of these planes takes without compression.
int64_t FileBytes(const Shape5& shape, v1::VoxelType type) {
  return VolumeBytes(shape, type) + shape.frames() * shape.z * kDirectoryBytes;
}

// ImageJ's private tags, which libtiff must be told of.
void DefineImageJTags(TIFF* handle) {
  static const std::array<TIFFFieldInfo, 2> fields{{
      {kImageJByteCountsTag, TIFF_VARIABLE2, TIFF_VARIABLE2, TIFF_LONG, FIELD_CUSTOM, 1, 1,
       const_cast<char*>("ImageJMetadataByteCounts")},
      {kImageJMetadataTag, TIFF_VARIABLE2, TIFF_VARIABLE2, TIFF_BYTE, FIELD_CUSTOM, 1, 1,
       const_cast<char*>("ImageJMetadata")},
  }};
  TIFFMergeFieldInfo(handle, fields.data(), static_cast<uint32_t>(fields.size()));
}

// ImageJ's pages run over channels fastest, so one time point's planes wait until it is whole.
bool NeedsSpool(Format format, const Shape5& shape) {
  return format == Format::kImageJ && shape.c > 1 && shape.z > 1;
}

class TiffWriter : public ImageWriter {
 public:
  TiffWriter(std::unique_ptr<OutputFile> file, Format format, v1::VolumeSpec spec, const Shape5& shape,
             const WriteOptions& options)
      : file_(std::move(file)),
        format_(format),
        spec_(std::move(spec)),
        shape_(shape),
        compression_(options.compression),
        display_range_(options.display_range),
        plane_bytes_(shape.y * shape.x * BytesPerVoxel(spec_.type())) {}

  // Opens the TIFF, and the spool where planes do not come in the order of the pages.
  absl::Status Begin(bool big) {
    if (NeedsSpool(format_, shape_)) {
      ASSIGN_OR_RETURN(spool_, OutputFile::Create(file_->path(), 0, true));
      plane_.resize(static_cast<size_t>(plane_bytes_));
    }
    ASSIGN_OR_RETURN(tiff_, TiffFile::Begin(file_->descriptor(), file_->path(), big));
    if (format_ == Format::kImageJ) DefineImageJTags(tiff_->handle());
    return absl::OkStatus();
  }

  absl::Status WritePlane(std::span<const std::byte> plane) override {
    RETURN_IF_ERROR(failure_);
    failure_ = Accept(plane);
    if (!failure_.ok()) Drop();
    return failure_;
  }

  absl::Status Finish() override {
    RETURN_IF_ERROR(failure_);
    failure_ = Complete();
    Drop();
    const absl::Status result = failure_;
    if (failure_.ok()) failure_ = FileError(path_, "is finished already");
    return result;
  }

 private:
  absl::Status Accept(std::span<const std::byte> plane) {
    if (static_cast<int64_t>(plane.size()) != plane_bytes_ || planes_ == shape_.frames() * shape_.z) {
      return FileError(path_, fmt::format("cannot take plane {} of {} bytes: it has {} planes of {} bytes", planes_ + 1,
                                          plane.size(), shape_.frames() * shape_.z, plane_bytes_));
    }
    const int64_t in_time_point = planes_++ % (shape_.c * shape_.z);
    if (spool_ == nullptr) return WritePage(plane);
    RETURN_IF_ERROR(spool_->WriteAt(in_time_point * plane_bytes_, plane));
    return in_time_point + 1 == shape_.c * shape_.z ? WriteTimePoint() : absl::OkStatus();
  }

  absl::Status WriteTimePoint() {
    for (int64_t z = 0; z < shape_.z; ++z) {
      for (int64_t c = 0; c < shape_.c; ++c) {
        RETURN_IF_ERROR(spool_->ReadAt((c * shape_.z + z) * plane_bytes_, plane_));
        RETURN_IF_ERROR(WritePage(plane_));
      }
    }
    return absl::OkStatus();
  }

  absl::Status WritePage(std::span<const std::byte> plane) {
    SetTags();
    if (pages_ == 0) SetDescription();
    TIFF* handle = tiff_->handle();
    const int64_t row_bytes = plane_bytes_ / shape_.y, rows = RowsPerStrip();
    uint32_t strip = 0;
    for (int64_t row = 0; row < shape_.y; row += rows, ++strip) {
      const int64_t bytes = std::min(rows, shape_.y - row) * row_bytes;
      // libtiff takes a mutable pointer, but encodes from a copy.
      void* source = const_cast<std::byte*>(plane.data() + row * row_bytes);
      if (TIFFWriteEncodedStrip(handle, strip, source, bytes) != bytes) return WriteFailure();
    }
    ++pages_;
    if ((unwritten_ += plane_bytes_) >= kWritingBytes) {
      unwritten_ = 0;
      file_->StartWriting();
    }
    return TIFFWriteDirectory(handle) == 1 ? absl::OkStatus() : WriteFailure();
  }

  absl::Status WriteFailure() {
    if (tiff_->write_errno() != 0) {
      return SystemError(path_, "written", tiff_->write_errno(), VolumeBytes(shape_, spec_.type()));
    }
    return MakeError({.reason = v1::STORAGE_FAILURE},
                     fmt::format("{}: cannot be written: {}", path_.string(), tiff_->TakeMessages()));
  }

  int64_t RowsPerStrip() const {
    const int64_t row_bytes = plane_bytes_ / shape_.y;
    const int64_t strip_bytes = compression_ == Compression::kNone ? kStripBytes : kCompressedStripBytes;
    return std::clamp<int64_t>(strip_bytes / row_bytes, 1, shape_.y);
  }

  void SetTags() {
    TIFF* handle = tiff_->handle();
    const bool real = spec_.type() == v1::F32;
    TIFFSetField(handle, TIFFTAG_SUBFILETYPE, 0);
    TIFFSetField(handle, TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(shape_.x));
    TIFFSetField(handle, TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(shape_.y));
    TIFFSetField(handle, TIFFTAG_BITSPERSAMPLE, static_cast<int>(BytesPerVoxel(spec_.type()) * 8));
    TIFFSetField(handle, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(handle, TIFFTAG_SAMPLEFORMAT, real ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
    TIFFSetField(handle, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(handle, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(handle, TIFFTAG_ROWSPERSTRIP, static_cast<uint32_t>(RowsPerStrip()));
    if (compression_ == Compression::kNone) {
      TIFFSetField(handle, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    } else {
      TIFFSetField(handle, TIFFTAG_COMPRESSION,
                   compression_ == Compression::kZstd ? COMPRESSION_ZSTD : COMPRESSION_ADOBE_DEFLATE);
      if (!real) TIFFSetField(handle, TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL);
    }
    SetResolution();
  }

  // ImageJ takes the unit from its description; others read pixels per centimetre.
  void SetResolution() {
    const v1::VoxelSize& size = spec_.voxel_size();
    if (size.x_um() <= 0 || size.y_um() <= 0) return;
    const double unit_um = format_ == Format::kImageJ ? 1 : 1e4;
    TIFFSetField(tiff_->handle(), TIFFTAG_RESOLUTIONUNIT,
                 format_ == Format::kImageJ ? RESUNIT_NONE : RESUNIT_CENTIMETER);
    TIFFSetField(tiff_->handle(), TIFFTAG_XRESOLUTION, unit_um / size.x_um());
    TIFFSetField(tiff_->handle(), TIFFTAG_YRESOLUTION, unit_um / size.y_um());
  }

  void SetDescription() {
    const std::string text = format_ == Format::kOme ? FormatOme(spec_) : FormatImageJ(spec_, display_range_);
    TIFFSetField(tiff_->handle(), TIFFTAG_IMAGEDESCRIPTION, text.c_str());
    const bool named = std::any_of(spec_.channels().begin(), spec_.channels().end(),
                                   [](const v1::Channel& channel) { return !channel.name().empty(); });
    if (format_ == Format::kImageJ && named) SetLabels();
  }

  // Every plane is labelled with its channel's name: the only place that ImageJ has for it.
  void SetLabels() {
    std::vector<std::string> labels;
    for (int64_t i = 0; i < shape_.frames() * shape_.z; ++i) {
      labels.push_back(spec_.channels(static_cast<int>(i % shape_.c)).name());
    }
    const ImageJMetadata metadata = EncodeLabels(labels);
    TIFFSetField(tiff_->handle(), kImageJByteCountsTag, static_cast<uint32_t>(metadata.counts.size()),
                 metadata.counts.data());
    TIFFSetField(tiff_->handle(), kImageJMetadataTag, static_cast<uint32_t>(metadata.bytes.size()),
                 metadata.bytes.data());
  }

  absl::Status Complete() {
    if (planes_ != shape_.frames() * shape_.z) {
      return FileError(
          path_, fmt::format("is not complete: {} of {} planes were written", planes_, shape_.frames() * shape_.z));
    }
    if (TIFFFlush(tiff_->handle()) != 1 || tiff_->write_errno() != 0) return WriteFailure();
    tiff_.reset();
    return file_->Commit();
  }

  void Drop() {
    tiff_.reset();
    spool_.reset();
    file_.reset();
  }

  std::unique_ptr<OutputFile> file_;
  const std::filesystem::path path_ = file_->path();
  const Format format_;
  const v1::VolumeSpec spec_;
  const Shape5 shape_;
  const Compression compression_;
  const std::optional<DisplayRange> display_range_;
  const int64_t plane_bytes_;
  std::unique_ptr<OutputFile> spool_;  // planes of the time point under way, where they must be reordered
  std::vector<std::byte> plane_;       // one plane out of the spool
  std::unique_ptr<TiffFile> tiff_;
  int64_t planes_ = 0;     // accepted
  int64_t pages_ = 0;      // written
  int64_t unwritten_ = 0;  // bytes since the system was told to begin
  absl::Status failure_;
};

}  // namespace

int64_t RoomFor(const std::filesystem::path& path, const v1::VolumeSpec& spec, const WriteOptions& options) {
  const Shape5 shape = ToShape(spec.shape(), spec.type(), "shape").value();
  const int64_t bytes = VolumeBytes(shape, spec.type());
  // What compression saves is not known before; the disk then tells when it is full.
  const int64_t file = options.compression == Compression::kNone ? FileBytes(shape, spec.type()) : 0;
  return file + (NeedsSpool(*FormatOf(path), shape) ? bytes / shape.t : 0);
}

absl::Status CheckWritable(const std::filesystem::path& path, int64_t need_bytes) {
  RETURN_IF_ERROR(CheckName(path));
  return OutputFile::Create(path, need_bytes, /*overwrite=*/true).status();
}

absl::StatusOr<std::unique_ptr<ImageWriter>> CreateImage(const std::filesystem::path& path, const v1::VolumeSpec& spec,
                                                         const WriteOptions& options) {
  RETURN_IF_ERROR(CheckName(path));
  RETURN_IF_ERROR(ValidateVolumeSpec(spec));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), "shape"));
  ASSIGN_OR_RETURN(std::unique_ptr<OutputFile> file,
                   OutputFile::Create(path, RoomFor(path, spec, options), options.overwrite));
  auto writer = std::make_unique<TiffWriter>(std::move(file), *FormatOf(path), spec, shape, options);
  RETURN_IF_ERROR(writer->Begin(FileBytes(shape, spec.type()) > kClassicBytes));
  return writer;
}

}  // namespace deconvoy::imageio
