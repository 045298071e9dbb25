// The last lines of this worker's log, kept to go with an error report.
#pragma once

#include <spdlog/sinks/ringbuffer_sink.h>

#include <memory>
#include <string>

namespace deconvoy::worker {

// Thread safe. Add `sink()` to the program's logger.
class LogExcerpt {
 public:
  LogExcerpt();
  spdlog::sink_ptr sink() const { return sink_; }
  // Whole lines, at most 16 KiB, newest last, without those that name another job than `job` (`jobs/{id}`), which may
  // be another user's.
  std::string Last(const std::string& job) const;

 private:
  const std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> sink_;
};

}  // namespace deconvoy::worker
