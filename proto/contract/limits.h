// Limits that every part of the service keeps, checked before anything is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace deconvoy::limits {

inline constexpr uint32_t kContractVersion = 1;       // major version of the wire contract
inline constexpr size_t kChunkBytes = 512 * 1024;     // payload of one chunk
inline constexpr size_t kMessageBytes = 1024 * 1024;  // any message
inline constexpr size_t kReceivedBytes = 512 * 1024;  // that boxes received before take of a recording's header
inline constexpr int64_t kAxisVoxels = 1 << 20;       // extent along z, y or x
inline constexpr int64_t kDistilledVoxels = 1023;     // extent of a PSF from beads along one axis
inline constexpr int64_t kFilteredVoxels = 1 << 22;  // of one that is smoothed, or that the beads' size is taken out of
inline constexpr int kBeadVolumes = 32;              // that one PSF is made from
inline constexpr int64_t kFrames = 1 << 20;          // time points times channels
inline constexpr int64_t kAnalysedFrames = 10'000;   // of a deconvolution that looks at all: told of in one message
inline constexpr int64_t kChannels = 4096;
inline constexpr size_t kChannelNamesBytes = 256 * 1024;   // of all channels of a volume together
inline constexpr size_t kBackgroundPlanes = 65'536;        // whose backgrounds are given, 8 bytes each
inline constexpr int64_t kVolumeBytes = int64_t{1} << 44;  // 16 TiB
inline constexpr int64_t kPsfVoxels = int64_t{1} << 28;    // of one channel's PSF
inline constexpr size_t kPsfDepths = 64;                   // of one PSF volume
inline constexpr double kMaximumUm = 1e6;                  // any length in um; the least that is not 0 is its inverse
inline constexpr double kLeastUsualVoxelUm = 0.001;        // edges of voxels beyond these are warned of: most likely
inline constexpr double kMostUsualVoxelUm = 10;            // they are in another unit
inline constexpr double kMaximumCounts = 1e12;             // any number of counts or photons
inline constexpr int64_t kModelBytes = int64_t{1} << 26;   // 64 MiB: a model's file
inline constexpr int64_t kModelStateBytes = int64_t{1} << 28;  // 256 MiB: the state of its training
inline constexpr size_t kDisplayNameBytes = 255;
inline constexpr size_t kFilePathBytes = 4096;  // of a file on storage that the server sees, below its root
inline constexpr size_t kRequestIdBytes = 64;
inline constexpr size_t kParameterCount = 64;
inline constexpr size_t kParameterNameBytes = 64;
inline constexpr size_t kParameterValueBytes = 256;
inline constexpr uint32_t kDefaultPageSize = 100;
inline constexpr uint32_t kPageSize = 1000;
inline constexpr size_t kPageBytes = 1024 * 1024;  // of the items of a page, of which there is one at least
inline constexpr size_t kLogExcerptBytes = 16 * 1024;
inline constexpr int64_t kTasksPerJob = 1'000'000;

}  // namespace deconvoy::limits
