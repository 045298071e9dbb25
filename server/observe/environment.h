// Clock, ids and crash points: what tests replace or set.
#pragma once

#include <absl/time/time.h>

#include <chrono>
#include <string>
#include <string_view>

namespace deconvoy::server {

// Time. Thread safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Wall() const = 0;                               // for people and records
  virtual std::chrono::steady_clock::time_point Steady() const = 0;  // for leases and waits
};

// Makes ids: 26 characters of [a-z0-9], unique without coordination. Thread safe.
class IdSource {
 public:
  virtual ~IdSource() = default;
  virtual std::string Next() = 0;
};

Clock& SystemClock();
IdSource& RandomIds();

// Ends the process at once, as `kill -9` would, when `$DECONVOY_CRASH_POINT` is `name` or `name:n` (the n-th time it is
// passed, from 1). Names in use are listed in docs/operations.md.
void CrashPoint(std::string_view name);

}  // namespace deconvoy::server
