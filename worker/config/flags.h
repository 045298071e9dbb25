// The worker program's command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "proto/contract/server_access.h"

namespace deconvoy::worker {

struct Flags {
  enum class Action { kServe, kDescribe, kSelfTest, kDevices, kPlan };
  Action action = Action::kServe;
  bool json = false;  // --describe or --devices as JSON

  std::string server;                     // address as gRPC takes it
  std::filesystem::path credential_file;  // holds the worker credential; empty: a token is shown
  AccessFiles access;                     // token and TLS
  std::filesystem::path spool;            // empty: volumes come and go through the server
  std::filesystem::path state;            // where measured FFT plans are kept; empty: nowhere
  int64_t largest_extent = 1024;          // --plan up to this one
  std::string backend = "cpu";            // or `cuda`
  std::string device;                     // of cuda: index or UUID; empty: the first one
  int threads = 0;                        // 0: all
  int64_t pinned_index = 0;               // from 0: this worker among
  int64_t pinned_count = 0;               // those of the machine that are pinned; 0: none
  int64_t memory_mib = 0;                 // 0: 70 % of what is available, of a GPU 90 %
  std::string log_level = "info";
  bool die_with_parent = false;
};

// Flags, or the exit code of a command line that is done already (--help, --version: 0; a mistake: 2), after printing
// what the user should see.
struct ParsedFlags {
  Flags flags;
  std::optional<int> exit_code;
};
ParsedFlags ParseFlags(int argc, const char* const* argv);

}  // namespace deconvoy::worker
