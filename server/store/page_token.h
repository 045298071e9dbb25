// Opaque page tokens of lists that go from the newest to the oldest.
//
// A token names the last item shown, not a position, so that items which come or go in between disturb no page.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace deconvoy::server {

struct PageKey {
  int64_t create_time_ns = 0;
  std::string id;
};

// The key that every item comes after: start of a list.
PageKey FirstPage();

std::string ToPageToken(const PageKey& key);
// FirstPage for an empty token; INVALID_FIELD of `page_token` for one that this server did not make.
absl::StatusOr<PageKey> FromPageToken(const std::string& token);

// `asked`, or the default for 0, and never above the limit.
int PageSize(int asked);

}  // namespace deconvoy::server
