// `stream`, `fetch --follow` and previews as whole commands.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class StreamTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    setenv("XDG_STATE_HOME", File("state").c_str(), 1);
    std::filesystem::create_directory(File("in"));
  }
  void TearDown() override {
    unsetenv("XDG_STATE_HOME");
    ProgramTest::TearDown();
  }

  // A TIFF of planes whose voxels are `first`, `first` + 1, ...
  void SavePlanes(const std::string& name, int64_t planes, float first, int64_t columns = 9) {
    v1::VolumeSpec spec;
    *spec.mutable_shape() = ToProto(Shape5{1, 1, planes, 8, columns});
    spec.set_type(v1::F32);
    ASSERT_OK_AND_ASSIGN(const auto writer, imageio::CreateImage(File(name), spec, {}));
    for (int64_t i = 0; i < planes; ++i) {
      const std::vector<float> plane(static_cast<size_t>(8 * columns), first + static_cast<float>(i));
      ASSERT_OK(writer->WritePlane(std::as_bytes(std::span(plane))));
    }
    ASSERT_OK(writer->Finish());
  }

  // Renamed into the folder.
  void Deliver(int number, float value) {
    SavePlanes("made.tif", 1, value);
    std::filesystem::rename(File("made.tif"), File(fmt::format("in/p{}.tif", number)));
  }

  Result Stream(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"stream",        "--psf",    File("psf.tif"), "-o",
                                          File("out.tif"), "--settle", "0.02"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Served(arguments);
  }

  // Every plane of the result has the number of its place, from 1.
  void ExpectResult(const Shape5& shape) {
    ASSERT_OK_AND_ASSIGN(const auto image, imageio::OpenImage(File("out.tif")));
    EXPECT_EQ(image->spec().shape().t(), static_cast<uint32_t>(shape.t));
    EXPECT_EQ(image->spec().shape().c(), static_cast<uint32_t>(shape.c));
    float value = 0;
    std::vector<float> plane(72);
    for (int64_t t = 0; t < shape.t; ++t)
      for (int64_t c = 0; c < shape.c; ++c)
        for (int64_t z = 0; z < shape.z; ++z) {
          ASSERT_OK(image->ReadPlane(t, c, z, std::as_writable_bytes(std::span(plane))));
          EXPECT_THAT(plane, Each(++value)) << t << c << z;
        }
  }

  bool NothingKept() const {
    return !std::filesystem::exists(File("state/deconvoy/sessions")) ||
           std::filesystem::is_empty(File("state/deconvoy/sessions"));
  }
};

TEST_F(StreamTest, StreamsAFolderThatIsFilled) {
  std::thread microscope([this] {
    for (int i = 1; i <= 12; ++i) Deliver(i, static_cast<float>(i));
  });
  const Result result = Stream({File("in"), "--shape", "4,1,3", "--first-planes", "3", "--iterations", "7"});
  microscope.join();
  EXPECT_EQ(result.code, 0) << result.err;
  const v1::DeconvolveSpec asked = service_.jobs().begin()->second.spec().deconvolve();
  EXPECT_EQ(asked.first_planes(), 3u);
  EXPECT_EQ(asked.parameters().at("iterations"), "7");
  EXPECT_THAT(result.out, HasSubstr("wrote " + File("out.tif")));
  ExpectResult({4, 1, 3, 8, 9});
  EXPECT_TRUE(NothingKept());
  EXPECT_EQ(service_.chunks_received() - 1, 12u) << "and the PSF";
}

TEST_F(StreamTest, ARegionIsAskedFor) {
  for (int i = 1; i <= 3; ++i) Deliver(i, static_cast<float>(i));
  const Result outside = Stream({File("in"), "--shape", "1,1,3", "--region", "0:4,:,:"});
  EXPECT_EQ(outside.code, 2);
  EXPECT_THAT(outside.err, HasSubstr("planes 0:4, but the image has 3 of them"));
  const Result result = Stream({File("in"), "--shape", "1,1,3", "--region", "1:3,2:8,:"});
  EXPECT_EQ(result.code, 0) << result.err;
  const v1::DeconvolveSpec asked = service_.jobs().begin()->second.spec().deconvolve();
  EXPECT_EQ(ToVoxel(asked.region_origin()), (Voxel{1, 2, 0}));
  EXPECT_EQ(ToShape3(asked.region_shape()), (Shape3{2, 6, 9}));
}

TEST_F(StreamTest, StreamsAGrowingTiff) {
  SavePlanes("whole.tif", 6, 1);
  std::ifstream in(File("whole.tif"), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::thread microscope([&] {
    std::ofstream out(File("grows.tif"), std::ios::binary);
    for (size_t at = 0; at < bytes.size(); at += 500) out << bytes.substr(at, 500) << std::flush;
  });
  const Result result = Stream({File("grows.tif"), "--shape", "2,1,3,8,9"});
  microscope.join();
  EXPECT_EQ(result.code, 0) << result.err;
  ExpectResult({2, 1, 3, 8, 9});
}

TEST_F(StreamTest, StreamsRawPlanesWithChannelsFastest) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const int kept = dup(STDIN_FILENO);
  ASSERT_EQ(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
  std::thread microscope([&] {
    for (const float value : {1.0F, 4.0F, 2.0F, 5.0F, 3.0F, 6.0F}) {  // t,z,c
      const std::vector<float> plane(72, value);
      EXPECT_EQ(write(ends[1], plane.data(), 288), 288);
    }
    close(ends[1]);
  });
  const Result result = Stream({"-", "--shape", "1,2,3,8,9", "--plane-dtype", "f32", "--order", "tzc"});
  microscope.join();
  dup2(kept, STDIN_FILENO);
  for (const int descriptor : {kept, ends[0]}) close(descriptor);
  EXPECT_EQ(result.code, 0) << result.err;
  ExpectResult({1, 2, 3, 8, 9});
}

TEST_F(StreamTest, ASourceThatStopsCanBeGoneOnWith) {
  for (int i = 1; i <= 4; ++i) Deliver(i, static_cast<float>(i));
  const Result first = Stream({File("in"), "--shape", "1,1,6", "--idle-timeout", "0.3"});
  EXPECT_EQ(first.code, 3);
  EXPECT_THAT(first.err, HasSubstr("4 of 6 planes were recorded"));
  EXPECT_FALSE(std::filesystem::exists(File("out.tif")));
  const std::string mark = "--session ";
  const size_t at = first.err.find(mark);
  ASSERT_NE(at, std::string::npos) << first.err;
  const std::string session = first.err.substr(at + mark.size(), 32);
  for (int i = 5; i <= 6; ++i) Deliver(i, static_cast<float>(i));
  const Result both = Stream({File("in"), "--session", session});
  EXPECT_EQ(both.code, 2);
  EXPECT_THAT(both.err, HasSubstr("exclude each other"));
  const uint64_t before = service_.chunks_received();
  const Result second = Served({"stream", File("in"), "-o", File("out.tif"), "--session", session, "--settle", "0.02"});
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(service_.chunks_received() - before, 2u);
  ExpectResult({1, 1, 6, 8, 9});
  EXPECT_THAT(service_.jobs(), SizeIs(1));
  EXPECT_TRUE(NothingKept());
  EXPECT_EQ(Served({"stream", File("in"), "-o", File("out.tif"), "--session", session}).code, 3);
}

TEST_F(StreamTest, ABrokenCallDoesNotMatter) {
  for (int i = 1; i <= 4; ++i) Deliver(i, static_cast<float>(i));
  service_.BreakStreams("Deconvolution.Deconvolve", {1, 0});
  const Result result = Stream({File("in"), "--shape", "1,1,4"});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(service_.calls("Deconvolution.Deconvolve"), 3);
  ExpectResult({1, 1, 4, 8, 9});
}

TEST_F(StreamTest, AJobThatFailsLeavesNoFile) {
  service_.SetOutcome(MakeError({.reason = v1::BAD_OUTPUT}, "it computed nothing but zeros"));
  Deliver(1, 1);
  const Result result = Stream({File("in"), "--shape", "1,1,1"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("nothing but zeros"));
  EXPECT_FALSE(std::filesystem::exists(File("out.tif")));
  EXPECT_TRUE(NothingKept());
}

TEST_F(StreamTest, PlanesThatDifferAreAnError) {
  Deliver(1, 1);
  SavePlanes("in/p2.tif", 1, 2, 10);
  const Result result = Stream({File("in"), "--shape", "1,1,2"});
  EXPECT_EQ(result.code, 3);
  EXPECT_THAT(result.err, HasSubstr("p2.tif"));
  EXPECT_THAT(result.err, HasSubstr("--session"));
}

TEST_F(StreamTest, WrongCommandLinesAreRefusedBeforeAnythingIsSent) {
  const auto refused = [this](const std::vector<std::string>& arguments, int code) {
    const Result result = Stream(arguments);
    EXPECT_EQ(result.code, code) << result.err;
    return result.err;
  };
  EXPECT_THAT(refused({File("in")}, 2), HasSubstr("--shape is missing"));
  EXPECT_THAT(refused({File("in"), "--shape", "1,1,x"}, 2), HasSubstr("'1,1,x' is not"));
  const Result inside = Served({"stream", File("in"), "-o", File("in/out.tif"), "--shape", "1,1,6"});
  EXPECT_EQ(inside.code, 2);
  EXPECT_THAT(inside.err, HasSubstr("lies in the folder"));
  EXPECT_THAT(refused({"-", "--shape", "1,1,6", "--plane-dtype", "u8"}, 2), HasSubstr("no rows and columns"));
  EXPECT_THAT(refused({"-", "--shape", "1,1,6,8,9"}, 2), HasSubstr("--plane-dtype"));
  EXPECT_THAT(refused({File("in"), "--shape", "1,1,6", "--plane-dtype", "u8"}, 2), HasSubstr("--plane-dtype"));
  EXPECT_THAT(refused({File("nowhere/x.tif"), "--shape", "1,1,6"}, 3), HasSubstr("nowhere"));
  EXPECT_THAT(refused({File("in"), "--shape", "1,1,6", "--idle-timeout", "0.1"}, 3), HasSubstr("no plane has come"));
  Deliver(1, 1);
  EXPECT_THAT(refused({File("in"), "--shape", "1,1,6,8,10"}, 3), HasSubstr("8 rows of 10"));
  EXPECT_EQ(service_.calls("Volumes.Create"), 0);
  EXPECT_EQ(service_.calls("Deconvolution.Deconvolve"), 0);
}

TEST_F(StreamTest, FetchFollowWritesTheResultOfAJobThatRuns) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif")}).code, 0);
  const std::string job = service_.jobs().begin()->first;
  EXPECT_NE(Served({"fetch", job, "-o", File("out.tif")}).code, 0) << "it has not ended";
  const Result result = Served({"fetch", job, "-o", File("out.tif"), "--follow"});
  EXPECT_EQ(result.code, 0) << result.err;
  ExpectResult({1, 2, 3, 8, 9});
  EXPECT_EQ(Served({"fetch", job, "-o", File("out.tif"), "--follow"}).code, 0) << "also when it has ended";
}

TEST_F(StreamTest, FetchFollowOfAJobThatFailsLeavesNoFile) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif")}).code, 0);
  service_.SetOutcome(MakeError({.reason = v1::BAD_OUTPUT}, "it computed nothing but zeros"));
  const Result result = Served({"fetch", service_.jobs().begin()->first, "-o", File("out.tif"), "--follow"});
  EXPECT_EQ(result.code, 5);
  EXPECT_THAT(result.err, HasSubstr("nothing but zeros"));
  EXPECT_FALSE(std::filesystem::exists(File("out.tif")));
}

TEST_F(StreamTest, PreviewsAreDrawn) {
  ASSERT_EQ(Served({"submit", File("raw.tif"), "--psf", File("psf.tif")}).code, 0);
  const std::string job = service_.jobs().begin()->first;
  const Result none = Served({"job", job, "--preview", File("preview.png")});
  EXPECT_EQ(none.code, 3);
  EXPECT_FALSE(std::filesystem::exists(File("preview.png")));
  v1::Preview preview;
  preview.set_step(2);
  preview.set_size_y(4);
  preview.set_size_x(5);
  for (int i = 0; i < 20; ++i) preview.add_maximum(i < 3 ? std::nanf("") : static_cast<float>(i));
  service_.SetPreview(preview);
  const Result shown = Served({"job", job, "--preview", File("preview.png")});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_GT(std::filesystem::file_size(File("preview.png")), 100u);
  const Result watched = Served({"watch", job, "--preview", File("watched.png")});
  EXPECT_EQ(watched.code, 0) << watched.err;
  EXPECT_TRUE(std::filesystem::exists(File("watched.png")));
  EXPECT_EQ(Served({"job", job, "--preview", File("preview.jpg")}).code, 3);
}

}  // namespace
}  // namespace deconvoy::client
