// Models that are programs with real programs: brought with a descriptor, shown, applied, taken out. SKIPPED where the
// worker offers none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/learned/script_file.h"
#include "worker/learned/network.h"

namespace deconvoy::testing {
namespace {

using ::testing::HasSubstr;
using worker::learned::ScriptDescriptor;
using worker::learned::ScriptFile;
using worker::learned::UNetFile;
using worker::learned::UNetOf;

class ScriptsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.Start()) << server_.Log();
    const auto network = LastJson(Do({"methods", "network", "--json"}).out);
    bool offered = false;
    for (const auto& format : network["formats"]) offered = offered || format == "TORCHSCRIPT";
    if (!offered) GTEST_SKIP() << "SKIPPED: the worker runs no models that are programs";
  }

  std::string File(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(File(name), std::ios::binary) << bytes;
    return File(name);
  }
  std::string Read(const std::string& name) const {
    std::ifstream in(File(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // A verb that must succeed.
  CliResult Do(const std::vector<std::string>& arguments) const {
    CliResult result = server_.Cli(arguments);
    EXPECT_EQ(result.exit.code, 0) << arguments[0] << " " << arguments[1] << ": " << result.err << server_.Log();
    return result;
  }
  void ExpectRefused(const std::vector<std::string>& arguments, const std::string& said) const {
    const CliResult refused = server_.Cli(arguments);
    EXPECT_NE(refused.exit.code, 0);
    EXPECT_THAT(refused.err, HasSubstr(said));
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
};

TEST_F(ScriptsTest, AProgramIsBroughtShownAppliedAndTakenOut) {
  const std::string net = Write("net.pt", UNetFile()), rdf = Write("rdf.yaml", ScriptDescriptor());
  Do({"models", "import", "net", net, "--descriptor", rdf});
  const auto shown = LastJson(Do({"models", "show", "net", "--json"}).out);
  EXPECT_EQ(shown["facts"]["format"], "TORCHSCRIPT");
  EXPECT_EQ(shown["facts"]["network"], "torchscript");
  EXPECT_EQ(shown["facts"]["multiple"]["y"], 4);
  EXPECT_THAT(shown["facts"]["descriptor_text"].get<std::string>(), HasSubstr("scale_range"));
  EXPECT_GT(shown["facts"]["bytes_per_voxel"], 0);
  EXPECT_THAT(Do({"models", "show", "net"}).out, HasSubstr("TorchScript, a program"));
  Do({"models", "export", "net", "-o", File("again.pt")});
  EXPECT_TRUE(Read("again.pt") == Read("net.pt"));

  Do({"psf", "generate", "-o", File("psf.ome.tif"), "--optics", "ri_immersion=1.333,emission_um=0.52,na=1.0",
      "--voxel-um", "0.2,0.1,0.1", "--shape", "9,11,11"});
  Do({"simulate", "-o", File("sample"), "--shape", "16,40,40", "--psf", File("psf.ome.tif"), "--voxel-um",
      "0.2,0.1,0.1", "--offset", "0", "--read-noise", "0"});
  const std::vector<std::string> run = {"run",       File("sample/raw.ome.tif"),
                                        "--psf",     File("psf.ome.tif"),
                                        "--method",  "network",
                                        "--network", "net",
                                        "--offset",  "0"};
  const CliResult applied = Do(With(run, {"-o", File("out.tif")}));
  EXPECT_THAT(applied.err, HasSubstr("does NOT tell which PSF"));
  Do(With(run, {"-o", File("tiled.tif"), "--tile", "16,13,22"}));
  ASSERT_OK_AND_ASSIGN(const Image raw, LoadImage(File("sample/raw.ome.tif")));
  ASSERT_OK_AND_ASSIGN(const Image out, LoadImage(File("out.tif")));
  ASSERT_OK_AND_ASSIGN(const Image tiled, LoadImage(File("tiled.tif")));
  std::vector<float> u(raw.voxels.begin(), raw.voxels.end());
  const worker::learned::Scale scale = worker::learned::ScaleOf(u, {.low = 2, .high = 99});
  for (float& value : u) value = (value - scale.offset) / scale.range;
  const std::vector<float> expected = UNetOf(u, {16, 40, 40});
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(out.voxels[i], scale.range * expected[i], 1e-3 * scale.range) << i;
    ASSERT_NEAR(tiled.voxels[i], out.voxels[i], 1e-3 * scale.range) << i;
  }
}

TEST_F(ScriptsTest, WhatDoesNotFitIsRefusedAndTheWorkerGoesOn) {
  const std::string net = Write("net.pt", UNetFile()), rdf = Write("rdf.yaml", ScriptDescriptor());
  ExpectRefused({"models", "import", "net", net}, "needs a descriptor");
  ExpectRefused({"models", "import", "net", Write("net.safetensors", "{}"), "--descriptor", rdf}, "has no descriptor");
  ExpectRefused({"models", "import", "net", net, "--descriptor", Write("list.yaml", "[1]")}, "is no map");
  ExpectRefused({"models", "import", "net", Write("zip.pt", "PK\3\4" + std::string(100, 'x')), "--descriptor", rdf},
                "no zip archive");
  ExpectRefused({"models", "import", "net",
                 Write("small.pt", ScriptFile("def forward(self, x):\n    return x[:, :, 1:]\n")), "--descriptor", rdf},
                "by its descriptor");
  EXPECT_EQ(server_.Cli({"models", "show", "net"}).exit.code, 3) << "nothing is kept";
  Do({"models", "import", "net", net, "--descriptor", rdf});
}

}  // namespace
}  // namespace deconvoy::testing
