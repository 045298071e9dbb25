// What other transform plans make of a result: rounding, which iterations enlarge (docs/methods/rl.md).
#include <fftw3.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <string>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

using reference::Volume;

constexpr Shape3 kShape{40, 48, 50};
constexpr double kTolerance = 1e-6;  // relative L2; 3e-7 on the machine it was written on

absl::StatusOr<Volume> Deconvolved(int threads) {
  std::mt19937_64 random(testing::Seed());
  const Volume image = reference::RandomImage(kShape.z, kShape.y, kShape.x, random);
  const reference::Psf psf = reference::RandomPsf(5, 7, 8, random);
  return reference::RunRl({.y = image,
                           .domain = kShape,
                           .origin = {},
                           .psf = psf,
                           .parameters = {{"iterations", "20"}, {"acceleration", "heavy-ball"}},
                           .boundary = v1::PERIODIC,
                           .background = 5,
                           .threads = threads});
}

// Plans are kept for the life of a process, so that others need another one: a child, whose planner has no time to
// measure and takes what it guesses.
TEST(Plans, ChangeRoundingOnly) {
  const testing::TemporaryFolder folder;
  const auto file = folder.path() / "guessed";
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    fftwf_set_timelimit(0);
    const absl::StatusOr<Volume> guessed = Deconvolved(1);
    if (!guessed.ok()) _exit(1);
    std::ofstream stream(file, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(guessed->values.data()),
                 static_cast<std::streamsize>(guessed->values.size() * sizeof(double)));
    stream.close();
    _exit(stream ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0) << "the child failed";
  Volume guessed(kShape.z, kShape.y, kShape.x);
  std::ifstream stream(file, std::ios::binary);
  stream.read(reinterpret_cast<char*>(guessed.values.data()),
              static_cast<std::streamsize>(guessed.values.size() * sizeof(double)));
  ASSERT_TRUE(stream.good());

  ASSERT_OK_AND_ASSIGN(const Volume measured, Deconvolved(1));
  const double of_plans = RelativeError(guessed, measured);
  RecordProperty("of_plans_1e9", std::to_string(of_plans * 1e9));
  EXPECT_LE(of_plans, kTolerance);
  ASSERT_OK_AND_ASSIGN(const Volume threaded, Deconvolved(3));
  EXPECT_LE(RelativeError(threaded, measured), kTolerance);
}

}  // namespace
}  // namespace deconvoy::worker
