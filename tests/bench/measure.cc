#include "tests/bench/measure.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace deconvoy::bench {

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

int64_t ResidentBytes() {
  std::ifstream stream("/proc/self/statm");
  int64_t total = 0, resident = 0;
  stream >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int64_t AvailableBytes() {
  constexpr int64_t kKibibyte = 1024;
  std::ifstream stream("/proc/meminfo");
  for (std::string name, rest; stream >> name; std::getline(stream, rest)) {
    int64_t kibibytes = 0;
    if (name == "MemAvailable:" && stream >> kibibytes) return kibibytes * kKibibyte;
  }
  return 0;
}

void Check(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

}  // namespace deconvoy::bench
