#include "worker/pipeline/file_tasks.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::MemoryTask;

constexpr Shape5 kShape{2, 2, 3, 4, 5};
constexpr size_t kPlaneBytes = 4 * 5 * 2;
constexpr size_t kBytes = 2 * 2 * 3 * kPlaneBytes;

// Every voxel is another number.
std::vector<std::byte> Voxels(uint8_t seed = 0) {
  std::vector<std::byte> bytes(kBytes);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + seed);
  return bytes;
}

v1::VolumeSpec Spec() {
  v1::VolumeSpec spec;
  *spec.mutable_shape() = ToProto(kShape);
  spec.set_type(v1::U16);
  spec.mutable_voxel_size()->set_z_um(0.3);
  spec.mutable_voxel_size()->set_y_um(0.1);
  spec.mutable_voxel_size()->set_x_um(0.1);
  spec.add_channels()->set_name("DAPI");
  spec.add_channels()->set_name("GFP");
  return spec;
}

class FileTasksTest : public ::testing::Test {
 protected:
  fs::path Path(const std::string& name) const { return folder_.path() / name; }
  v1::FileAccess Access(const std::string& path) const {
    struct stat state {};
    EXPECT_EQ(stat(folder_.path().c_str(), &state), 0);
    v1::FileAccess access;
    access.set_root_path(folder_.path().string());
    access.set_root_device(state.st_dev);
    access.set_root_inode(state.st_ino);
    access.set_path(path);
    access.set_file("data/" + path);
    return access;
  }
  void MakeFile(const std::string& name, const std::vector<std::byte>& voxels) {
    ASSERT_OK_AND_ASSIGN(const auto writer, imageio::CreateImage(Path(name), Spec(), {}));
    for (size_t at = 0; at < voxels.size(); at += kPlaneBytes) {
      ASSERT_OK(writer->WritePlane(std::span(voxels).subspan(at, kPlaneBytes)));
    }
    ASSERT_OK(writer->Finish());
  }
  std::vector<std::byte> VoxelsOf(const std::string& name) {
    std::vector<std::byte> voxels(kBytes);
    auto reader = imageio::OpenImage(Path(name));
    EXPECT_OK(reader);
    if (!reader.ok()) return {};
    for (int64_t i = 0; i < 12; ++i) {
      EXPECT_OK((*reader)->ReadPlane(i / 6, i / 3 % 2, i % 3,
                                     std::span(voxels).subspan(static_cast<size_t>(i) * kPlaneBytes, kPlaneBytes)));
    }
    return voxels;
  }
  size_t CountFiles() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  absl::StatusOr<v1::LookAtFileResult> Look(const std::string& path, uint64_t largest_bytes = 1 << 20) {
    MemoryTask task;
    *task.task.mutable_look_at_file()->mutable_file() = Access(path);
    task.task.mutable_look_at_file()->set_largest_bytes(largest_bytes);
    const auto result = RunLookAtFile(task.task, task);
    if (!result.ok()) return result.status();
    return result->look_at_file();
  }
  // A part of one frame: planes `z` to the last of t 1, c 0.
  void FillRead(const v1::LookAtFileResult& found, int64_t z, MemoryTask& task) {
    v1::ReadFileTask& read = *task.task.mutable_read_file();
    *read.mutable_file() = Access("raw.ome.tif");
    *read.mutable_stamp() = found.stamp();
    *read.mutable_spec() = found.spec();
    task.AddOutput("volumes/v", v1::U16, {1, 0, {{z, 0, 0}, {3 - z, 4, 5}}});
    task.AddOutput("volumes/v", v1::U16, {1, 1, {{0, 0, 0}, {1, 4, 5}}});
  }
  void FillWrite(const std::string& path, MemoryTask& task, uint8_t seed = 0) {
    task.AddInput("volumes/v", kShape, v1::U16, Voxels(seed));
    *task.task.mutable_inputs(0)->mutable_spec() = Spec();
    v1::WriteFileTask& write = *task.task.mutable_write_file();
    *write.mutable_file() = Access(path);
    write.mutable_spec()->set_volume("volumes/v");
  }

  deconvoy::testing::TemporaryFolder folder_;
};

TEST_F(FileTasksTest, LookingTellsWhatTheFileHolds) {
  MakeFile("raw.ome.tif", Voxels());
  ASSERT_OK_AND_ASSIGN(const v1::LookAtFileResult found, Look("raw.ome.tif"));
  EXPECT_EQ(found.spec().display_name(), "raw.ome.tif");
  EXPECT_EQ(found.spec().shape().SerializeAsString(), ToProto(kShape).SerializeAsString());
  EXPECT_EQ(found.spec().type(), v1::U16);
  EXPECT_NEAR(found.spec().voxel_size().z_um(), 0.3, 1e-6);
  ASSERT_EQ(found.spec().channels_size(), 2);
  EXPECT_EQ(found.spec().channels(1).name(), "GFP");
  VolumeDigester digester(kPlaneBytes);
  digester.Update(Voxels());
  const Sha256Digest digest = digester.Finish();
  EXPECT_EQ(found.spec().digest(), std::string(reinterpret_cast<const char*>(digest.data()), digest.size()));
  EXPECT_EQ(found.stamp().size_bytes(), fs::file_size(Path("raw.ome.tif")));
}

TEST_F(FileTasksTest, WhatIsNoImageIsSaidByItsName) {
  std::ofstream(Path("text.tif")) << "no image";
  const absl::Status text = Look("text.tif").status();
  EXPECT_EQ(ReasonOf(text), v1::BAD_FILE);
  EXPECT_THAT(std::string(text.message()), HasSubstr("data/text.tif"));
  EXPECT_THAT(std::string(text.message()), ::testing::Not(HasSubstr(folder_.path().string())));
  MakeFile("cut.ome.tif", Voxels());
  fs::resize_file(Path("cut.ome.tif"), fs::file_size(Path("cut.ome.tif")) / 2);
  EXPECT_EQ(ReasonOf(Look("cut.ome.tif").status()), v1::BAD_FILE);
  EXPECT_EQ(ReasonOf(Look("none.tif").status()), v1::NOT_FOUND);
}

TEST_F(FileTasksTest, MoreThanTheServerHoldsIsNotRead) {
  MakeFile("raw.ome.tif", Voxels());
  EXPECT_OK(Look("raw.ome.tif", kBytes).status());
  const absl::Status refused = Look("raw.ome.tif", kBytes - 1).status();
  EXPECT_EQ(ReasonOf(refused), v1::LIMIT_EXCEEDED);
  EXPECT_TRUE(EndsFileTask(refused));
}

TEST_F(FileTasksTest, PartsAreRead) {
  MakeFile("raw.ome.tif", Voxels());
  ASSERT_OK_AND_ASSIGN(const v1::LookAtFileResult found, Look("raw.ome.tif"));
  MemoryTask task;
  FillRead(found, 1, task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunReadFile(task.task, task));
  const std::vector<std::byte> all = Voxels();
  // Frame 2 (t 1, c 0) begins at plane 6, and the piece at its plane 1; what follows is the next frame's.
  const auto first = all.begin() + 7 * kPlaneBytes;
  EXPECT_EQ(task.output, std::vector<std::byte>(first, first + 3 * kPlaneBytes));
  ASSERT_EQ(result.piece_crc32c_size(), 2);
  EXPECT_EQ(result.piece_crc32c(0), Crc32c(std::span(all).subspan(7 * kPlaneBytes, 2 * kPlaneBytes)));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>(3, 3)));
}

TEST_F(FileTasksTest, AFileThatHasChangedIsNotRead) {
  MakeFile("raw.ome.tif", Voxels());
  ASSERT_OK_AND_ASSIGN(const v1::LookAtFileResult found, Look("raw.ome.tif"));
  MakeFile("raw.ome.tif", Voxels(1));
  MemoryTask task;
  FillRead(found, 0, task);
  const absl::Status changed = RunReadFile(task.task, task).status();
  EXPECT_EQ(ReasonOf(changed), v1::FILE_CHANGED);
  EXPECT_TRUE(EndsFileTask(changed));
  EXPECT_TRUE(task.output.empty());
}

TEST_F(FileTasksTest, AVolumeIsWrittenWithItsMetadata) {
  fs::create_directories(Path("day"));
  for (const char* name : {"day/out.ome.tif", "out.tif"}) {
    MemoryTask task;
    FillWrite(name, task);
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunWriteFile(task.task, task));
    EXPECT_EQ(result.write_file().size_bytes(), fs::file_size(Path(name)));
    EXPECT_FALSE(result.write_file().already_there());
    EXPECT_EQ(VoxelsOf(name), Voxels());
    ASSERT_OK_AND_ASSIGN(const auto reader, imageio::OpenImage(Path(name)));
    EXPECT_NEAR(reader->spec().voxel_size().z_um(), 0.3, 1e-6);
    EXPECT_EQ(reader->spec().channels(0).name(), "DAPI");
  }
  EXPECT_EQ(CountFiles(), 2U) << "and nothing beside";
}

TEST_F(FileTasksTest, AFileIsReplacedOnlyWhereAsked) {
  MakeFile("out.ome.tif", Voxels(1));
  MemoryTask task;
  FillWrite("out.ome.tif", task);
  const absl::Status refused = RunWriteFile(task.task, task).status();
  EXPECT_EQ(ReasonOf(refused), v1::FILE_EXISTS);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("data/out.ome.tif"));
  EXPECT_EQ(VoxelsOf("out.ome.tif"), Voxels(1));
  task.task.mutable_write_file()->mutable_spec()->set_overwrite(true);
  EXPECT_OK(RunWriteFile(task.task, task).status());
  EXPECT_EQ(VoxelsOf("out.ome.tif"), Voxels());
  EXPECT_EQ(CountFiles(), 1U);
}

TEST_F(FileTasksTest, WhatAnEarlierAttemptHasWrittenStays) {
  MemoryTask first, second;
  FillWrite("out.ome.tif", first);
  FillWrite("out.ome.tif", second);
  ASSERT_OK(RunWriteFile(first.task, first).status());
  const auto written = fs::last_write_time(Path("out.ome.tif"));
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult again, RunWriteFile(second.task, second));
  EXPECT_TRUE(again.write_file().already_there());
  EXPECT_EQ(again.write_file().size_bytes(), fs::file_size(Path("out.ome.tif")));
  EXPECT_EQ(fs::last_write_time(Path("out.ome.tif")), written);
}

TEST_F(FileTasksTest, ALinkInTheFilesPlaceIsNeverFollowed) {
  const deconvoy::testing::TemporaryFolder outside;
  fs::create_symlink(outside.path() / "target.ome.tif", Path("out.ome.tif"));
  MemoryTask task;
  FillWrite("out.ome.tif", task);
  EXPECT_EQ(ReasonOf(RunWriteFile(task.task, task).status()), v1::FILE_EXISTS);
  task.task.mutable_write_file()->mutable_spec()->set_overwrite(true);
  EXPECT_OK(RunWriteFile(task.task, task).status());
  EXPECT_FALSE(fs::exists(outside.path() / "target.ome.tif"));
  EXPECT_FALSE(fs::is_symlink(Path("out.ome.tif"))) << "the link itself was replaced";
}

TEST_F(FileTasksTest, NothingStaysOfOneThatIsStopped) {
  MemoryTask task;
  FillWrite("out.ome.tif", task);
  task.fail_at = 5;
  const absl::Status stopped = RunWriteFile(task.task, task).status();
  EXPECT_TRUE(absl::IsCancelled(stopped)) << stopped;
  EXPECT_FALSE(EndsFileTask(stopped));
  EXPECT_EQ(CountFiles(), 0U);
}

TEST_F(FileTasksTest, ErrorsOfWritingNameTheFileAsItsOwnerKnowsIt) {
  fs::create_directories(Path("folder.tif"));
  MemoryTask task;
  FillWrite("folder.tif", task);
  task.task.mutable_write_file()->mutable_spec()->set_overwrite(true);
  const absl::Status status = RunWriteFile(task.task, task).status();
  EXPECT_EQ(ReasonOf(status), v1::PATH_NOT_ALLOWED);
  EXPECT_THAT(std::string(status.message()), HasSubstr("data/folder.tif"));
  for (const std::string& text : {std::string(status.message()), InfoOf(status).remedy()}) {
    EXPECT_THAT(text, ::testing::Not(HasSubstr("/proc/")));
  }
}

TEST_F(FileTasksTest, MemoryIsThatOfTwoPlanes) {
  MemoryTask write;
  FillWrite("out.tif", write);
  EXPECT_EQ(FileTaskBytes(write.task).value(), 2 * static_cast<int64_t>(kPlaneBytes));
  v1::Task read;
  *read.mutable_read_file()->mutable_spec() = Spec();
  EXPECT_EQ(FileTaskBytes(read).value(), 2 * static_cast<int64_t>(kPlaneBytes));
}

}  // namespace
}  // namespace deconvoy::worker
