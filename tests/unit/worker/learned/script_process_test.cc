// The process that runs a model, as its worker sees it, when what is at the other end means no good.
#include "worker/learned/script_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kMemory = int64_t{256} << 20, kHoard = int64_t{64} << 20;
constexpr Shape3 kBox{2, 3, 4};
const ScriptBounds kBounds{.bytes = kMemory, .time = std::chrono::seconds(60)};

// The other end. What it is to do is told in the place of a model's file.
class Peer {
 public:
  int Run() {
    ScriptSetup setup;
    Read(&setup, sizeof setup);
    act_.resize(setup.file_bytes);
    Read(act_.data(), act_.size());
    if (act_ == "ends early") return 7;
    if (act_ == "cannot start") return Say(ScriptSays::kFailed, "no threads");
    Say(ScriptSays::kReady, "");
    ScriptBox box;
    Read(&box, sizeof box);
    const int64_t parameters = act_ == "has less than nothing" ? -1 : Processors();
    Say(ScriptSays::kLoaded, {reinterpret_cast<const char*>(&parameters), sizeof parameters});
    for (;;) {
      Read(&box, sizeof box);
      values_.resize(static_cast<size_t>(box.z * box.y * box.x) * sizeof(float));
      Read(values_.data(), values_.size());
      Answer();
    }
  }

 private:
  static void Read(void* to, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
      const ssize_t count = ::read(kScriptSocket, static_cast<char*>(to) + done, bytes - done);
      if (count <= 0) ::_exit(0);
      done += static_cast<size_t>(count);
    }
  }
  static void Write(const void* from, size_t bytes) {
    if (::write(kScriptSocket, from, bytes) != static_cast<ssize_t>(bytes)) ::_exit(0);
  }
  static void Announce(ScriptSays says, uint64_t bytes) {
    const ScriptAnswer answer{.says = says, .bytes = bytes};
    Write(&answer, sizeof answer);
  }
  static int Say(ScriptSays says, std::string_view bytes) {
    Announce(says, bytes.size());
    Write(bytes.data(), bytes.size());
    return 0;
  }
  static int64_t Processors() {
    cpu_set_t own{};
    return ::sched_getaffinity(0, sizeof own, &own) == 0 ? CPU_COUNT(&own) : 0;
  }
  void Answer() {
    if (act_ == "says what is no message") {
      Say(ScriptSays{99}, "");
    } else if (act_ == "has much to say") {
      Announce(ScriptSays::kFailed, uint64_t{1} << 40);
    } else if (act_ == "gives too much") {
      Say(ScriptSays::kResult, values_ + values_);
    } else if (act_ == "ends in the middle") {
      Announce(ScriptSays::kResult, values_.size());
      Write(values_.data(), values_.size() / 2);
      ::_exit(3);
    } else if (act_ == "is killed") {
      ::raise(SIGKILL);
    } else if (act_ == "never answers") {
      ::pause();
    } else if (act_ == "starts threads") {
      ::mallopt(M_ARENA_MAX, 1);  // so that there is address space for their stacks
      for (int i = 0; i < 24; ++i) std::thread([] { ::pause(); }).detach();
      ::pause();
    } else if (act_ == "colours its words") {
      Say(ScriptSays::kFailed, "red \x1b[31m");
    } else if (act_ == "hoards" && !Hoard()) {
      Say(ScriptSays::kNoMemory, "no room");
    } else {
      Say(ScriptSays::kResult, values_);
    }
  }
  static bool Hoard() {
    return ::mmap(nullptr, kHoard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
  }

  std::string act_, values_;
};

absl::StatusOr<std::unique_ptr<ScriptProcess>> Start(const std::string& act) {
  return ScriptProcess::Start({}, std::as_bytes(std::span(act)), kBounds);
}

std::vector<float> Values() {
  return std::vector<float>(static_cast<size_t>(kBox.voxels()), 1.5F);
}

// The states of this process's children, as the kernel names them.
std::string StatesOfChildren() {
  std::string states;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const size_t name_end = text.rfind(')');
    if (name_end == std::string::npos || name_end + 4 >= text.size()) continue;
    pid_t parent = 0;
    std::from_chars(text.data() + name_end + 4, text.data() + text.size(), parent);
    if (parent == ::getpid()) states += text[name_end + 2];
  }
  return states;
}

TEST(ScriptProcess, GivesBoxesAndStandsStillBetweenThem) {
  ASSERT_OK_AND_ASSIGN(const auto process, Start("echoes"));
  for (int box = 0; box < 3; ++box) {
    ASSERT_OK_AND_ASSIGN(const std::vector<float> restored, process->Restore(kBox, Values(), kBounds));
    EXPECT_EQ(restored, Values());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (StatesOfChildren() != "T" && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(StatesOfChildren(), "T");
  }
}

TEST(ScriptProcess, WhatFailsBeforeTheModelIsSeenIsNoFaultOfIt) {
  for (const char* act : {"ends early", "cannot start"}) {
    const absl::Status status = Start(act).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << act << ": " << status;
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_UNSPECIFIED) << act << ": " << status;
  }
}

TEST(ScriptProcess, AnswersThatAreNoneEndIt) {
  const struct {
    const char* act;
    v1::ErrorReason reason;
    const char* said;
  } cases[] = {
      {"says what is no message", v1::BAD_OUTPUT, "message 99"},
      {"has much to say", v1::BAD_OUTPUT, "1099511627776"},
      {"gives too much", v1::BAD_OUTPUT, "192 bytes"},
      {"ends in the middle", v1::BAD_MODEL, "exit code 3"},
      {"is killed", v1::OUT_OF_MEMORY, "killed"},
      {"starts threads", v1::BAD_MODEL, "threads"},
  };
  for (const auto& [act, reason, said] : cases) {
    SCOPED_TRACE(act);
    ASSERT_OK_AND_ASSIGN(const auto process, Start(act));
    const absl::Status status = process->Restore(kBox, Values(), kBounds).status();
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(said));
    EXPECT_FALSE(InfoOf(status).remedy().empty());
    EXPECT_FALSE(process->alive());
  }
  EXPECT_EQ(ReasonOf(Start("has less than nothing").status()), v1::BAD_OUTPUT);
}

TEST(ScriptProcess, OneThatNeverAnswersIsEndedByTheClockOrTheTask) {
  ASSERT_OK_AND_ASSIGN(auto process, Start("never answers"));
  absl::Status status = process->Restore(kBox, Values(), {.bytes = kMemory, .time = std::chrono::seconds(1)}).status();
  EXPECT_EQ(ReasonOf(status), v1::BAD_MODEL);
  EXPECT_THAT(std::string(status.message()), HasSubstr("more than 1 s"));
  EXPECT_FALSE(process->alive());

  ASSERT_OK_AND_ASSIGN(process, Start("never answers"));
  int asked = 0;
  ScriptBounds bounds = kBounds;
  bounds.stop = [&asked] { return ++asked > 4; };  // after the box has been sent
  status = process->Restore(kBox, Values(), bounds).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_FALSE(process->alive());
}

TEST(ScriptProcess, WhatAModelTellsIsPrintableAndItGoesOn) {
  ASSERT_OK_AND_ASSIGN(const auto process, Start("colours its words"));
  for (int box = 0; box < 2; ++box) {
    const absl::Status status = process->Restore(kBox, Values(), kBounds).status();
    EXPECT_EQ(ReasonOf(status), v1::BAD_MODEL) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("red"));
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("\x1b")));
    EXPECT_TRUE(process->alive());
  }
}

TEST(ScriptProcess, WhatItKeepsFromBoxesIsBounded) {
  ASSERT_OK_AND_ASSIGN(const auto process, Start("hoards"));
  absl::Status status;
  int boxes = 0;
  for (; status.ok() && boxes < 20; ++boxes) status = process->Restore(kBox, Values(), kBounds).status();
  EXPECT_EQ(ReasonOf(status), v1::OUT_OF_MEMORY) << status;
  EXPECT_GT(boxes, 1);
  EXPECT_LE(boxes, kMemory / kHoard + 1);
  EXPECT_FALSE(process->alive()) << "the next box is given to a process that keeps nothing";
}

TEST(ScriptProcess, RunsOnTheProcessorsOfTheProgramAndNotOnThatOfAThread) {
  cpu_set_t all{};
  ASSERT_EQ(::sched_getaffinity(0, sizeof all, &all), 0);
  if (CPU_COUNT(&all) < 2) GTEST_SKIP() << "SKIPPED: one processor";
  RememberProcessors();
  absl::StatusOr<std::unique_ptr<ScriptProcess>> process = absl::UnknownError("not started");
  std::jthread([&] {
    cpu_set_t one{};
    for (size_t i = 0; CPU_COUNT(&one) == 0; ++i) {
      if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    process = Start("echoes");
  }).join();
  ASSERT_OK(process);
  EXPECT_EQ((*process)->parameters(), CPU_COUNT(&all));
}

}  // namespace
}  // namespace deconvoy::worker::learned

// The processes are this program, too.
int main(int argc, char** argv) {
  using deconvoy::worker::learned::kScriptFlag;
  if (argc == 2 && std::string_view(argv[1]) == kScriptFlag) return deconvoy::worker::learned::Peer().Run();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
