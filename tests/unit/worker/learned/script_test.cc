// Models that are programs, in processes of their own: what they give, and what happens when they do not.
#include "worker/learned/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/learned/script_file.h"
#include "worker/learned/script_process.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;

class ScriptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = ScriptsUnavailable(); !reason.empty()) GTEST_SKIP() << "SKIPPED: " << reason;
  }
  static absl::StatusOr<std::unique_ptr<Model>> Load(const std::string& file,
                                                     const std::string& descriptor = ScriptDescriptor(),
                                                     double bytes_per_voxel = 1000) {
    return LoadScript(std::as_bytes(std::span(file)), descriptor, bytes_per_voxel);
  }
  static void ExpectRefused(const absl::Status& status, v1::ErrorReason reason, const std::string& said) {
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(said));
    EXPECT_FALSE(InfoOf(status).remedy().empty()) << status;
  }
  // What the model does with a small box.
  static absl::Status Applied(const std::string& forward) {
    const auto model = Load(ScriptFile(forward));
    if (!model.ok()) return model.status();
    const std::vector<float> values(4 * 8 * 8, 1);
    return (*model)->Apply(values, {4, 8, 8}, {}).status();
  }
};

TEST_F(ScriptTest, AModelIsMeasuredAndKnowsItsFacts) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(UNetFile(), ScriptDescriptor(), 0));
  EXPECT_EQ(model->kind().name, kScriptNetwork);
  EXPECT_EQ(model->kind().parameters, 27);
  EXPECT_EQ(model->kind().step, 4);
  EXPECT_EQ(model->halo(), (Shape3{4, 4, 4}));
  EXPECT_EQ(model->facts().percentiles, (Percentiles{.low = 2, .high = 99}));
  EXPECT_TRUE(model->facts().psf_digest.empty());
  EXPECT_THAT(model->facts().descriptor, HasSubstr("scale_range"));
  EXPECT_LE(model->kind().bytes_per_voxel, 4000);
}

TEST_F(ScriptTest, MemoryIsThatOfTheModelsOwnArrays) {
  const std::string forward = "def forward(self, x):\n    return x.repeat([1, COPIES, 1, 1, 1]).mean([1], True)\n";
  const auto bytes = [&](int copies) {
    std::string source = forward;
    source.replace(source.find("COPIES"), 6, std::to_string(copies));
    const auto model = Load(ScriptFile(source), ScriptDescriptor(), 0);
    EXPECT_OK(model);
    return model.ok() ? (*model)->kind().bytes_per_voxel : 0;
  };
  const double few = bytes(20), many = bytes(100);
  EXPECT_GE(few, 20 * 4);
  EXPECT_GE(many, 100 * 4);
  EXPECT_LE(many, 4000);
  EXPECT_GE(many - few, 80 * 4);
}

TEST_F(ScriptTest, BoxesOfAnyExtentsAreRestored) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(UNetFile()));
  for (const Shape3& box : {Shape3{4, 8, 8}, Shape3{5, 9, 13}, Shape3{1, 1, 1}}) {
    std::vector<float> values(static_cast<size_t>(box.voxels()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = 10 + static_cast<float>(i % 7);
    ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(values, box, {.offset = 10, .range = 4}));
    ASSERT_EQ(estimate.value.size(), values.size());
    EXPECT_TRUE(estimate.spread.empty());
    for (float& value : values) value = (value - 10) / 4;
    const std::vector<float> expected = UNetOf(values, box);
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(estimate.value[i], 4 * expected[i], 1e-3) << i;
  }
}

TEST_F(ScriptTest, AxesAreThoseOfTheDescriptor) {
  const std::string file = ScriptFile("def forward(self, x):\n    return x.permute([0, 4, 3, 2, 1])\n");
  ASSERT_OK_AND_ASSIGN(const auto model, Load(file, ScriptDescriptor("bxyzc", "[0, 4, 4, 2, 0]")));
  std::vector<float> values(4 * 8 * 12);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(values, {4, 8, 12}, {}));
  EXPECT_EQ(estimate.value, values);
}

TEST_F(ScriptTest, WhatIsNoProgramIsRefused) {
  ExpectRefused(Load(std::string("\x80\x02\x8a\x0alegacy")).status(), v1::BAD_MODEL, "pickle of torch.save");
  ExpectRefused(Load("no archive").status(), v1::BAD_MODEL, "no zip archive");
  std::string broken = UNetFile();
  broken.replace(broken.find("PK\1\2"), 1, "Q");
  ExpectRefused(Load(broken).status(), v1::BAD_MODEL, "entry 0 of the archive's directory is broken");
  ExpectRefused(Load(UNetFile(), "inputs: []").status(), v1::INVALID_FIELD, "inputs");
  const std::string other = "weights: {torchscript: {sha256: " + std::string(64, '0') + "}}\n" + ScriptDescriptor();
  ExpectRefused(Load(UNetFile(), other).status(), v1::BAD_MODEL, "the descriptor is for a file");
}

TEST_F(ScriptTest, ResultsAreThoseThatTheDescriptorTells) {
  ExpectRefused(Applied("def forward(self, x):\n    return x[:, :, :2]\n"), v1::BAD_OUTPUT, "[1, 1, 2, 8, 8]");
  ExpectRefused(Applied("def forward(self, x):\n    return (x, x)\n"), v1::BAD_OUTPUT, "not one tensor");
  ExpectRefused(Applied("def forward(self, x):\n    return x.to(7)\n"), v1::BAD_OUTPUT, "float32");
  ExpectRefused(Applied("def forward(self, x):\n    return x / 0.0\n"), v1::BAD_OUTPUT, "not finite");
  ExpectRefused(Applied("def forward(self, x):\n    raise AssertionError('not today')\n"), v1::BAD_MODEL, "not today");
}

TEST_F(ScriptTest, AModelReadsNoFiles) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path secret = folder.path() / "secret";
  std::ofstream(secret) << std::string(4096, 's');
  const absl::Status read = Applied("def forward(self, x):\n    return torch.from_file('" + secret.string() +
                                    "', False, 256).reshape([1, 1, 4, 8, 8])\n");
  ExpectRefused(read, v1::BAD_MODEL, "not permitted");
}

TEST_F(ScriptTest, AModelThatTakesTooMuchMemoryLeavesTheWorkerAlive) {
  const absl::Status refused = Applied("def forward(self, x):\n    return x + torch.ones([17179869184]).sum()\n");
  ExpectRefused(refused, v1::OUT_OF_MEMORY, "memory");
  EXPECT_OK(Applied("def forward(self, x):\n    return x\n"));  // another one still works
}

TEST_F(ScriptTest, AModelThatFailsOnOneBoxGoesOnWithTheNext) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(ScriptFile(R"(
    def forward(self, x):
        if float(x.sum()) > 1000.0:
            raise AssertionError('too bright')
        return x
)")));
  const std::vector<float> bright(4 * 8 * 8, 100), dark(4 * 8 * 8, 1);
  ExpectRefused(model->Apply(bright, {4, 8, 8}, {}).status(), v1::BAD_MODEL, "too bright");
  ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(dark, {4, 8, 8}, {}));
  EXPECT_EQ(estimate.value, dark);
}

TEST_F(ScriptTest, WhatAModelKeepsOfABoxIsGoneAtTheNext) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(ScriptFile(R"(
    def forward(self, x):
        before = self.kept + 0.0
        self.kept.add_(x)
        self.kept = self.kept + x
        return before
)")));
  for (const float value : {5.0F, 7.0F, 9.0F}) {
    const std::vector<float> values(4 * 8 * 8, value);
    ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(values, {4, 8, 8}, {}));
    EXPECT_EQ(estimate.value, std::vector<float>(values.size(), 0.0F)) << value;
  }
}

TEST_F(ScriptTest, ATaskThatIsCancelledDoesNotWaitForTheModel) {
  ASSERT_OK_AND_ASSIGN(const auto model, Load(ScriptFile(R"(
    def forward(self, x):
        while float(x.sum()) > 1000.0:
            x = x + 1.0
        return x
)")));
  const std::vector<float> bright(4 * 8 * 8, 100), dark(4 * 8 * 8, 1);
  int asked = 0;
  model->StopWhen([&asked] { return ++asked > 6; });
  EXPECT_EQ(model->Apply(bright, {4, 8, 8}, {}).status().code(), absl::StatusCode::kCancelled);
  model->StopWhen({});
  ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(dark, {4, 8, 8}, {}));
  EXPECT_EQ(estimate.value, dark);
  const std::string file = UNetFile();
  const auto never = LoadScript(std::as_bytes(std::span(file)), ScriptDescriptor(), 0, [] { return true; });
  EXPECT_EQ(never.status().code(), absl::StatusCode::kCancelled) << never.status();
}

TEST_F(ScriptTest, AModelThatNeverEndsIsEnded) {
  const std::string file = ScriptFile(R"(
    def forward(self, x):
        while float(x.sum()) > 0.0:
            x = x + 1.0
        return x
)");
  ScriptSetup setup;
  for (auto* axes : {&setup.input_axes, &setup.output_axes})
    std::ranges::copy(std::string_view("bczyx"), axes->begin());
  constexpr int64_t kBytes = int64_t{1} << 30;
  ASSERT_OK_AND_ASSIGN(const auto process, ScriptProcess::Start(setup, std::as_bytes(std::span(file)),
                                                                {.bytes = kBytes, .time = std::chrono::seconds(60)}));
  EXPECT_GT(*process->ResidentBytes(), 0);
  const std::vector<float> ones(4 * 8 * 8, 1);
  ExpectRefused(process->Restore({4, 8, 8}, ones, {.bytes = kBytes, .time = std::chrono::seconds(1)}).status(),
                v1::BAD_MODEL, "ended");
  EXPECT_FALSE(process->alive());
}

}  // namespace
}  // namespace deconvoy::worker::learned

// The processes are this program, too.
int main(int argc, char** argv) {
  if (const std::optional<int> code = deconvoy::worker::learned::RunScriptProcess(argc, argv)) return *code;
  ::testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const auto& unit = *::testing::UnitTest::GetInstance();
  if (unit.skipped_test_count() > 0 && unit.successful_test_count() == 0) {
    std::printf("ALL TESTS SKIPPED: %d\n", unit.skipped_test_count());
  }
  return result;
}
