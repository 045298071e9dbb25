#include "worker/session/log_excerpt.h"

#include <cctype>
#include <string>
#include <vector>

#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"

namespace deconvoy::worker {

namespace {

// Whether a line names a job, and never this one.
bool IsOfAnother(const std::string& line, const std::string& job) {
  const std::string prefix = JobName("");
  bool another = false;
  for (size_t at = line.find(prefix); at != std::string::npos; at = line.find(prefix, at + 1)) {
    const size_t end = at + job.size();
    const bool whole = end >= line.size() || std::isalnum(static_cast<unsigned char>(line[end])) == 0;
    if (whole && line.compare(at, job.size(), job) == 0) return false;
    another = true;
  }
  return another;
}

}  // namespace

LogExcerpt::LogExcerpt() : sink_(std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(200)) {}

std::string LogExcerpt::Last(const std::string& job) const {
  std::vector<std::string> lines = sink_->last_formatted();
  std::erase_if(lines, [&](const std::string& line) { return IsOfAnother(line, job); });
  size_t first = lines.size(), bytes = 0;
  while (first > 0 && bytes + lines[first - 1].size() <= limits::kLogExcerptBytes) bytes += lines[--first].size();
  std::string text;
  for (; first < lines.size(); ++first) text += lines[first];
  return text;
}

}  // namespace deconvoy::worker
