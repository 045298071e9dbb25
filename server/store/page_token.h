// Opaque page tokens of lists that are kept in the store.
//
// A token names the last item shown, not a position, so that items which come or go in between disturb no page.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

namespace deconvoy::server {

struct PageKey {
  int64_t place = 0;  // what the list goes by: a time in ns, or a number
  std::string id;
};

// The key that every item comes after: start of a list that goes from the newest to the oldest.
PageKey FirstPage();

std::string ToPageToken(const PageKey& key);
// FirstPage for an empty token; INVALID_FIELD of `page_token` for one that this server did not make.
absl::StatusOr<PageKey> FromPageToken(const std::string& token);

// `asked`, or the default for 0, and never above the limit.
int PageSize(int asked);

}  // namespace deconvoy::server
