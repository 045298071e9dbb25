#include "worker/backends/cuda/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker::cuda {
namespace {

class ArenaTest : public ::testing::Test {
 protected:
  static constexpr int64_t kBytes = 64 * 512;
  alignas(512) char memory_[kBytes];
  Arena arena_{memory_, kBytes, "a device"};

  int64_t OffsetOf(const Block& block) const { return block.as<char>() - memory_; }
};

TEST_F(ArenaTest, GivesOutTheFirstPieceThatIsLargeEnough) {
  ASSERT_OK_AND_ASSIGN(Block a, arena_.Allocate(1));
  ASSERT_OK_AND_ASSIGN(Block b, arena_.AllocateFloats(129));
  ASSERT_OK_AND_ASSIGN(Block c, arena_.Allocate(512));
  EXPECT_EQ(OffsetOf(a), 0);
  EXPECT_EQ(OffsetOf(b), 512);
  EXPECT_EQ(b.bytes(), 1024);
  EXPECT_EQ(OffsetOf(c), 3 * 512);
  EXPECT_EQ(arena_.free_bytes(), kBytes - 4 * 512);
  b = Block();
  ASSERT_OK_AND_ASSIGN(const Block large, arena_.Allocate(3 * 512));
  EXPECT_EQ(OffsetOf(large), 4 * 512) << "the gap is too small";
  ASSERT_OK_AND_ASSIGN(const Block small, arena_.Allocate(512));
  EXPECT_EQ(OffsetOf(small), 512);
}

TEST_F(ArenaTest, JoinsWhatIsGivenBack) {
  std::vector<Block> blocks;
  for (int i = 0; i < 64; ++i) {
    ASSERT_OK_AND_ASSIGN(Block block, arena_.Allocate(512));
    blocks.push_back(std::move(block));
  }
  EXPECT_EQ(arena_.free_bytes(), 0);
  std::mt19937_64 random(testing::Seed());
  std::shuffle(blocks.begin(), blocks.end(), random);
  blocks.clear();
  EXPECT_OK(arena_.Allocate(kBytes));
}

TEST_F(ArenaTest, AHalfIsGivenOutByItself) {
  constexpr int64_t kHalf = kBytes / 2;
  ASSERT_OK_AND_ASSIGN(Block first, arena_.Allocate(512, ArenaPart::kFirstHalf));
  ASSERT_OK_AND_ASSIGN(const Block second, arena_.Allocate(1024, ArenaPart::kSecondHalf));
  EXPECT_EQ(OffsetOf(first), 0);
  EXPECT_EQ(OffsetOf(second), kHalf);
  EXPECT_EQ(ReasonOf(arena_.Allocate(kHalf, ArenaPart::kFirstHalf).status()), v1::OUT_OF_MEMORY);
  ASSERT_OK_AND_ASSIGN(const Block rest, arena_.Allocate(kHalf - 512, ArenaPart::kFirstHalf));
  EXPECT_EQ(OffsetOf(rest), 512);
  EXPECT_EQ(ReasonOf(arena_.AllocateFloats(1, ArenaPart::kFirstHalf).status()), v1::OUT_OF_MEMORY);
  ASSERT_OK_AND_ASSIGN(const Block more, arena_.AllocateFloats(1, ArenaPart::kSecondHalf));
  EXPECT_EQ(OffsetOf(more), kHalf + 1024);
  ASSERT_OK_AND_ASSIGN(const Block any, arena_.Allocate(1));
  EXPECT_EQ(OffsetOf(any), kHalf + 1536);
  first = Block();
  ASSERT_OK_AND_ASSIGN(const Block again, arena_.Allocate(512));
  EXPECT_EQ(OffsetOf(again), 0);
}

// Whatever happens in the other half, the same requests get the same places.
TEST_F(ArenaTest, HalvesDoNotDisturbEachOther) {
  const auto places = [&](bool disturbed) {
    std::mt19937_64 random(17), other(testing::Seed());
    std::vector<int64_t> offsets;
    std::vector<Block> blocks, others;
    const auto step = [](Arena& arena, ArenaPart part, std::mt19937_64& numbers, std::vector<Block>& held) {
      if (!held.empty() && numbers() % 2 == 0) {
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(numbers() % held.size()));
        return;
      }
      auto block = arena.Allocate(static_cast<int64_t>(numbers() % 5000), part);
      if (block.ok()) held.push_back(*std::move(block));
    };
    for (int round = 0; round < 500; ++round) {
      if (disturbed) step(arena_, ArenaPart::kFirstHalf, other, others);
      step(arena_, ArenaPart::kSecondHalf, random, blocks);
      for (const Block& block : blocks) offsets.push_back(OffsetOf(block));
    }
    return offsets;
  };
  const std::vector<int64_t> alone = places(false);
  EXPECT_EQ(places(true), alone);
  EXPECT_EQ(arena_.free_bytes(), kBytes);
}

TEST_F(ArenaTest, BlocksNeverMeet) {
  std::mt19937_64 random(testing::Seed());
  std::vector<Block> blocks;
  std::vector<char> marks;
  for (int round = 0; round < 2000; ++round) {
    if (!blocks.empty() && random() % 2 == 0) {
      const size_t i = random() % blocks.size();
      for (int64_t k = 0; k < blocks[i].bytes(); ++k) ASSERT_EQ(blocks[i].as<char>()[k], marks[i]);
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
      marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    const auto part = static_cast<ArenaPart>(random() % 3);
    auto block = arena_.Allocate(static_cast<int64_t>(random() % 5000), part);
    if (!block.ok()) continue;
    marks.push_back(static_cast<char>(round));
    std::memset(block->as<char>(), marks.back(), static_cast<size_t>(block->bytes()));
    blocks.push_back(*std::move(block));
  }
  blocks.clear();
  EXPECT_EQ(arena_.free_bytes(), kBytes);
}

TEST_F(ArenaTest, SaysWhatIsLacking) {
  ASSERT_OK_AND_ASSIGN(const Block half, arena_.Allocate(kBytes / 2));
  for (const int64_t bytes : {kBytes / 2 + 1, int64_t{1} << 62, int64_t{-1}}) {
    const absl::Status status = arena_.Allocate(bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ReasonOf(status), v1::OUT_OF_MEMORY);
    EXPECT_NE(status.message().find("a device"), std::string_view::npos) << status;
  }
  EXPECT_FALSE(arena_.AllocateFloats(int64_t{1} << 62).ok());
}

// Memory of the host, of which nothing is left in the end.
class Separate final : public BlockSource {
 public:
  ~Separate() override { EXPECT_TRUE(taken.empty()); }
  void* Take(int64_t bytes) override {
    if (refuses) return nullptr;
    void* const data = ::operator new(static_cast<size_t>(bytes));
    taken[data] = bytes;
    return data;
  }
  void GiveBack(void* data) override {
    EXPECT_EQ(taken.erase(data), 1U);
    ::operator delete(data);
  }

  std::map<void*, int64_t> taken;
  bool refuses = false;
};

TEST(SeparateArenaTest, GivesEachBlockMemoryOfItsOwn) {
  Separate source;
  Arena arena(&source, 8 * 512, "a device");
  ASSERT_OK_AND_ASSIGN(Block odd, arena.Allocate(513));
  EXPECT_EQ(odd.bytes(), 513) << "what lies behind it belongs to nobody";
  EXPECT_EQ(source.taken.at(odd.as<void>()), 513);
  EXPECT_EQ(arena.free_bytes(), 6 * 512) << "but counts as it would in one piece";
  ASSERT_OK_AND_ASSIGN(const Block half, arena.Allocate(4 * 512, ArenaPart::kSecondHalf));
  EXPECT_EQ(ReasonOf(arena.Allocate(1, ArenaPart::kSecondHalf).status()), v1::OUT_OF_MEMORY);
  odd = Block();
  EXPECT_EQ(source.taken.size(), 1U);
  EXPECT_EQ(arena.free_bytes(), 4 * 512);
  source.refuses = true;
  EXPECT_EQ(ReasonOf(arena.Allocate(1).status()), v1::OUT_OF_MEMORY);
  EXPECT_EQ(arena.free_bytes(), 4 * 512) << "what the source has not given is not taken";
}

}  // namespace
}  // namespace deconvoy::worker::cuda
