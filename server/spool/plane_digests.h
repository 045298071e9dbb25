// The digests of a volume's planes, taken while they come, so that the end of an upload need not read it again.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "proto/contract/checksum.h"

namespace deconvoy::server {

using PlaneDigest = std::pair<int64_t, Sha256Digest>;  // number of the plane, in t,c,z order

// Digests planes whose bytes come one after the other. Not thread safe.
class PlaneHasher {
 public:
  // REQUIRES: plane_bytes > 0.
  explicit PlaneHasher(int64_t plane_bytes) : plane_bytes_(plane_bytes) {}

  // Takes bytes of the volume from `offset`, and adds those planes to `ended` that they end and all of whose bytes came
  // in order, without others between.
  void Take(int64_t offset, std::span<const std::byte> bytes, std::vector<PlaneDigest>& ended);
  // The plane that has been begun is not to be counted on.
  void Forget() { next_ = -1; }

 private:
  const int64_t plane_bytes_;
  int64_t next_ = -1;  // the byte of the volume that goes on with `plane_`; -1: none does
  Sha256 plane_;
};

// What is known of the planes of one volume. Thread safe.
class PlaneDigests {
 public:
  // Of planes that are durable. Above some thousand planes further ones are not kept.
  void Add(const std::vector<PlaneDigest>& planes);
  std::map<int64_t, Sha256Digest> All() const;

 private:
  mutable std::mutex mutex_;
  std::map<int64_t, Sha256Digest> planes_;  // guarded by mutex_
};

}  // namespace deconvoy::server
