// What the operations need of a device: memory, copies, transforms, and a place to start kernels in.
//
// CUDA and cuFFT implement it (cuda_runtime.cc); tests/support/emulated_cuda.cc does so on processors, so that all but
// these two sources is tested without a GPU. Threads: a `Runtime` may be shared, a `Stream` and an `Fft` belong to one
// thread at a time. Errors: INTERNAL, naming call and device (errors.h).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/backends/cuda/arena.h"
#include "worker/backends/cuda/launch_place.h"
#include "worker/ops/backend.h"

namespace deconvoy::worker::cuda {

// Transforms in place of `batch` fields of the same extents, in single precision, not normalised.
//
// Real: rows of n numbers, each in room for n/2 + 1 complex ones, to and from that many complex ones (half spectrum of
// the last extent); numbers lie one after another. Complex: as many numbers to and from as many, `stride` apart.
struct FftShape {
  bool real = false;
  std::vector<int64_t> extents;  // 1 to 3 of them, each at least 2
  int64_t stride = 1;            // complex numbers; 1 where real or of more than 1 extent
  int64_t distance = 0;          // complex numbers from one field to the next
  int64_t batch = 1;

  auto operator<=>(const FftShape&) const = default;
};

class Fft {
 public:
  virtual ~Fft() = default;
  // Memory that it needs while it runs.
  virtual int64_t workspace_bytes() const = 0;
  // Starts it in a stream. `data` is aligned to 8 bytes.
  virtual absl::Status Forward(const LaunchPlace& place, float* data, void* workspace) = 0;
  virtual absl::Status Inverse(const LaunchPlace& place, float* data, void* workspace) = 0;
};

// A box inside an array of z,y,x order, in memory of the host or of the device.
struct BoxInArray {
  void* data;    // the array
  Shape3 shape;  // of the array, in elements
  Voxel origin;  // of the box in it
};

// Memory of the host that streams copy by themselves. It needs neither its stream nor its runtime any more.
class StagedMemory : public Staging {
 public:
  virtual void* data() = 0;
};

// Work that is done in the order in which it is given.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual LaunchPlace place() const = 0;
  // The error of a kernel's start, which `call` names.
  virtual absl::Status Check(int error, std::string_view call) const = 0;
  // Copies within memory of the device, without waiting.
  virtual absl::Status Copy(const void* from, int64_t bytes, void* to) = 0;
  // Sets memory of the device to zero.
  virtual absl::Status Clear(void* data, int64_t bytes) = 0;
  // Copy a box of elements of four bytes, and wait for it.
  virtual absl::Status Upload(const BoxInArray& host, const BoxInArray& device, const Shape3& box) = 0;
  virtual absl::Status Download(const BoxInArray& device, const BoxInArray& host, const Shape3& box) = 0;
  // Memory for the next two, which copy `bytes` without waiting: from its beginning to the device, and from there to
  // its beginning. Whoever asks for its Bytes waits, and is told what failed.
  virtual absl::StatusOr<std::unique_ptr<StagedMemory>> Stage(int64_t bytes) = 0;
  virtual absl::Status Send(StagedMemory& from, int64_t bytes, void* device) = 0;
  virtual absl::Status Fetch(const void* device, int64_t bytes, StagedMemory& to) = 0;
  // For all that was given; tells what failed of it.
  virtual absl::Status Wait() = 0;
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::string device() const = 0;  // for people
  virtual Arena& arena() = 0;
  virtual absl::StatusOr<std::unique_ptr<Stream>> MakeStream() = 0;
  virtual absl::StatusOr<std::unique_ptr<Fft>> MakeFft(const FftShape& shape) = 0;
};

}  // namespace deconvoy::worker::cuda
