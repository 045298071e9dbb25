// Compares a spool with the store's records: every file, and every byte that counts.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <functional>

#include "server/inspect/finding.h"
#include "server/spool/file_system.h"
#include "server/store/store.h"

namespace deconvoy::server {

struct SpoolCheckOptions {
  std::filesystem::path directory;  // the spool
  int threads = 1;                  // that read at the same time, each with a buffer of one chunk
  // Told now and then how many of all bytes have been read, never by two threads at once.
  std::function<void(int64_t done, int64_t total)> progress = [](int64_t, int64_t) {};
};

// Adds what is wrong to `inspection`. Errors are those of the store; what cannot be read of the spool is a finding.
absl::Status CheckSpool(const SpoolCheckOptions& options, Store& store, FileSystem& files, Inspection& inspection);

}  // namespace deconvoy::server
