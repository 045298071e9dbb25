// Files that the server itself sees, as whole commands.
#include "client/cli/server_files.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "proto/contract/error.h"
#include "tests/unit/client/cli/program_fixture.h"

namespace deconvoy::client {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class ServerFilesTest : public ProgramTest {
 protected:
  v1::JobSpec OnlyJob() const {
    EXPECT_THAT(service_.jobs(), SizeIs(1));
    return service_.jobs().begin()->second.spec();
  }
};

TEST_F(ServerFilesTest, AnImportPrintsTheVolume) {
  const Result imported = Served({"volumes", "import", "data/raw.tif", "--voxel-um", "0.3,0.1,0.1"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  const auto volumes = service_.volumes();
  ASSERT_THAT(volumes, SizeIs(1));
  const auto& [name, volume] = *volumes.begin();
  EXPECT_EQ(imported.out, name + "\n");
  EXPECT_EQ(OnlyJob().import_file().file(), "data/raw.tif");
  EXPECT_EQ(volume.volume.spec().voxel_size().z_um(), 0.3);
  const Result json = Served({"volumes", "import", "server:data/raw.tif", "--json", "--quiet"});
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_THAT(json.out, HasSubstr("\"event\":\"imported\""));
}

TEST_F(ServerFilesTest, AnExportSaysWhatWasWritten) {
  ASSERT_EQ(Served({"volumes", "import", "data/raw.tif"}).code, 0);
  const std::string volume = service_.volumes().begin()->first;
  const Result exported = Served({"volumes", "export", volume.substr(volume.find('/') + 1), "results/out.ome.tif",
                                  "--overwrite", "--compress", "zstd"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_THAT(exported.out + exported.err, HasSubstr("wrote results/out.ome.tif"));
  v1::ExportSpec spec;
  for (const auto& [name, job] : service_.jobs()) {
    if (job.spec().has_export_file()) spec = job.spec().export_file();
  }
  EXPECT_EQ(spec.volume(), volume);
  EXPECT_TRUE(spec.overwrite());
  EXPECT_EQ(spec.compression(), v1::FILE_ZSTD);
}

TEST_F(ServerFilesTest, WhatTheServerFindsIsToldWithAnExitCode) {
  service_.SetOutcome(MakeError({.reason = v1::BAD_FILE, .remedy = "convert it"}, "data/raw.tif: is no TIFF"));
  const Result bad = Served({"volumes", "import", "data/raw.tif"});
  EXPECT_EQ(bad.code, 3) << bad.err;
  EXPECT_THAT(bad.err, HasSubstr("is no TIFF"));
  EXPECT_EQ(bad.out, "");
  service_.FailNext("Volumes.Import", 1, MakeError({.reason = v1::NO_FILE_ROOTS, .remedy = "set up"}, "no folders"));
  EXPECT_EQ(Served({"volumes", "import", "data/raw.tif"}).code, 7);
  EXPECT_EQ(Served({"volumes", "import", "/etc/passwd"}).code, 7);
  EXPECT_EQ(Served({"volumes", "export", "volumes/none", "results/x.tif"}).code, 3);
}

TEST_F(ServerFilesTest, RootsAreListed) {
  const Result roots = Served({"volumes", "roots"});
  EXPECT_EQ(roots.code, 0) << roots.err;
  EXPECT_THAT(roots.out, HasSubstr("data"));
  EXPECT_THAT(roots.out, HasSubstr("import, export"));
}

TEST_F(ServerFilesTest, EachActionTakesItsOwn) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"import"},
                                             {"import", "data/a.tif", "data/b.tif"},
                                             {"export", "volumes/a"},
                                             {"export", "volumes/a", "results/b.tif", "c"},
                                             {"roots", "data"},
                                             {"list", "volumes/a"},
                                             {"import", "data/a.tif", "--overwrite"},
                                             {"export", "volumes/a", "results/b.tif", "--name", "b"},
                                             {"show", "volumes/a", "--compress", "zstd"}}) {
    std::vector<std::string> arguments = {"volumes"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(Served(arguments).code, 2) << wrong[0];
  }
  EXPECT_THAT(service_.jobs(), SizeIs(0));
}

TEST_F(ServerFilesTest, AStackOfTheServerIsSubmittedWithoutBeingSent) {
  const Result submitted = Served({"submit", "server:data/raw.tif", "--psf", File("psf.tif"), "--quiet"});
  ASSERT_EQ(submitted.code, 0) << submitted.err;
  EXPECT_EQ(service_.calls("Volumes.Import"), 1);
  EXPECT_THAT(service_.volumes(), SizeIs(3)) << "what was imported, PSF and result";
  std::string imported, input;
  for (const auto& [name, job] : service_.jobs()) {
    if (job.spec().has_import_file()) imported = job.outputs(0).volume();
    if (job.spec().has_deconvolve()) input = job.spec().deconvolve().input_volume();
  }
  EXPECT_EQ(input, imported);
  EXPECT_NE(input, "");
}

TEST_F(ServerFilesTest, OtherCommandsSayThatTheyDoNotTakeOne) {
  const Result run = Served({"run", "server:data/raw.tif", "--psf", File("psf.tif"), "-o", File("out.tif")});
  EXPECT_EQ(run.code, 2) << run.err;
  EXPECT_THAT(run.err, HasSubstr("deconvoy submit"));
}

}  // namespace
}  // namespace deconvoy::client
