// What a process can still do inside.
#include "worker/learned/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker::learned {
namespace {

constexpr int kDid = 0, kCannotEnter = 250;

// The wait status of a process that enters and then ends with what `act` returns.
int Inside(
    const std::function<int()>& act, const std::function<void()>& before = [] {}) {
  const pid_t process = ::fork();
  if (process == 0) {
    before();
    ::_exit(EnterSandbox().ok() ? act() : kCannotEnter);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(process, &status, 0), process);
  return status;
}

absl::Status Bound(pid_t process, int64_t more_bytes, double more_seconds) {
  const absl::StatusOr<int64_t> taken = AddressSpace(process);
  return taken.ok() ? BoundProcess(process, *taken + more_bytes, more_seconds) : taken.status();
}

// 0 where the call succeeded, else its error.
int ErrorOf(int64_t result) {
  return result < 0 ? errno : kDid;
}

void ExpectEnds(int status, int code) {
  ASSERT_TRUE(WIFEXITED(status)) << "by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), code);
}

class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!SandboxAvailable()) GTEST_SKIP() << "SKIPPED: no seccomp here";
  }
};

TEST_F(Sandbox, RefusesWhatLeadsOut) {
  testing::TemporaryFolder folder;
  const std::string file = (folder.path() / "file").string();
  const struct {
    const char* what;
    std::function<int64_t()> call;
  } calls[] = {
      {"a socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
      {"a socket of this machine", [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"opening to read", [] { return ::open("/etc/passwd", O_RDONLY); }},
      {"opening to write", [&] { return ::open(file.c_str(), O_WRONLY | O_CREAT, 0600); }},
      {"removing a file", [&] { return ::unlink(file.c_str()); }},
      {"another program", [] { return ::execl("/bin/true", "true", nullptr); }},
      {"another process", [] { return ::fork(); }},
      {"tracing", [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }},
      {"a signal to its parent", [] { return ::kill(::getppid(), 0); }},
      {"what another sees as its name", [] { return ::prctl(PR_SET_NAME, "VmHWM: 0"); }},
      {"memory that is a file", [] { return ::memfd_create("a", 0); }},
      {"higher limits",
       [] {
         const rlimit limit{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
         return ::setrlimit(RLIMIT_AS, &limit);
       }},
  };
  for (const auto& [what, call] : calls) {
    SCOPED_TRACE(what);
    ExpectEnds(Inside([&call = call] { return ErrorOf(call()); }), EPERM);
  }
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Sandbox, LetsThreadsComputeAndAnswer) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ExpectEnds(Inside([&] {
               std::atomic<int> sum = 0;
               std::thread one([&] { sum += 1; }), other([&] { sum += 2; });
               one.join();
               other.join();
               const std::vector<char> room(size_t{64} << 20, 'x');
               return sum == 3 && ::write(ends[1], room.data(), 1) == 1 ? kDid : 1;
             }),
             kDid);
  char byte = 0;
  EXPECT_EQ(::read(ends[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(Sandbox, HoldsThreadsThatWereThereBefore) {
  std::atomic<int>* error =
      static_cast<std::atomic<int>*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(error, MAP_FAILED);
  std::atomic<bool> go = false;
  std::thread* thread = nullptr;
  ExpectEnds(Inside(
                 [&] {
                   go = true;
                   thread->join();
                   return kDid;
                 },
                 [&] {
                   thread = new std::thread([&] {
                     while (!go) std::this_thread::yield();
                     *error = ErrorOf(::socket(AF_INET, SOCK_STREAM, 0));
                   });
                 }),
             kDid);
  EXPECT_EQ(*error, EPERM);
  ::munmap(error, 4096);
}

TEST_F(Sandbox, MemoryIsBounded) {
  const auto take = [](size_t bytes) {
    void* room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return room == MAP_FAILED ? errno : kDid;
  };
  const auto bound = [] {
    if (!Bound(::getpid(), int64_t{256} << 20, 60).ok()) ::_exit(kCannotEnter);
  };
  ExpectEnds(Inside([&] { return take(size_t{32} << 20); }, bound), kDid);
  ExpectEnds(Inside([&] { return take(size_t{512} << 20); }, bound), ENOMEM);
}

TEST_F(Sandbox, AnEndlessLoopEnds) {
  const int status = Inside(
      [] {
        const std::atomic<bool> goes_on = true;
        while (goes_on) {
        }
        return kDid;
      },
      [] {
        if (!Bound(::getpid(), int64_t{256} << 20, 1).ok()) ::_exit(kCannotEnter);
      });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGXCPU);
}

TEST_F(Sandbox, BoundsOfAChildAreSetFromOutside) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t process = ::fork();
  if (process == 0) {
    if (!EnterSandbox().ok()) ::_exit(kCannotEnter);
    char byte = 0;
    if (::read(ends[0], &byte, 1) != 1) ::_exit(1);
    void* room = ::mmap(nullptr, size_t{512} << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::_exit(room == MAP_FAILED ? errno : kDid);
  }
  EXPECT_OK(Bound(process, int64_t{64} << 20, 60));
  EXPECT_EQ(::write(ends[1], "x", 1), 1);
  int status = 0;
  EXPECT_EQ(::waitpid(process, &status, 0), process);
  ExpectEnds(status, ENOMEM);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace deconvoy::worker::learned
