// Where kernels are started.
#pragma once

namespace deconvoy::worker::cuda {

struct LaunchPlace {
  int device = 0;          // which is made the thread's own first
  void* stream = nullptr;  // a cudaStream_t
};

}  // namespace deconvoy::worker::cuda
