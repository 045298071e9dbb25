// Wrong files, numbers and places: a clear sentence, the right exit code, nothing half-written.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <tiffio.h>

#include <algorithm>
#include <fstream>
#include <limits>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

class BadInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(SaveImage(file("raw.tif"), MakeSpec({1, 1, 8, 24, 24}, v1::U16), std::vector<double>(8 * 24 * 24, 50)));
    ASSERT_OK(SaveImage(file("psf.tif"), MakeSpec({1, 1, 5, 7, 7}, v1::F32), GaussianPsf({5, 7, 7}, 1, 1.5, 1.5)));
  }

  fs::path file(const std::string& name) const { return folder_.path() / name; }

  CliResult Run(const std::string& raw, const std::string& psf, std::vector<std::string> more = {},
                std::map<std::string, std::string> environment = {}) {
    std::vector<std::string> arguments = {"run", file(raw).string(), "--psf", file(psf).string(), "--local"};
    const auto has = [&](const char* option) { return std::find(more.begin(), more.end(), option) != more.end(); };
    if (!has("--iterations")) more.insert(more.end(), {"--iterations", "2"});
    if (!has("-o")) more.insert(more.end(), {"-o", file("out.tif").string()});
    arguments.insert(arguments.end(), more.begin(), more.end());
    environment.try_emplace("DECONVOY_SCRATCH", folder_.path().string());
    return RunCli(arguments, folder_.path(), environment);
  }

  // The run fails with `code`, says each of `words`, and leaves no output.
  void ExpectRefused(const CliResult& result, int code, const std::vector<std::string>& words) {
    EXPECT_EQ(result.exit.code, code) << result.out << result.err;
    for (const std::string& word : words)
      EXPECT_NE(result.err.find(word), std::string::npos) << word << "\n" << result.err;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      EXPECT_EQ(entry.path().filename().string().find("out.tif"), std::string::npos) << entry.path();
    }
  }

  // A TIFF page of 16x16 with these tags.
  void WriteTiff(const std::string& name, int bits, int samples, int format, int photometric) {
    TIFF* tiff = TIFFOpen(file(name).c_str(), "w");
    ASSERT_NE(tiff, nullptr);
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 16);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 16);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, format);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 16);
    std::vector<uint16_t> map(256, 7);
    if (photometric == PHOTOMETRIC_PALETTE) TIFFSetField(tiff, TIFFTAG_COLORMAP, map.data(), map.data(), map.data());
    std::vector<char> row(static_cast<size_t>(TIFFScanlineSize(tiff)), 1);
    for (uint32_t y = 0; y < 16; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
    TIFFClose(tiff);
  }

  TemporaryFolder folder_;
};

TEST_F(BadInputTest, FilesThatAreNotStacks) {
  ExpectRefused(Run("missing.tif", "psf.tif"), 3, {"missing.tif", "No such file"});
  ExpectRefused(Run("raw.tif", "missing.tif"), 3, {"missing.tif", "No such file"});
  fs::create_directory(file("folder.tif"));
  ExpectRefused(Run("folder.tif", "psf.tif"), 3, {"folder.tif", "folder"});
  std::ofstream(file("text.tif")) << "these are words, not voxels";
  ExpectRefused(Run("text.tif", "psf.tif"), 3, {"text.tif", "TIFF"});
  std::ofstream(file("empty.tif"));
  ExpectRefused(Run("empty.tif", "psf.tif"), 3, {"empty.tif"});
  fs::copy_file(file("raw.tif"), file("cut.tif"));
  fs::resize_file(file("cut.tif"), fs::file_size(file("cut.tif")) / 2);
  ExpectRefused(Run("cut.tif", "psf.tif"), 3, {"cut.tif"});
}

TEST_F(BadInputTest, KindsOfTiffThatAreNotGreyStacks) {
  WriteTiff("rgb.tif", 8, 3, SAMPLEFORMAT_UINT, PHOTOMETRIC_RGB);
  ExpectRefused(Run("rgb.tif", "psf.tif"), 3, {"rgb.tif", "RGB"});
  WriteTiff("palette.tif", 8, 1, SAMPLEFORMAT_UINT, PHOTOMETRIC_PALETTE);
  ExpectRefused(Run("palette.tif", "psf.tif"), 3, {"palette"});
  WriteTiff("double.tif", 64, 1, SAMPLEFORMAT_IEEEFP, PHOTOMETRIC_MINISBLACK);
  ExpectRefused(Run("double.tif", "psf.tif"), 3, {"double.tif", "64"});
  // A directory whose successor is itself.
  WriteTiff("loop.tif", 8, 1, SAMPLEFORMAT_UINT, PHOTOMETRIC_MINISBLACK);
  std::fstream loop(file("loop.tif"), std::ios::in | std::ios::out | std::ios::binary);
  uint32_t directory = 0;
  uint16_t entries = 0;
  loop.seekg(4).read(reinterpret_cast<char*>(&directory), 4);
  loop.seekg(directory).read(reinterpret_cast<char*>(&entries), 2);
  loop.seekp(directory + 2 + 12 * entries).write(reinterpret_cast<char*>(&directory), 4);
  loop.close();
  ExpectRefused(Run("loop.tif", "psf.tif"), 3, {"loop.tif", "directories loop"});
}

TEST_F(BadInputTest, NumbersThatCannotBeDeconvolved) {
  std::vector<double> voxels(8 * 24 * 24, 50);
  voxels[3 * 24 * 24 + 4 * 24 + 5] = std::numeric_limits<double>::quiet_NaN();
  ASSERT_OK(SaveImage(file("nan.tif"), MakeSpec({1, 1, 8, 24, 24}, v1::F32), voxels));
  ExpectRefused(Run("nan.tif", "psf.tif"), 3, {"NaN", "z=3", "y=4", "x=5"});
  ASSERT_OK(SaveImage(file("zeros.tif"), MakeSpec({1, 1, 5, 7, 7}, v1::F32), std::vector<double>(5 * 7 * 7, 0)));
  ExpectRefused(Run("raw.tif", "zeros.tif"), 3, {"PSF", "zero"});
  ASSERT_OK(SaveImage(file("negative.tif"), MakeSpec({1, 1, 5, 7, 7}, v1::F32), std::vector<double>(5 * 7 * 7, -1)));
  ExpectRefused(Run("raw.tif", "negative.tif"), 3, {"PSF", "sum"});
}

TEST_F(BadInputTest, AMeasuredPsfWithNaNs) {
  const fs::path shared = SharedData() / "confocal_beads_grid" / "psf_with_nans.tif";
  SKIP_WITHOUT(shared);
  fs::copy_file(shared, file("nans.tif"));
  ExpectRefused(Run("raw.tif", "nans.tif", {"--psf-voxel-um", "0.2,0.1,0.1"}), 3, {"PSF", "NaN"});
}

TEST_F(BadInputTest, PsfAndImageThatDoNotGoTogether) {
  v1::VolumeSpec coarse = MakeSpec({1, 1, 5, 7, 7}, v1::F32);
  coarse.mutable_voxel_size()->set_z_um(0.6);
  ASSERT_OK(SaveImage(file("coarse.ome.tif"), coarse, GaussianPsf({5, 7, 7}, 1, 1.5, 1.5)));
  ExpectRefused(Run("raw.tif", "coarse.ome.tif"), 3, {"0.2", "0.6", "voxel"});
  ASSERT_OK(SaveImage(file("two.ome.tif"), MakeSpec({1, 2, 5, 7, 7}, v1::F32), std::vector<double>(2 * 5 * 7 * 7, 1)));
  ASSERT_OK(
      SaveImage(file("three.ome.tif"), MakeSpec({1, 3, 4, 8, 8}, v1::U16), std::vector<double>(3 * 4 * 8 * 8, 1)));
  ExpectRefused(Run("three.ome.tif", "two.ome.tif"), 3, {"channel"});
}

TEST_F(BadInputTest, ALargePsfIsCroppedAndSaidAndAFlatImageWorks) {
  ASSERT_OK(SaveImage(file("large.tif"), MakeSpec({1, 1, 41, 81, 81}, v1::F32), GaussianPsf({41, 81, 81}, 9, 15, 15)));
  const CliResult large = Run("raw.tif", "large.tif", {"-o", file("result.tif").string()});
  EXPECT_EQ(large.exit.code, 0) << large.err;
  EXPECT_NE(large.err.find("is cropped to 15 x 47 x 47"), std::string::npos) << large.err;
  EXPECT_NE(large.err.find("are the two swapped?"), std::string::npos) << large.err;
  ASSERT_OK(SaveImage(file("flat.tif"), MakeSpec({1, 1, 1, 24, 24}, v1::U16), std::vector<double>(24 * 24, 50)));
  // All of a flat image is background where that is estimated, and none of it where it is said to be 0.
  const CliResult background = Run("flat.tif", "psf.tif", {"-o", file("flat-background.tif").string()});
  EXPECT_EQ(background.exit.code, 0) << background.err;
  const CliResult flat = Run("flat.tif", "psf.tif", {"-o", file("flat-result.tif").string(), "--background", "0"});
  EXPECT_EQ(flat.exit.code, 0) << flat.err;
  ASSERT_OK_AND_ASSIGN(const Image flat_result, LoadImage(file("flat-result.tif")));
  EXPECT_EQ(flat_result.shape(), (Shape5{1, 1, 1, 24, 24}));
  for (const double voxel : flat_result.voxels) ASSERT_NEAR(voxel, 50, 0.01);
  ASSERT_OK(SaveImage(file("blank.tif"), MakeSpec({1, 1, 8, 24, 24}, v1::U16), std::vector<double>(8 * 24 * 24, 0)));
  const CliResult blank = Run("blank.tif", "psf.tif", {"-o", file("blank-result.tif").string()});
  EXPECT_EQ(blank.exit.code, 0) << "a blank frame is fine: " << blank.err;
  ASSERT_OK_AND_ASSIGN(const Image blank_result, LoadImage(file("blank-result.tif")));
  EXPECT_EQ(blank_result.voxels, std::vector<double>(8 * 24 * 24, 0));
}

// An image normalised to [0,1] is lost in integers.
TEST_F(BadInputTest, AResultThatIntegersCannotHold) {
  std::vector<double> voxels(8 * 24 * 24);
  for (size_t i = 0; i < voxels.size(); ++i) voxels[i] = 0.4 * static_cast<double>(i % 24) / 23;
  ASSERT_OK(SaveImage(file("faint.tif"), MakeSpec({1, 1, 8, 24, 24}, v1::F32), voxels));
  ExpectRefused(Run("faint.tif", "psf.tif", {"--dtype", "u16"}), 3, {"stored as 0", "--dtype f32"});
  for (double& v : voxels) v *= 10;
  ASSERT_OK(SaveImage(file("few.tif"), MakeSpec({1, 1, 8, 24, 24}, v1::F32), voxels));
  const CliResult few = Run("few.tif", "psf.tif", {"--dtype", "u16", "-o", file("few-result.tif").string()});
  EXPECT_EQ(few.exit.code, 0) << few.err;
  EXPECT_NE(few.err.find("lost to rounding"), std::string::npos) << few.err;
  ASSERT_OK(SaveImage(file("dark.tif"), MakeSpec({1, 1, 8, 24, 24}, v1::U16), std::vector<double>(8 * 24 * 24, 0)));
  const CliResult dark = Run("dark.tif", "psf.tif", {"--dtype", "u16", "-o", file("dark-result.tif").string()});
  EXPECT_EQ(dark.exit.code, 0) << "dark in, dark out: " << dark.err;
  EXPECT_EQ(dark.err.find("lost to rounding"), std::string::npos) << dark.err;
}

TEST_F(BadInputTest, WrongOptions) {
  ExpectRefused(Run("raw.tif", "psf.tif", {"--method", "rll"}), 2, {"rll", "Did you mean 'rl'"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--set", "acceleratoin=none"}), 2, {"acceleratoin", "acceleration"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--set", "acceleration=warp"}), 2, {"warp", "heavy-ball"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--iterations", "0"}), 2, {"iterations", "from 1 to 10000"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--psf-energy", "1.5"}), 2, {"energy", "from 1e-06 to 1"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--gain", "-1"}), 2, {"gain"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--tile", "8,9999,8"}), 3, {"tile"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--no-such-option"}), 2, {"--no-such-option"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"--voxel-um", "0.2,0.1"}), 2, {"--voxel-um"});
}

// Each says what is wrong, and the bound where there is one; the image is 50 everywhere but for one voxel.
TEST_F(BadInputTest, ParametersThatAMethodCannotTake) {
  std::vector<double> spot(8 * 24 * 24, 50);
  spot[1000] = 90;
  ASSERT_OK(SaveImage(file("spot.tif"), MakeSpec({1, 1, 8, 24, 24}, v1::U16), spot));
  const auto refused = [&](std::vector<std::string> more, int code, const std::vector<std::string>& words) {
    ExpectRefused(Run("spot.tif", "psf.tif", std::move(more)), code, words);
  };
  refused({"--iterations", "1000000000"}, 2, {"iterations", "from 1 to 10000"});
  refused({"--method", "rl-tv", "--set", "lambda=-1"}, 2, {"lambda", "from 0 to 1"});
  refused({"--method", "fista", "--set", "wavelet=db4"}, 2, {"wavelet", "db4", "spline3"});
  refused({"--method", "fista", "--set", "scales=5"}, 3, {"scales", "at most"});
  refused({"--method", "fista", "--set", "step=1.5"}, 3, {"step", "at most 1 "});
  refused({"--method", "landweber", "--set", "step=2"}, 3, {"step", "below 2 "});
  refused({"--method", "ictm", "--set", "lambda=0.1", "--set", "step=1"}, 3, {"step", "below 0.0"});
  refused({"--background", "90"}, 3, {"background of 90 counts"});
}

TEST_F(BadInputTest, PlacesThatCannotBeWritten) {
  ExpectRefused(Run("raw.tif", "psf.tif", {"-o", file("nowhere/out.tif").string()}), 3, {"nowhere"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"-o", file("out.png").string()}), 3, {"out.png"});
  ExpectRefused(Run("raw.tif", "psf.tif", {"-o", "/proc/out.tif"}), 3, {"/proc", "cannot be created"});
}

TEST_F(BadInputTest, ServersThatAreNotThere) {
  std::vector<std::string> arguments = {"run", file("raw.tif").string(), "--psf",   file("psf.tif").string(),
                                        "-o",  file("out.tif").string(), "--server"};
  arguments.push_back("unix:" + file("no-server").string());
  ExpectRefused(RunCli(arguments, folder_.path()), 4, {"no-server"});
  arguments.back() = "127.0.0.1:1";
  ExpectRefused(RunCli(arguments, folder_.path()), 4, {"127.0.0.1:1"});
}

// A second server on `state` ends with exit code 3 and says each of `words`.
void ExpectStateRefused(const fs::path& state, const fs::path& folder, const std::vector<std::string>& words) {
  Process server("deconvoyd",
                 {"--state", state.string(), "--listen", "unix:" + (folder / "second").string(), "--workers", "0"},
                 {{}, folder, "refused"});
  const auto exit = server.Wait(std::chrono::seconds(20));
  ASSERT_TRUE(exit.has_value()) << "it serves a folder that it must not touch";
  EXPECT_EQ(exit->code, 3) << server.Errors();
  for (const std::string& word : words)
    EXPECT_NE(server.Errors().find(word), std::string::npos) << word << "\n" << server.Errors();
}

TEST_F(BadInputTest, AStateFolderInUse) {
  ServerProcess server(folder_.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  ExpectStateRefused(server.state(), folder_.path(),
                     {server.state().string(), "in use by another deconvoyd", std::to_string(server.process().pid()),
                      "give another folder"});
  EXPECT_EQ(server.Cli({"jobs"}).exit.code, 0) << "the first server must not suffer: " << server.Log();
}

TEST_F(BadInputTest, AStateFolderOfANewerVersion) {
  ServerProcess server(folder_.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  ASSERT_TRUE(server.Stop().has_value());
  const std::string newer = "999 77.8.9\n";
  std::ofstream(server.state() / "format") << newer;
  ExpectStateRefused(server.state(), folder_.path(),
                     {server.state().string(), "format 999", "77.8.9", "knows formats up to", "newer deconvoyd"});
  EXPECT_EQ(ReadText(server.state() / "format"), newer);
}

TEST_F(BadInputTest, NamesWithControlCharactersAreShownEscaped) {
  const std::string name = "evil\x1b[31m\x07.tif";
  fs::copy_file(file("raw.tif"), file(name));
  const std::string shown = "evil\\x1B[31m\\x07.tif";
  fs::resize_file(file(name), 100);
  const CliResult refused = Run(name, "psf.tif");
  EXPECT_EQ(refused.exit.code, 3);
  EXPECT_EQ(refused.err.find('\x1b'), std::string::npos);
  EXPECT_NE(refused.err.find(shown), std::string::npos) << refused.err;
  fs::copy_file(file("raw.tif"), file(name), fs::copy_options::overwrite_existing);
  ServerProcess server(folder_.path(), 1);
  ASSERT_TRUE(server.Start()) << server.Log();
  const CliResult submitted =
      server.Cli({"submit", file(name).string(), "--psf", file("psf.tif").string(), "--iterations", "2", "--wait"});
  EXPECT_EQ(submitted.exit.code, 0) << submitted.err;
  const CliResult jobs = server.Cli({"jobs", "--all"});
  EXPECT_EQ(jobs.out.find('\x1b'), std::string::npos) << jobs.out;
  EXPECT_NE(jobs.out.find(shown), std::string::npos) << jobs.out;
  EXPECT_EQ(server.Log().find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace deconvoy::testing
