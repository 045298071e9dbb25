// How this process keeps memory that it has freed.
#pragma once

namespace deconvoy::worker {

// Has large blocks go back to the system as soon as they are freed, so that what a task held does not count against the
// next one. Else the C library keeps up to some 50 MB of them per thread. Call once, before threads start.
void ReturnFreedMemory();

}  // namespace deconvoy::worker
