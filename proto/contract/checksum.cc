#include "proto/contract/checksum.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace deconvoy {
namespace {

uint32_t ReverseBits(uint32_t value) {
  uint32_t reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= ((value >> bit) & 1U) << (31 - bit);
  return reversed;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Crc32cSse42(std::span<const std::byte> data, uint32_t crc) {
  uint64_t state = ~crc;
  const std::byte* at = data.data();
  size_t left = data.size();
  for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), at += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    state = _mm_crc32_u64(state, word);
  }
  auto narrow = static_cast<uint32_t>(state);
  for (; left > 0; --left, ++at) narrow = _mm_crc32_u8(narrow, std::to_integer<uint8_t>(*at));
  return ~narrow;
}
#endif

void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

uint32_t Crc32c(std::span<const std::byte> data, uint32_t crc) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return Crc32cSse42(data, crc);
#endif
  return Crc32cPortable(data, crc);
}

uint32_t Crc32cPortable(std::span<const std::byte> data, uint32_t crc) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> engine(ReverseBits(~crc));
  engine.process_bytes(data.data(), data.size());
  return engine.checksum();
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();

  State() { Start(); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void Start() { Require(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(std::span<const std::byte> data) {
  Require(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1);
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  Require(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
  state_->Start();
  return digest;
}

VolumeDigester::VolumeDigester(int64_t plane_bytes) : plane_bytes_(plane_bytes) {
  Require(plane_bytes > 0);
}

void VolumeDigester::Update(std::span<const std::byte> data) {
  while (!data.empty()) {
    const size_t piece = std::min(data.size(), static_cast<size_t>(plane_bytes_ - in_plane_));
    plane_.Update(data.first(piece));
    in_plane_ += static_cast<int64_t>(piece);
    if (in_plane_ == plane_bytes_) {
      volume_.Update(plane_.Finish());
      in_plane_ = 0;
    }
    data = data.subspan(piece);
  }
}

Sha256Digest VolumeDigester::Finish() {
  Require(in_plane_ == 0);
  return volume_.Finish();
}

std::string ToHex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text.push_back(kDigits[std::to_integer<unsigned>(byte) >> 4]);
    text.push_back(kDigits[std::to_integer<unsigned>(byte) & 15U]);
  }
  return text;
}

}  // namespace deconvoy
