#include "client/cpp/plane_set.h"

#include <iterator>

namespace deconvoy::client {

bool PlaneSet::Contains(int64_t plane) const {
  const auto after = end_of_.upper_bound(plane);
  return after != end_of_.begin() && plane < std::prev(after)->second;
}

bool PlaneSet::Add(int64_t plane) {
  if (Contains(plane)) return false;
  AddRun(plane, plane + 1);
  return true;
}

void PlaneSet::AddRun(int64_t first, int64_t end) {
  if (first >= end) return;
  size_ += end - first;
  const auto after = end_of_.find(end);
  if (after != end_of_.end()) {
    end = after->second;
    end_of_.erase(after);
  }
  const auto next = end_of_.upper_bound(first);
  if (next != end_of_.begin() && std::prev(next)->second == first) {
    std::prev(next)->second = end;
  } else {
    end_of_[first] = end;
  }
}

int64_t PlaneSet::FirstAbsent() const {
  const auto first = end_of_.begin();
  return first == end_of_.end() || first->first > 0 ? 0 : first->second;
}

}  // namespace deconvoy::client
