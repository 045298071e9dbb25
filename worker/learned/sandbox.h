// Bounds of a process that runs a program of unknown origin. For the sources of this room only.
//
// Inside, a process computes with the memory and threads it gets, and reads and writes what it has open already. It
// opens nothing, neither to read nor to write, starts no process, reaches no network and no other process, and gains no
// rights: such calls fail with EPERM.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <cstdint>

namespace deconvoy::worker::learned {

// Whether the kernel can do it, and close what a process was left open.
bool SandboxAvailable();

// For all threads of this process, those to come, and for good. Also: no core files, no files that grow, no further
// descriptors. Errors: INTERNAL, after which nothing of unknown origin may be run.
absl::Status EnterSandbox();

// Address space that a process has taken. Errors: INTERNAL.
absl::StatusOr<int64_t> AddressSpace(pid_t process);

// What a process may take: address space in all, after which allocations fail, and processor time of all its threads
// besides what it has taken until now, after which SIGXCPU ends it. A further call bounds it anew. That signal is all
// there is of the second: only a privileged caller could raise a limit that ends a process for certain, so whoever
// waits for a process must end it by the clock. Errors: INTERNAL. REQUIRES: the process is this one, not yet inside, or
// a child.
absl::Status BoundProcess(pid_t process, int64_t bytes, double more_seconds);

}  // namespace deconvoy::worker::learned
