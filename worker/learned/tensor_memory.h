// Memory of tensors on processors, kept for the next ones. While a network is applied or trained the same tensors come
// and go all the time, and fresh pages cost more than most of what is computed in them. For the sources of this room
// only.
#pragma once

namespace deconvoy::worker::learned {

// While one of these lives, memory of at least 1 MiB that tensors of this process give back is kept for tensors to
// come: as much as tensors have taken at once while there was one, and a quarter and 32 MiB beyond that. What has been
// unused the longest goes first. The last one gives everything back. Any threads.
class KeptTensorMemory {
 public:
  KeptTensorMemory();
  KeptTensorMemory(const KeptTensorMemory&) = delete;
  KeptTensorMemory& operator=(const KeptTensorMemory&) = delete;
  ~KeptTensorMemory();
};

}  // namespace deconvoy::worker::learned
