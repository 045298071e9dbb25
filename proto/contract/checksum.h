// Checksums on the wire and on disk: CRC-32C for chunks and boxes, SHA-256 for whole volumes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace deconvoy {

// CRC-32C (Castagnoli, RFC 3720 B.4) of `data`; `crc` continues an earlier one.
uint32_t Crc32c(std::span<const std::byte> data, uint32_t crc = 0);

// The same without the processor's instruction for it; what `Crc32c` does where there is none.
uint32_t Crc32cPortable(std::span<const std::byte> data, uint32_t crc = 0);

using Sha256Digest = std::array<std::byte, 32>;

// SHA-256 of bytes that come piece by piece. Not thread safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::span<const std::byte> data);
  // The digest of everything so far; starts anew afterwards.
  Sha256Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Digest of a volume: SHA-256 over the SHA-256 of each plane, planes in t,c,z order. Bytes come in C order.
class VolumeDigester {
 public:
  // REQUIRES: plane_bytes > 0.
  explicit VolumeDigester(int64_t plane_bytes);

  void Update(std::span<const std::byte> data);
  // REQUIRES: the bytes so far are whole planes.
  Sha256Digest Finish();

 private:
  const int64_t plane_bytes_;
  int64_t in_plane_ = 0;
  Sha256 plane_;
  Sha256 volume_;
};

// Lower-case hexadecimal, for people and file names.
std::string ToHex(std::span<const std::byte> bytes);

}  // namespace deconvoy
