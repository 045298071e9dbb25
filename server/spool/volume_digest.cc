#include "server/spool/volume_digest.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

constexpr int64_t kBufferBytes = 1 << 20;
constexpr int64_t kMostThreads = 4;
constexpr int64_t kGroupsPerThread = 8;  // between two times at which threads wait for one another

// Digests of consecutive planes, as many as there are places.
absl::Status DigestEach(const File& file, int64_t first_plane, int64_t plane_bytes, std::span<Sha256Digest> digests) {
  Sha256 plane;
  int64_t offset = first_plane * plane_bytes, in_plane = 0;
  const int64_t end = offset + static_cast<int64_t>(digests.size()) * plane_bytes;
  std::vector<std::byte> buffer(static_cast<size_t>(std::min(end - offset, kBufferBytes)));
  auto next = digests.begin();
  while (offset < end) {
    const auto part = std::span(buffer).first(std::min(buffer.size(), static_cast<size_t>(end - offset)));
    RETURN_IF_ERROR(file.ReadAt(offset, part));
    offset += static_cast<int64_t>(part.size());
    for (std::span<const std::byte> rest = part; !rest.empty();) {
      const auto piece = rest.first(std::min(rest.size(), static_cast<size_t>(plane_bytes - in_plane)));
      plane.Update(piece);
      rest = rest.subspan(piece.size());
      in_plane += static_cast<int64_t>(piece.size());
      if (in_plane < plane_bytes) continue;
      *next++ = plane.Finish();
      in_plane = 0;
    }
  }
  return absl::OkStatus();
}

// The same, without those that are known.
absl::Status DigestUnknown(const File& file, int64_t first_plane, int64_t plane_bytes,
                           const std::map<int64_t, Sha256Digest>& known, std::span<Sha256Digest> digests) {
  const auto count = static_cast<int64_t>(digests.size());
  auto next = known.lower_bound(first_plane);
  for (int64_t at = 0; at < count;) {
    const int64_t here = next == known.end() ? count : std::min(count, next->first - first_plane);
    if (here > at) {
      const auto places = digests.subspan(static_cast<size_t>(at), static_cast<size_t>(here - at));
      RETURN_IF_ERROR(DigestEach(file, first_plane + at, plane_bytes, places));
    }
    if (here < count) digests[static_cast<size_t>(here)] = (next++)->second;
    at = here + 1;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Sha256Digest> DigestOfPlanes(const File& file, int64_t planes, int64_t plane_bytes,
                                            const std::map<int64_t, Sha256Digest>& known) {
  const int64_t group = std::max<int64_t>(1, kBufferBytes / plane_bytes);
  const int64_t threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, kMostThreads);
  std::vector<Sha256Digest> digests(static_cast<size_t>(std::min(planes, group * threads * kGroupsPerThread)));
  Sha256 volume;
  for (int64_t first = 0; first < planes; first += static_cast<int64_t>(digests.size())) {
    const int64_t count = std::min(planes - first, static_cast<int64_t>(digests.size()));
    std::atomic<int64_t> next = 0;
    std::mutex mutex;
    absl::Status failure;  // guarded by mutex
    const auto work = [&] {
      for (int64_t at = next.fetch_add(group); at < count; at = next.fetch_add(group)) {
        const auto places =
            std::span(digests).subspan(static_cast<size_t>(at), static_cast<size_t>(std::min(group, count - at)));
        const absl::Status status = DigestUnknown(file, first + at, plane_bytes, known, places);
        if (status.ok()) continue;
        std::lock_guard lock(mutex);
        failure = status;
        next = count;
      }
    };
    {
      std::vector<std::jthread> helpers;
      for (int64_t i = 1; i < std::min(threads, (count + group - 1) / group); ++i) helpers.emplace_back(work);
      work();
    }
    RETURN_IF_ERROR(failure);
    for (int64_t i = 0; i < count; ++i) volume.Update(digests[static_cast<size_t>(i)]);
  }
  return volume.Finish();
}

}  // namespace deconvoy::server
