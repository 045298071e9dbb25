#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include <sys/resource.h>
#include <unistd.h>
#include <cmath>
#include <csignal>
#include <cstring>

#include "client/imageio/image_file.h"
#include "client/imageio/imagej.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/imageio/tiff_builder.h"

namespace deconvoy::imageio::testing {
namespace {

using ::deconvoy::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

v1::VolumeSpec Spec(v1::VoxelType type, uint32_t t, uint32_t c, uint32_t z, uint32_t y, uint32_t x) {
  v1::VolumeSpec spec;
  spec.set_display_name("specimen");
  spec.set_type(type);
  spec.mutable_shape()->set_t(t);
  spec.mutable_shape()->set_c(c);
  spec.mutable_shape()->set_z(z);
  spec.mutable_shape()->set_y(y);
  spec.mutable_shape()->set_x(x);
  spec.mutable_voxel_size()->set_z_um(0.2);
  spec.mutable_voxel_size()->set_y_um(0.0645);
  spec.mutable_voxel_size()->set_x_um(0.066813);
  return spec;
}

// Planes in t,c,z order, all different, with every byte value; finite as floats.
std::vector<std::vector<std::byte>> Planes(const v1::VolumeSpec& spec) {
  const size_t pixels = size_t{spec.shape().y()} * spec.shape().x(),
               width = static_cast<size_t>(BytesPerVoxel(spec.type()));
  std::vector<std::vector<std::byte>> planes(size_t{spec.shape().t()} * spec.shape().c() * spec.shape().z());
  uint32_t value = 7;
  for (auto& plane : planes) {
    plane.resize(pixels * width);
    for (size_t i = 0; i < pixels; ++i) {
      value = value * 1664525U + 1013904223U;
      const auto real = static_cast<float>(value) / 1000.0F - 1e5F;
      if (spec.type() == v1::F32)
        std::memcpy(&plane[i * 4], &real, 4);
      else
        std::memcpy(&plane[i * width], &value, width);
    }
  }
  return planes;
}

absl::Status Write(const std::filesystem::path& path, const v1::VolumeSpec& spec,
                   const std::vector<std::vector<std::byte>>& planes, const WriteOptions& options = {}) {
  auto writer = CreateImage(path, spec, options);
  if (!writer.ok()) return writer.status();
  for (const auto& plane : planes) {
    if (absl::Status status = (*writer)->WritePlane(plane); !status.ok()) return status;
  }
  return (*writer)->Finish();
}

std::vector<std::string> Names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

struct Case {
  std::string name;
  std::string file;
  v1::VoxelType type;
  Compression compression;
  uint32_t t, c, z;
};

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const std::string file : {"a.tif", "a.TIFF", "a.ome.tif", "a.OME.tiff"}) {
    for (const v1::VoxelType type : {v1::U8, v1::U16, v1::F32}) {
      for (const Compression compression : {Compression::kNone, Compression::kDeflate, Compression::kZstd}) {
        for (const auto& [t, c, z] :
             {std::tuple{1U, 1U, 1U}, {1U, 1U, 4U}, {1U, 3U, 1U}, {1U, 3U, 4U}, {2U, 3U, 4U}, {3U, 1U, 2U}}) {
          std::string name = file + v1::VoxelType_Name(type) + std::to_string(static_cast<int>(compression)) + "_" +
                             std::to_string(t) + std::to_string(c) + std::to_string(z);
          std::replace(name.begin(), name.end(), '.', '_');
          cases.push_back({name, file, type, compression, t, c, z});
        }
      }
    }
  }
  return cases;
}

class RoundTrip : public ::testing::TestWithParam<Case> {};

TEST_P(RoundTrip, KeepsVoxelsAxesSizesAndNames) {
  const Case& given = GetParam();
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / given.file;
  v1::VolumeSpec spec = Spec(given.type, given.t, given.c, given.z, 19, 23);
  for (uint32_t c = 0; c < given.c; ++c) spec.add_channels()->set_name("channel " + std::to_string(c) + " \xce\xb1");
  const auto planes = Planes(spec);
  ASSERT_OK(Write(path, spec, planes, {.compression = given.compression}));
  EXPECT_THAT(Names(folder.path()), ElementsAre(given.file));
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(path));
  EXPECT_EQ(image->format(), given.file.size() > 6 ? "OME-TIFF" : "ImageJ TIFF");
  spec.set_display_name(given.file);
  EXPECT_EQ(image->spec().DebugString(), spec.DebugString());
  EXPECT_TRUE(ReadAllPlanes(*image) == planes);
}

INSTANTIATE_TEST_SUITE_P(TiffWriter, RoundTrip, ::testing::ValuesIn(AllCases()),
                         [](const auto& instance) { return instance.param.name; });

class TiffWriterTest : public ::testing::Test {
 protected:
  void ExpectRefused(const absl::Status& status, const std::string& words,
                     absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    EXPECT_EQ(status.code(), code) << status.ToString();
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "out.tif";
  const v1::VolumeSpec spec_ = Spec(v1::U16, 1, 1, 3, 5, 7);
};

TEST_F(TiffWriterTest, ImageJPagesRunOverChannelsFirst) {
  const v1::VolumeSpec spec = Spec(v1::U8, 1, 2, 3, 1, 1);
  std::vector<std::vector<std::byte>> planes;
  for (uint8_t c = 0; c < 2; ++c) {
    for (uint8_t z = 0; z < 3; ++z) planes.push_back({static_cast<std::byte>(10 * c + z)});
  }
  ASSERT_OK(Write(path_, spec, planes));
  TIFF* handle = TIFFOpen(path_.c_str(), "r");
  ASSERT_NE(handle, nullptr);
  std::vector<int> values;
  do {
    uint8_t value = 0;
    EXPECT_EQ(TIFFReadEncodedStrip(handle, 0, &value, 1), 1);
    values.push_back(value);
  } while (TIFFReadDirectory(handle) == 1);
  TIFFClose(handle);
  EXPECT_THAT(values, ElementsAre(0, 10, 1, 11, 2, 12));
}

TEST_F(TiffWriterTest, ImageJFilesCarryWhatImageJReads) {
  v1::VolumeSpec spec = Spec(v1::U16, 1, 1, 3, 5, 7);
  ASSERT_OK(Write(path_, spec, Planes(spec)));
  TIFF* handle = TIFFOpen(path_.c_str(), "r");
  ASSERT_NE(handle, nullptr);
  const char* text = nullptr;
  float x = 0, y = 0;
  uint16_t unit = 0;
  EXPECT_EQ(TIFFGetField(handle, TIFFTAG_IMAGEDESCRIPTION, &text), 1);
  EXPECT_THAT(std::string(text),
              AllOf(HasSubstr("images=3\n"), HasSubstr("unit=micron\n"), HasSubstr("spacing=0.2\n")));
  TIFFGetField(handle, TIFFTAG_XRESOLUTION, &x);
  TIFFGetField(handle, TIFFTAG_YRESOLUTION, &y);
  TIFFGetField(handle, TIFFTAG_RESOLUTIONUNIT, &unit);
  EXPECT_FLOAT_EQ(x, static_cast<float>(1 / 0.066813));
  EXPECT_FLOAT_EQ(y, static_cast<float>(1 / 0.0645));
  EXPECT_EQ(unit, RESUNIT_NONE);
  EXPECT_EQ(TIFFNumberOfStrips(handle), 1U);
  TIFFClose(handle);
}

TEST_F(TiffWriterTest, OmeFilesCarryWavelengths) {
  v1::VolumeSpec spec = Spec(v1::F32, 1, 1, 2, 5, 7);
  v1::Channel* channel = spec.add_channels();
  channel->set_name("far red");
  channel->set_emission_wavelength_um(0.676);
  channel->set_excitation_wavelength_um(0.621);
  const std::filesystem::path path = folder_.path() / "out.ome.tif";
  ASSERT_OK(Write(path, spec, Planes(spec)));
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(path));
  EXPECT_DOUBLE_EQ(image->spec().channels(0).emission_wavelength_um(), 0.676);
  EXPECT_DOUBLE_EQ(image->spec().channels(0).excitation_wavelength_um(), 0.621);
}

TEST_F(TiffWriterTest, UnknownVoxelSizesStayUnknown) {
  for (const char* name : {"a.tif", "a.ome.tif"}) {
    v1::VolumeSpec spec = spec_;
    spec.clear_voxel_size();
    ASSERT_OK(Write(folder_.path() / name, spec, Planes(spec)));
    ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(folder_.path() / name));
    EXPECT_EQ(image->spec().voxel_size().x_um(), 0) << name;
    EXPECT_EQ(image->spec().voxel_size().z_um(), 0) << name;
  }
}

TEST_F(TiffWriterTest, SmallFilesAreClassic) {
  ASSERT_OK(Write(path_, spec_, Planes(spec_)));
  EXPECT_EQ(FileBytes(path_).substr(0, 4), std::string("II*\0", 4));
}

TEST_F(TiffWriterTest, AFileBeyondFourGigabytesIsBigTiffAndReadBack) {
  const v1::VolumeSpec spec = Spec(v1::U8, 1, 1, 33, 1 << 14, 1 << 13);  // 33 planes of 128 MiB
  std::vector<std::byte> plane(size_t{1} << 27);
  auto writer = CreateImage(path_, spec, {.compression = Compression::kZstd});
  ASSERT_OK(writer);
  for (int z = 0; z < 33; ++z) {
    if (z < 2) plane.assign(plane.size(), static_cast<std::byte>(z));
    ASSERT_OK((*writer)->WritePlane(plane));
  }
  ASSERT_OK((*writer)->Finish());
  std::string head(4, '\0');
  std::FILE* file = std::fopen(path_.c_str(), "rb");
  ASSERT_EQ(std::fread(head.data(), 1, 4, file), 4U);
  std::fclose(file);
  EXPECT_EQ(head, std::string("II+\0", 4));
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(path_));
  std::vector<std::byte> read(plane.size());
  ASSERT_OK(image->ReadPlane(0, 0, 32, read));
  EXPECT_TRUE(read == plane);
}

TEST_F(TiffWriterTest, NothingShowsBeforeFinishAndNothingStaysWithoutIt) {
  const auto planes = Planes(spec_);
  {
    auto writer = CreateImage(path_, spec_, {});
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->WritePlane(planes[0]));
    EXPECT_FALSE(std::filesystem::exists(path_));
  }
  EXPECT_THAT(Names(folder_.path()), IsEmpty());
  {
    auto writer = CreateImage(path_, spec_, {});
    ASSERT_OK(writer);
    ASSERT_OK((*writer)->WritePlane(planes[0]));
    ExpectRefused((*writer)->Finish(), "1 of 3 planes");
    EXPECT_FALSE((*writer)->WritePlane(planes[1]).ok());
  }
  EXPECT_THAT(Names(folder_.path()), IsEmpty());
}

TEST_F(TiffWriterTest, AnOldFileStaysUntilTheNewOneIsFinished) {
  WriteBytes(path_, "old");
  const auto planes = Planes(spec_);
  auto writer = CreateImage(path_, spec_, {});
  ASSERT_OK(writer);
  for (const auto& plane : planes) ASSERT_OK((*writer)->WritePlane(plane));
  EXPECT_EQ(FileBytes(path_), "old");
  ASSERT_OK((*writer)->Finish());
  EXPECT_OK(ReadEverything(path_));
  EXPECT_THAT(Names(folder_.path()), ElementsAre("out.tif"));
}

TEST_F(TiffWriterTest, ExistingFilesAreKeptWhenOverwritingIsNotAllowed) {
  WriteBytes(path_, "old");
  ExpectRefused(CreateImage(path_, spec_, {.overwrite = false}).status(), "exists already");
  std::filesystem::remove(path_);
  auto writer = CreateImage(path_, spec_, {.overwrite = false});
  ASSERT_OK(writer);
  for (const auto& plane : Planes(spec_)) ASSERT_OK((*writer)->WritePlane(plane));
  WriteBytes(path_, "came between");
  ExpectRefused((*writer)->Finish(), "exists by now");
  EXPECT_EQ(FileBytes(path_), "came between");
  EXPECT_THAT(Names(folder_.path()), ElementsAre("out.tif"));
}

TEST_F(TiffWriterTest, PlanesOfAnotherSizeAndTooManyAreRefused) {
  auto planes = Planes(spec_);
  auto writer = CreateImage(path_, spec_, {});
  ASSERT_OK(writer);
  for (const auto& plane : planes) ASSERT_OK((*writer)->WritePlane(plane));
  ExpectRefused((*writer)->WritePlane(planes[0]), "plane 4");
  EXPECT_FALSE((*writer)->Finish().ok());
  planes[0].pop_back();
  ExpectRefused(Write(path_, spec_, planes), "plane 1 of 69 bytes");
  EXPECT_THAT(Names(folder_.path()), IsEmpty());
}

TEST_F(TiffWriterTest, PlacesThatCannotBeWritten) {
  ExpectRefused(CheckWritable(folder_.path() / "out.png"), "extension \".png\"");
  ExpectRefused(CheckWritable(folder_.path() / "out"), "has no extension");
  ExpectRefused(CheckWritable(folder_.path()), "is a folder, not a file");
  ExpectRefused(CheckWritable(folder_.path() / ""), "is a folder, not a file");
  ExpectRefused(CheckWritable(folder_.path() / "none" / "out.tif"), "does not exist");
  WriteBytes(folder_.path() / "file", "");
  ExpectRefused(CheckWritable(folder_.path() / "file" / "out.tif"), "cannot be");
  std::filesystem::create_directory(folder_.path() / "folder.tif");
  ExpectRefused(CheckWritable(folder_.path() / "folder.tif"), "is a folder");
  EXPECT_OK(CheckWritable(path_));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(TiffWriterTest, AFolderWithoutWritePermission) {
  const std::filesystem::path folder = folder_.path() / "locked";
  std::filesystem::create_directory(folder);
  std::filesystem::permissions(folder, std::filesystem::perms(0555));
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  const bool root = geteuid() == 0;
  ASSERT_EQ(root ? seteuid(65534) : 0, 0);
  const absl::Status status = CheckWritable(folder / "out.tif");
  ASSERT_EQ(root ? seteuid(0) : 0, 0);
  ExpectRefused(status, "not writable");
}

TEST_F(TiffWriterTest, MoreThanTheDiskHoldsIsRefusedBeforehand) {
  const v1::VolumeSpec huge = Spec(v1::U8, 1, 1, 1 << 20, 1 << 12, 1 << 12);  // 16 TiB
  const absl::Status status = CreateImage(path_, huge, {}).status();
  ExpectRefused(status, "bytes are needed", absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
  EXPECT_EQ(InfoOf(status).metadata().at("path"), path_.string());
  EXPECT_THAT(InfoOf(status).metadata().at("need_bytes"), Not(IsEmpty()));
  EXPECT_THAT(Names(folder_.path()), IsEmpty());
}

TEST_F(TiffWriterTest, TheRoomIsKnownBeforeThereIsAnyPlane) {
  v1::VolumeSpec spec = Spec(v1::U16, 2, 3, 4, 50, 60);
  const int64_t bytes = 2 * 3 * 4 * 50 * 60 * 2;
  ASSERT_OK(Write(folder_.path() / "a.ome.tif", spec, Planes(spec)));
  const int64_t ome = RoomFor(folder_.path() / "a.ome.tif", spec, {});
  EXPECT_GE(ome, static_cast<int64_t>(std::filesystem::file_size(folder_.path() / "a.ome.tif")));
  EXPECT_LT(ome, bytes * 11 / 10 + 25'000);
  EXPECT_EQ(RoomFor(path_, spec, {}), ome + bytes / 2) << "one time point waits for the order of ImageJ's pages";
  EXPECT_EQ(RoomFor(folder_.path() / "a.ome.tif", spec, {.compression = Compression::kZstd}), 0);
  const absl::Status status = CheckWritable(path_, int64_t{1} << 60);
  ExpectRefused(status, "bytes are needed", absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
}

// A file size limit stands for a disk that fills up: the writes fail in the same way.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(TiffWriterTest, ADiskThatFillsUpLeavesNothing) {
  for (const char* name : {"out.tif", "out.ome.tif"}) {
    const v1::VolumeSpec spec = Spec(v1::U16, 1, 2, 3, 50, 50);
    const auto planes = Planes(spec);
    for (rlim_t room = 0; room < 30'000; room += 1'700) {
      absl::Status status;
      {
        const FullDisk disk(room);
        status = Write(folder_.path() / name, spec, planes);
      }
      ExpectRefused(status, "cannot be", absl::StatusCode::kResourceExhausted);
      EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
      EXPECT_THAT(Names(folder_.path()), IsEmpty()) << room;
    }
  }
}

TEST_F(TiffWriterTest, VolumesThatAreNoneAreRefused) {
  EXPECT_FALSE(CreateImage(path_, v1::VolumeSpec(), {}).ok());
  v1::VolumeSpec spec = spec_;
  spec.mutable_shape()->set_z(0);
  EXPECT_FALSE(CreateImage(path_, spec, {}).ok());
  spec = spec_;
  spec.add_channels();
  spec.add_channels();
  EXPECT_FALSE(CreateImage(path_, spec, {}).ok());
}

}  // namespace
}  // namespace deconvoy::imageio::testing
