// The digest of a volume's file, with several threads: planes are digested side by side.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>

#include "proto/contract/checksum.h"
#include "server/spool/file_system.h"

namespace deconvoy::server {

// SHA-256 over the SHA-256s of `planes` planes of `plane_bytes` bytes, both above 0, which lie one after the other from
// the file's start. Planes whose digests are in `known`, by their number, are not read. Takes at most four threads, and
// 1 MiB of memory for each.
absl::StatusOr<Sha256Digest> DigestOfPlanes(const File& file, int64_t planes, int64_t plane_bytes,
                                            const std::map<int64_t, Sha256Digest>& known = {});

}  // namespace deconvoy::server
