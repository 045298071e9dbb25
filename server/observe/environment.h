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

// Does nothing, unless a test has set what is to happen here (server/observe/crash_hook.h), such as the end of the
// process. Names in use are listed in docs/robustness.md.
void CrashPoint(std::string_view name);

}  // namespace deconvoy::server
