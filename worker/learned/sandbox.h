// Bounds of a process that runs a program of unknown origin. For the sources of this room only.
//
// Inside, a process computes with the memory and threads it gets, and reads and writes what it has open already. It
// opens nothing, neither to read nor to write, starts no process, reaches no network and no other process, and gains no
// rights: such calls fail with EPERM.
#pragma once

#include <absl/status/status.h>
#include <sys/types.h>

#include <cstdint>

namespace deconvoy::worker::learned {

// Whether the kernel can do it.
bool SandboxAvailable();

// For all threads of this process, those to come, and for good. Also: no core files, no files that grow, no further
// descriptors. Errors: INTERNAL, after which nothing of unknown origin may be run.
absl::Status EnterSandbox();

// What a process may take besides what it has taken until now: address space, after which allocations fail, and
// processor time of all its threads, after which it ends. A further call counts anew. Errors: INTERNAL.
// REQUIRES: the process is this one, not yet inside, or a child.
absl::Status BoundProcess(pid_t process, int64_t more_bytes, double more_seconds);

}  // namespace deconvoy::worker::learned
