#include "worker/learned/sandbox.h"

#include <fmt/format.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "proto/contract/status_macros.h"

namespace deconvoy::worker::learned {
namespace {

// What computing in threads, allocating, and reading and writing what is open takes. Memory may become executable:
// LibTorch's convolutions are compiled when they are first run.
constexpr int kAllowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(futex),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getcpu),
    SCMP_SYS(getrusage),
    SCMP_SYS(restart_syscall),
};
constexpr rlim_t kOpenFiles = 4;  // standard input and outputs, and the parent

absl::Status Failed(std::string_view what, int error) {
  return absl::InternalError(fmt::format("{} failed: {}", what, std::strerror(error)));
}

absl::Status Limit(__rlimit_resource resource, rlim_t most, std::string_view name) {
  const rlimit limit{.rlim_cur = most, .rlim_max = most};
  return ::setrlimit(resource, &limit) == 0 ? absl::OkStatus() : Failed(fmt::format("setting {}", name), errno);
}

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

// Rules return a negative number of an error.
int AddRules(scmp_filter_ctx filter) {
  for (const int call : kAllowed) {
    if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0); error != 0) return error;
  }
  // Threads, but no processes. Without clone3, whose arguments no filter sees, threads are started by clone.
  const scmp_arg_cmp thread{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD};
  if (const int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread)) return error;
  if (const int error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0)) return error;
  // abort() of itself.
  const scmp_arg_cmp own{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()), 0};
  return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own);
}

absl::Status SetSoft(pid_t process, __rlimit_resource resource, rlim_t most, std::string_view name) {
  rlimit limit{};
  if (::prlimit(process, resource, nullptr, &limit) != 0) return Failed(fmt::format("reading {}", name), errno);
  limit.rlim_cur = std::min(most, limit.rlim_max);
  if (::prlimit(process, resource, &limit, nullptr) != 0) return Failed(fmt::format("setting {}", name), errno);
  return absl::OkStatus();
}

absl::StatusOr<double> ProcessorSeconds(pid_t process) {
  clockid_t clock{};
  timespec time{};
  if (const int error = ::clock_getcpuclockid(process, &clock)) return Failed("clock_getcpuclockid", error);
  if (::clock_gettime(clock, &time) != 0) return Failed("clock_gettime", errno);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

bool SandboxAvailable() {
  const uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 && ::close_range(~0U, ~0U, 0) == 0;
}

absl::Status EnterSandbox() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return Failed("giving up new privileges", errno);
  RETURN_IF_ERROR(Limit(RLIMIT_CORE, 0, "RLIMIT_CORE"));
  RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, 0, "RLIMIT_FSIZE"));
  RETURN_IF_ERROR(Limit(RLIMIT_NOFILE, kOpenFiles, "RLIMIT_NOFILE"));
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (filter == nullptr) return Failed("making a filter of system calls", ENOMEM);
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (error == 0) error = AddRules(filter.get());
  if (error == 0) error = seccomp_load(filter.get());
  return error == 0 ? absl::OkStatus() : Failed("filtering system calls", -error);
}

absl::StatusOr<int64_t> AddressSpace(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/statm", process));
  int64_t pages = 0;
  if (file >> pages) return pages * ::sysconf(_SC_PAGESIZE);
  return absl::InternalError("the memory of a model's process cannot be read");
}

absl::Status BoundProcess(pid_t process, int64_t bytes, double more_seconds) {
  ASSIGN_OR_RETURN(const double seconds, ProcessorSeconds(process));
  RETURN_IF_ERROR(SetSoft(process, RLIMIT_AS, static_cast<rlim_t>(bytes), "RLIMIT_AS"));
  return SetSoft(process, RLIMIT_CPU, static_cast<rlim_t>(std::ceil(seconds + more_seconds)), "RLIMIT_CPU");
}

}  // namespace deconvoy::worker::learned
