#include "worker/pipeline/piece_writer.h"

#include <gtest/gtest.h>

#include <vector>

#include "proto/contract/checksum.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

using testing::MemoryTask;

std::vector<std::byte> Numbers(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 37);
  return bytes;
}

class PieceWriters : public ::testing::Test {
 protected:
  PieceWriters() {
    task_.AddOutput("volumes/a", v1::U16, {0, 0, {{}, {1, 2, 3}}});  // 12 bytes
    task_.AddOutput("volumes/b", v1::U8, {0, 0, {{}, {5, 1, 1}}});
  }
  MemoryTask task_;
};

TEST_F(PieceWriters, ChecksEachPieceHoweverItsBytesCome) {
  EXPECT_EQ(OutputBytes(task_.task), 17);
  const std::vector<std::byte> bytes = Numbers(17);
  for (const size_t step : {1, 5, 12, 17}) {
    task_.output.clear();
    PieceWriter writer(task_.task, task_.sink());
    for (size_t at = 0; at < bytes.size(); at += step) {
      ASSERT_OK(writer.Append(std::span(bytes).subspan(at, std::min(step, bytes.size() - at))));
    }
    v1::TaskResult result;
    ASSERT_OK(writer.Finish(result));
    ASSERT_EQ(result.piece_crc32c_size(), 2);
    EXPECT_EQ(result.piece_crc32c(0), Crc32c(std::span(bytes).first(12)));
    EXPECT_EQ(result.piece_crc32c(1), Crc32c(std::span(bytes).last(5)));
    EXPECT_EQ(task_.output, bytes);
  }
}

TEST_F(PieceWriters, MissingAndSurplusBytesAreErrors) {
  PieceWriter few(task_.task, task_.sink());
  ASSERT_OK(few.Append(Numbers(16)));
  v1::TaskResult result;
  EXPECT_FALSE(few.Finish(result).ok());
  PieceWriter first_only(task_.task, task_.sink());
  ASSERT_OK(first_only.Append(Numbers(12)));
  EXPECT_FALSE(first_only.Finish(result).ok());
  PieceWriter many(task_.task, task_.sink());
  EXPECT_FALSE(many.Append(Numbers(18)).ok());
}

TEST(PieceWriter, ATaskWithoutOutputsHasNoChecksums) {
  MemoryTask task;
  PieceWriter writer(task.task, task.sink());
  v1::TaskResult result;
  EXPECT_OK(writer.Finish(result));
  EXPECT_EQ(result.piece_crc32c_size(), 0);
}

}  // namespace
}  // namespace deconvoy::worker
