// Pages of lists: limits for those that the store pages, and paging itself for short ones kept in memory.
#pragma once

#include <absl/status/statusor.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/contract/limits.h"
#include "server/store/page_room.h"

namespace deconvoy::server {

// The size of a page when `asked` for: 0 means `default_size`, more than the limit means the limit.
inline uint32_t PageSize(uint32_t asked, uint32_t default_size = limits::kDefaultPageSize) {
  return asked == 0 ? default_size : std::min(asked, limits::kPageSize);
}

// Part of a list of messages that is sorted by their names.
template <typename T>
struct MemoryPage {
  std::vector<T> items;
  std::string next_token;  // empty at the end
};

// The page after the item named `token` (empty: from the start). Items may have come or gone between two pages.
template <typename T>
MemoryPage<T> PageOf(const std::vector<T>& sorted, uint32_t page_size, const std::string& token) {
  const auto begin = std::find_if(sorted.begin(), sorted.end(), [&](const T& item) { return item.name() > token; });
  PageRoom room(static_cast<int>(PageSize(page_size, limits::kPageSize)));
  const auto end = std::find_if(begin, sorted.end(), [&](const T& item) { return !room.Take(item.ByteSizeLong()); });
  MemoryPage<T> page{.items = {begin, end}, .next_token = {}};
  if (end != sorted.end()) page.next_token = page.items.back().name();
  return page;
}

}  // namespace deconvoy::server
