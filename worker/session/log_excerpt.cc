#include "worker/session/log_excerpt.h"

#include <string>
#include <vector>

#include "proto/contract/limits.h"

namespace deconvoy::worker {

LogExcerpt::LogExcerpt() : sink_(std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(200)) {}

std::string LogExcerpt::Last() const {
  const std::vector<std::string> lines = sink_->last_formatted();
  size_t first = lines.size(), bytes = 0;
  while (first > 0 && bytes + lines[first - 1].size() <= limits::kLogExcerptBytes) bytes += lines[--first].size();
  std::string text;
  for (; first < lines.size(); ++first) text += lines[first];
  return text;
}

}  // namespace deconvoy::worker
