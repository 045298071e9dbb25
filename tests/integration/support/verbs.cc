#include "tests/integration/support/verbs.h"

#include "tests/integration/support/process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace fs = std::filesystem;

void Simulate(const fs::path& folder, const std::string& shape, int seed, const std::vector<std::string>& light) {
  fs::create_directories(folder);
  const std::vector<std::string> common = {"simulate",    "-o",     folder.string(),      "--shape",
                                           shape,         "--seed", std::to_string(seed), "--voxel-um",
                                           "0.2,0.1,0.1", "--local"};
  const CliResult made = RunCli(With(common, light), folder);
  EXPECT_EQ(made.exit.code, 0) << made.err;
}

Image Deconvolve(const fs::path& raw, const fs::path& psf, const fs::path& output,
                 const std::vector<std::string>& options) {
  const CliResult result =
      RunCli(With({"run", raw.string(), "--psf", psf.string(), "--local", "-o", output.string()}, options),
             output.parent_path());
  EXPECT_EQ(result.exit.code, 0) << result.err;
  auto image = LoadImage(output);
  EXPECT_OK(image);
  return image.ok() ? *std::move(image) : Image{};
}

std::vector<std::string> With(std::vector<std::string> options, const std::vector<std::string>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

}  // namespace deconvoy::testing
