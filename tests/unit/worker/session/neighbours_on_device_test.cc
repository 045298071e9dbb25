// Tiles that a session executes two at once, on the emulated device, against the same tiles one at a time.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/pipeline/tile_setting.h"
#include "tests/unit/worker/session/session_fixture.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/executor/neighbour_executor.h"

namespace deconvoy::worker {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::AsBytes;
using testing::MemoryTask;

class SessionOnDevice : public Sessions {
 protected:
  SessionOnDevice() {
    used_executor_ = &neighbours_;
    at_once_ = neighbours_.at_once();
  }
  ~SessionOnDevice() override {
    if (session_) session_->Leave();
    if (thread_.joinable()) thread_.join();
  }

  struct Expected {
    std::vector<std::byte> output;
    v1::TaskResult result;
  };

  // A tile whose volumes are files, and what it yields alone.
  v1::Task MakeTile(int number, const Shape3& frame, Expected& expected) {
    Setting s;
    s.frame = frame;
    s.core = {{}, frame};
    s.loaded = {{}, frame};
    s.psf = Skewed();
    const std::vector<float> values = Picture(frame, static_cast<uint64_t>(number));
    MemoryTask alone;
    Fill(s, values, alone);
    alone.task.set_name("jobs/j/tasks/" + std::to_string(number));
    alone.task.set_token(static_cast<uint64_t>(number));
    const auto device = cuda::MakeEmulatedCuda();
    const absl::StatusOr<v1::TaskResult> result = PipelineExecutor(*device).Execute(alone.task, alone);
    EXPECT_OK(result);
    expected = {alone.output, result.value_or(v1::TaskResult())};
    v1::Task task = alone.task;
    const std::map<std::string, std::vector<std::byte>> volumes = {{"volumes/in", AsBytes(values)},
                                                                   {"volumes/psf", AsBytes(s.psf)}};
    for (v1::VolumeAccess& input : *task.mutable_inputs()) {
      input.set_spool_path(Write("input" + std::to_string(++files_), volumes.at(input.volume())));
    }
    task.set_scratch_path(Write(ScratchOf(number), std::vector<std::byte>(alone.output.size())));
    return task;
  }
  static std::string ScratchOf(int number) { return "scratch" + std::to_string(number); }
  std::string Write(const std::string& name, const std::vector<std::byte>& bytes) {
    const std::string path = (folder_.path() / name).string();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  std::string Read(const std::string& name) {
    std::ifstream file(folder_.path() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::unique_ptr<Backend> device_ = cuda::MakeEmulatedCuda();
  NeighbourExecutor neighbours_{*device_, int64_t{4} << 30};
  int files_ = 0;
};

TEST_F(SessionOnDevice, ResultsAreThoseOfOneTileAtATime) {
  ASSERT_EQ(at_once_, 2);
  const std::vector<Shape3> shapes = {{6, 30, 40}, {6, 30, 40}, {8, 17, 25}, {6, 30, 40}, {5, 40, 21}, {8, 17, 25}};
  std::map<std::string, Expected> expected;
  Start();
  for (size_t i = 0; i < shapes.size(); ++i) {
    Expected& alone = expected["jobs/j/tasks/" + std::to_string(i + 1)];
    workers_.Give(MakeTile(static_cast<int>(i) + 1, shapes[i], alone));
  }
  ASSERT_TRUE(Delivered(shapes.size()));
  for (const testing::Delivered& delivered : workers_.Deliveries()) {
    SCOPED_TRACE(delivered.header.task());
    const Expected& alone = expected.at(delivered.header.task());
    EXPECT_TRUE(MessageDifferencer::Equals(delivered.result, alone.result));
    const std::string written = Read(ScratchOf(static_cast<int>(delivered.header.token())));
    ASSERT_EQ(written.size(), alone.output.size());
    EXPECT_EQ(std::memcmp(written.data(), alone.output.data(), written.size()), 0);
  }
  EXPECT_TRUE(GivenUp(workers_.Requests()).empty());
}

}  // namespace
}  // namespace deconvoy::worker
