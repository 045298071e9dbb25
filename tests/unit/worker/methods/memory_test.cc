// Every method takes the memory that its description says, also while it starts: tiles are planned with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "proto/contract/tile_plan.h"
#include "tests/unit/worker/methods/measured_memory.h"
#include "tests/unit/worker/methods/method_name.h"
#include "worker/memory/allocator.h"

namespace deconvoy::worker {
namespace {

class MemoryTest : public ::testing::TestWithParam<const Method*> {
 protected:
  static void SetUpTestSuite() { ReturnFreedMemory(); }
};

std::map<std::string, std::string> FewIterations(const v1::Method& method) {
  for (const v1::Parameter& parameter : method.parameters()) {
    if (parameter.name() == "iterations") return {{"iterations", "2"}};
  }
  return {};
}

bool OffersNesterov(const v1::Method& method) {
  return std::ranges::any_of(method.parameters(), [](const v1::Parameter& parameter) {
    return parameter.name() == "acceleration" &&
           std::ranges::any_of(parameter.choices(), [](const auto& choice) { return choice.name() == "nesterov"; });
  });
}

// Runs it with boxes of M that fill the domain and that do not. `name` is what the figures are recorded under.
void ExpectThatOfTheDescription(const v1::Method& method, const std::map<std::string, std::string>& given,
                                const std::string& name) {
  ASSERT_OK_AND_ASSIGN(const Parameters parameters, ResolveParameters(method, given));
  MethodMemory memory = MemoryOf(method, parameters);
  memory.result_bytes_per_measured_voxel = 0;  // of what follows the method
  const bool extends = method.boundaries(0) == v1::EXTEND;
  constexpr Shape3 kDomain{64, 256, 256}, kInside{48, 192, 192};
  for (const Shape3& measured : {kDomain, kInside}) {
    if (!extends && measured == kInside) continue;
    const Shape3 psf = measured == kDomain ? Shape3{3, 5, 5} : Shape3{17, 65, 65};
    const double described =
        static_cast<double>(TileBytes(memory, kDomain, measured, psf)) / static_cast<double>(kDomain.voxels());
    const double found = BytesPerVoxel(method.name(), measured, psf, kDomain, given);
    ::testing::Test::RecordProperty(name + (measured == kDomain ? "_whole" : "_inside"), std::to_string(found));
    EXPECT_LE(found, described) << psf.z;
    EXPECT_GE(found, 0.8 * described) << psf.z;
  }
}

TEST_P(MemoryTest, IsWhatIsDescribed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: a sanitizer's own memory would be counted";
#endif
  const v1::Method& method = GetParam()->description();
  const std::map<std::string, std::string> given = FewIterations(method);
  ExpectThatOfTheDescription(method, given, method.name());
  if (!OffersNesterov(method)) return;
  SCOPED_TRACE("nesterov");
  std::map<std::string, std::string> fast = given;
  fast["acceleration"] = "nesterov";
  ExpectThatOfTheDescription(method, fast, method.name() + "_nesterov");
}

INSTANTIATE_TEST_SUITE_P(All, MemoryTest, ::testing::ValuesIn(AllMethods().begin(), AllMethods().end()),
                         MethodTestName);

}  // namespace
}  // namespace deconvoy::worker
