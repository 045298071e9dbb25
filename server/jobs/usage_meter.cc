#include "server/jobs/usage_meter.h"

#include <spdlog/spdlog.h>

#include <vector>

#include "proto/contract/log_text.h"

namespace deconvoy::server {
namespace {

constexpr auto kRecordEvery = std::chrono::seconds(10);

}  // namespace

UsageMeter::~UsageMeter() {
  if (const absl::Status status = Flush(); !status.ok()) {
    spdlog::error("bytes that users moved are not recorded: {}", LogText(status));
  }
}

void UsageMeter::Add(const std::string& owner, int64_t bytes_in, int64_t bytes_out) {
  if (bytes_in == 0 && bytes_out == 0) return;
  const std::string month = MonthOf(clock_.Wall());
  {
    std::lock_guard lock(mutex_);
    UsageRecord& record = counted_[{owner, month}];
    record.owner = owner;
    record.month = month;
    record.bytes_in += bytes_in;
    record.bytes_out += bytes_out;
    if (clock_.Steady() - recorded_ < kRecordEvery) return;
  }
  if (const absl::Status status = Flush(); !status.ok()) {
    spdlog::error("bytes that users moved are recorded later: {}", LogText(status));
  }
}

absl::Status UsageMeter::Flush() {
  std::map<OwnerAndMonth, UsageRecord> counted;
  {
    std::lock_guard lock(mutex_);
    counted.swap(counted_);
    recorded_ = clock_.Steady();
  }
  if (counted.empty()) return absl::OkStatus();
  std::vector<UsageRecord> records;
  for (const auto& [key, record] : counted) records.push_back(record);
  absl::Status status = store_.AddUsage(records);
  if (status.ok()) return status;
  std::lock_guard lock(mutex_);
  for (const auto& [key, record] : counted) {
    UsageRecord& kept =
        counted_.try_emplace(key, UsageRecord{.owner = record.owner, .month = record.month}).first->second;
    kept.bytes_in += record.bytes_in;
    kept.bytes_out += record.bytes_out;
  }
  return status;
}

}  // namespace deconvoy::server
