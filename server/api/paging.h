// Pages of lists: limits for those that the store pages, and paging itself for short ones kept in memory.
#pragma once

#include <absl/status/statusor.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/contract/limits.h"

namespace deconvoy::server {

// The size of a page when `asked` for: 0 means `default_size`, more than the limit means the limit.
inline uint32_t PageSize(uint32_t asked, uint32_t default_size = limits::kDefaultPageSize) {
  return asked == 0 ? default_size : std::min(asked, limits::kPageSize);
}

// Part of a list that is sorted by name.
template <typename T>
struct MemoryPage {
  std::vector<T> items;
  std::string next_token;  // empty at the end
};

// The page after the item named `token` (empty: from the start). Items may have come or gone between two pages.
template <typename T>
MemoryPage<T> PageOf(const std::vector<T>& sorted, uint32_t page_size, const std::string& token) {
  const auto begin = std::find_if(sorted.begin(), sorted.end(), [&](const T& item) { return item.name() > token; });
  const auto count = std::min<int64_t>(PageSize(page_size, limits::kPageSize), sorted.end() - begin);
  MemoryPage<T> page{.items = {begin, begin + count}, .next_token = {}};
  if (begin + count != sorted.end()) page.next_token = page.items.back().name();
  return page;
}

}  // namespace deconvoy::server
