#include "worker/pipeline/file_tasks.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "worker/memory/budget.h"
#include "worker/pipeline/finding.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/server_files.h"

namespace deconvoy::worker {
namespace {

// A plane as it is in a volume, and as much again for what a file's library unpacks.
constexpr int64_t kPlanesInMemory = 2;

int64_t PlaneBytes(const v1::VolumeSpec& spec) {
  return int64_t{spec.shape().y()} * spec.shape().x() * BytesPerVoxel(spec.type());
}

int64_t PlanesOf(const v1::VolumeSpec& spec) {
  return int64_t{spec.shape().t()} * spec.shape().c() * spec.shape().z();
}

absl::Status Changed(const v1::FileAccess& file) {
  return MakeError({.reason = v1::FILE_CHANGED,
                    .remedy = "Import it again once nobody writes it any more.",
                    .metadata = {{"file", file.file()}}},
                   fmt::format("{}: it was changed while it was being imported", file.file()));
}

// What reading a file has found wrong with it.
absl::Status AsBadFile(const absl::Status& status) {
  if (ReasonOf(status) != v1::INVALID_FIELD && ReasonOf(status) != v1::LIMIT_EXCEEDED) return status;
  const v1::ErrorInfo info = InfoOf(status);
  return MakeError(
      {.reason = v1::BAD_FILE, .remedy = info.remedy(), .metadata = {info.metadata().begin(), info.metadata().end()}},
      std::string(status.message()));
}

// An image file, open under the name that its owner knows.
class OpenedImage {
 public:
  static absl::StatusOr<OpenedImage> Open(const v1::FileAccess& file) {
    ASSIGN_OR_RETURN(Descriptor descriptor, OpenForReading(file));
    ASSIGN_OR_RETURN(v1::FileStamp stamp, StampOf(descriptor, file));
    absl::StatusOr<std::unique_ptr<imageio::ImageReader>> reader = imageio::OpenImage(descriptor.number(), file.file());
    if (!reader.ok()) return AsBadFile(reader.status());
    return OpenedImage(file, std::move(descriptor), std::move(stamp), *std::move(reader));
  }

  imageio::ImageReader& reader() const { return *reader_; }
  const v1::VolumeSpec& spec() const { return reader_->spec(); }
  const v1::FileStamp& stamp() const { return stamp_; }  // when it was opened

  // Planes count in t,c,z order.
  absl::Status ReadPlane(int64_t plane, std::span<std::byte> target) const {
    const v1::Shape5& shape = spec().shape();
    const int64_t frame = plane / shape.z();
    return AsBadFile(reader_->ReadPlane(frame / shape.c(), frame % shape.c(), plane % shape.z(), target));
  }

  // FILE_CHANGED unless the file is as it was then.
  absl::Status CheckSame(const v1::FileStamp& then) const {
    ASSIGN_OR_RETURN(const v1::FileStamp now, StampOf(descriptor_, file_));
    return google::protobuf::util::MessageDifferencer::Equals(now, then) ? absl::OkStatus() : Changed(file_);
  }

 private:
  OpenedImage(const v1::FileAccess& file, Descriptor descriptor, v1::FileStamp stamp,
              std::unique_ptr<imageio::ImageReader> reader)
      : file_(file), descriptor_(std::move(descriptor)), stamp_(std::move(stamp)), reader_(std::move(reader)) {}

  v1::FileAccess file_;
  Descriptor descriptor_;
  v1::FileStamp stamp_;
  std::unique_ptr<imageio::ImageReader> reader_;
};

absl::Status CheckSize(const OpenedImage& image, const v1::LookAtFileTask& task) {
  const v1::VolumeSpec& spec = image.spec();
  RETURN_IF_ERROR(CheckBudget(kPlanesInMemory * PlaneBytes(spec), DefaultBudgetBytes(),
                              "Use a machine with more memory, or cut the planes into smaller ones."));
  const auto bytes = static_cast<uint64_t>(PlanesOf(spec) * PlaneBytes(spec));
  if (bytes <= task.largest_bytes()) return absl::OkStatus();
  return MakeError({.reason = v1::LIMIT_EXCEEDED,
                    .remedy = "Import a smaller file.",
                    .metadata = {{"file", task.file().file()}, {"limit", fmt::to_string(task.largest_bytes())}}},
                   fmt::format("{}: its voxels have {} bytes, more than the {} that the server has room for in all",
                               task.file().file(), bytes, task.largest_bytes()));
}

bool SameLayout(const v1::VolumeSpec& a, const v1::VolumeSpec& b) {
  return a.type() == b.type() && google::protobuf::util::MessageDifferencer::Equals(a.shape(), b.shape());
}

// The planes of a volume in t,c,z order, each to `visit`.
template <typename Visit>
absl::Status ForEachStoredPlane(const v1::VolumeAccess& volume, TaskContext& context, Visit visit) {
  const v1::VolumeSpec& spec = volume.spec();
  const v1::Shape5& shape = spec.shape();
  std::vector<std::byte> plane(static_cast<size_t>(PlaneBytes(spec)));
  for (int64_t i = 0; i < PlanesOf(spec); ++i) {
    const int64_t frame = i / shape.z();
    const FrameBox box{frame / shape.c(), frame % shape.c(), {{i % shape.z(), 0, 0}, {1, shape.y(), shape.x()}}};
    RETURN_IF_ERROR(context.source().Read(volume, box, plane));
    ASSIGN_OR_RETURN(const bool more, visit(i, plane));
    if (!more) return absl::OkStatus();
    RETURN_IF_ERROR(context.Progress(i + 1, PlanesOf(spec)));
  }
  return absl::OkStatus();
}

// Whether the file that is there holds this very volume. One that cannot be read as an image does not.
absl::StatusOr<bool> Holds(const v1::FileAccess& file, const v1::VolumeAccess& volume, TaskContext& context) {
  absl::StatusOr<OpenedImage> image = OpenedImage::Open(file);
  if (!image.ok()) return false;
  if (!SameLayout(image->spec(), volume.spec())) return false;
  if (!IsSameVoxelSize(image->spec().voxel_size(), volume.spec().voxel_size())) return false;
  bool same = true;
  std::vector<std::byte> there(static_cast<size_t>(PlaneBytes(volume.spec())));
  const auto compare = [&](int64_t i, const std::vector<std::byte>& plane) -> absl::StatusOr<bool> {
    same = image->ReadPlane(i, there).ok() && there == plane;
    return same;
  };
  RETURN_IF_ERROR(ForEachStoredPlane(volume, context, compare));
  return same;
}

imageio::Compression CompressionOf(v1::FileCompression compression) {
  return compression == v1::FILE_DEFLATE ? imageio::Compression::kDeflate
         : compression == v1::FILE_ZSTD  ? imageio::Compression::kZstd
                                         : imageio::Compression::kNone;
}

// Writes the file, and the size that it then has into `bytes`.
absl::Status Write(const std::string& path, const v1::ExportSpec& spec, const v1::VolumeAccess& volume,
                   TaskContext& context, uint64_t& bytes) {
  const imageio::WriteOptions options{.compression = CompressionOf(spec.compression()), .overwrite = spec.overwrite()};
  ASSIGN_OR_RETURN(const std::unique_ptr<imageio::ImageWriter> writer,
                   imageio::CreateImage(path, volume.spec(), options));
  const auto write = [&](int64_t, const std::vector<std::byte>& plane) -> absl::StatusOr<bool> {
    RETURN_IF_ERROR(writer->WritePlane(plane));
    return true;
  };
  RETURN_IF_ERROR(ForEachStoredPlane(volume, context, write));
  RETURN_IF_ERROR(writer->Finish());
  struct stat state {};
  if (stat(path.c_str(), &state) == 0) bytes = static_cast<uint64_t>(state.st_size);
  return absl::OkStatus();
}

absl::Status Exists(const v1::FileAccess& file) {
  return MakeError({.reason = v1::FILE_EXISTS,
                    .remedy = "Give another name, or allow it to be replaced (--overwrite).",
                    .metadata = {{"file", file.file()}}},
                   fmt::format("{}: there is a file of this name already", file.file()));
}

// What is wrong with the place of a file.
absl::Status AsBarred(const absl::Status& status) {
  if (ReasonOf(status) != v1::INVALID_FIELD) return status;
  const v1::ErrorInfo info = InfoOf(status);
  return MakeError({.reason = v1::PATH_NOT_ALLOWED,
                    .remedy = info.remedy(),
                    .metadata = {info.metadata().begin(), info.metadata().end()}},
                   std::string(status.message()));
}

bool IsThere(const std::string& path) {
  struct stat state {};
  return lstat(path.c_str(), &state) == 0;
}

}  // namespace

absl::StatusOr<v1::TaskResult> RunLookAtFile(const v1::Task& task, TaskContext& context) {
  ASSIGN_OR_RETURN(const OpenedImage image, OpenedImage::Open(task.look_at_file().file()));
  RETURN_IF_ERROR(CheckSize(image, task.look_at_file()));
  v1::TaskResult result;
  v1::LookAtFileResult& found = *result.mutable_look_at_file();
  *found.mutable_spec() = image.spec();
  *found.mutable_stamp() = image.stamp();
  for (const std::string& note : image.reader().notes()) *found.add_findings() = Info(note);
  const int64_t planes = PlanesOf(image.spec());
  std::vector<std::byte> plane(static_cast<size_t>(PlaneBytes(image.spec())));
  VolumeDigester digester(static_cast<int64_t>(plane.size()));
  for (int64_t i = 0; i < planes; ++i) {
    RETURN_IF_ERROR(image.ReadPlane(i, plane));
    digester.Update(plane);
    RETURN_IF_ERROR(context.Progress(i + 1, planes));
  }
  RETURN_IF_ERROR(image.CheckSame(image.stamp()));
  const Sha256Digest digest = digester.Finish();
  found.mutable_spec()->set_digest(digest.data(), digest.size());
  return result;
}

absl::StatusOr<v1::TaskResult> RunReadFile(const v1::Task& task, TaskContext& context) {
  const v1::ReadFileTask& work = task.read_file();
  ASSIGN_OR_RETURN(const OpenedImage image, OpenedImage::Open(work.file()));
  RETURN_IF_ERROR(image.CheckSame(work.stamp()));
  if (!SameLayout(image.spec(), work.spec())) return Changed(work.file());
  const v1::Shape5& shape = image.spec().shape();
  int64_t planes = 0, done = 0;
  for (const v1::OutputPiece& piece : task.outputs()) planes += piece.box().size_z();
  std::vector<std::byte> plane(static_cast<size_t>(PlaneBytes(image.spec())));
  PieceWriter writer(task, context.sink());
  for (const v1::OutputPiece& piece : task.outputs()) {
    const v1::Box& box = piece.box();
    const int64_t first = (int64_t{box.t()} * shape.c() + box.c()) * shape.z() + box.z();
    for (int64_t z = 0; z < int64_t{box.size_z()}; ++z) {
      RETURN_IF_ERROR(image.ReadPlane(first + z, plane));
      RETURN_IF_ERROR(writer.Append(plane));
      RETURN_IF_ERROR(context.Progress(++done, planes));
    }
  }
  RETURN_IF_ERROR(image.CheckSame(work.stamp()));
  v1::TaskResult result;
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

absl::StatusOr<v1::TaskResult> RunWriteFile(const v1::Task& task, TaskContext& context) {
  const v1::WriteFileTask& work = task.write_file();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* volume, FindInput(task, work.spec().volume()));
  ASSIGN_OR_RETURN(const Descriptor folder, OpenFolder(work.file()));
  const std::string path = folder.path() + "/" + NameIn(work.file());
  v1::TaskResult result;
  v1::WriteFileResult& written = *result.mutable_write_file();
  if (!work.spec().overwrite() && IsThere(path)) {
    ASSIGN_OR_RETURN(const bool same, Holds(work.file(), *volume, context));
    if (!same) return Exists(work.file());
    ASSIGN_OR_RETURN(const Descriptor there, OpenForReading(work.file()));
    ASSIGN_OR_RETURN(const v1::FileStamp stamp, StampOf(there, work.file()));
    written.set_size_bytes(stamp.size_bytes());
    written.set_already_there(true);
    return result;
  }
  uint64_t bytes = 0;
  const absl::Status status = Write(path, work.spec(), *volume, context, bytes);
  if (ReasonOf(status) == v1::INVALID_FIELD && !work.spec().overwrite() && IsThere(path)) return Exists(work.file());
  RETURN_IF_ERROR(AsBarred(WithFileName(status, folder, work.file())));
  written.set_size_bytes(bytes);
  return result;
}

absl::StatusOr<int64_t> FileTaskBytes(const v1::Task& task) {
  if (task.has_read_file()) return kPlanesInMemory * PlaneBytes(task.read_file().spec());
  ASSIGN_OR_RETURN(const v1::VolumeAccess* volume, FindInput(task, task.write_file().spec().volume()));
  return kPlanesInMemory * PlaneBytes(volume->spec());
}

bool EndsFileTask(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case v1::NOT_FOUND:
    case v1::PATH_NOT_ALLOWED:
    case v1::FILE_EXISTS:
    case v1::FILE_CHANGED:
    case v1::BAD_FILE:
    case v1::LIMIT_EXCEEDED:
      return true;
    default:
      return false;
  }
}

}  // namespace deconvoy::worker
