// A set of planes, small where they are neighbours.
#pragma once

#include <cstdint>
#include <map>

namespace deconvoy::client {

// Planes by their place in t,c,z order. Not thread safe.
class PlaneSet {
 public:
  bool Contains(int64_t plane) const;
  // False where it is there already.
  bool Add(int64_t plane);
  // All from `first` up to, but without, `end`. REQUIRES: none of them is there.
  void AddRun(int64_t first, int64_t end);

  int64_t size() const { return size_; }
  // The smallest number, from 0, that is not in it.
  int64_t FirstAbsent() const;
  // Calls `visit(first, end)` for each run of neighbours, in order.
  template <class Visit>
  void ForEachRun(Visit visit) const {
    for (const auto& [first, end] : end_of_) visit(first, end);
  }

 private:
  std::map<int64_t, int64_t> end_of_;  // runs: first, and the one after the last
  int64_t size_ = 0;
};

}  // namespace deconvoy::client
