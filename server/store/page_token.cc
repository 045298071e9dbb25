#include "server/store/page_token.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <charconv>
#include <iterator>
#include <limits>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"

namespace deconvoy::server {
namespace {

absl::Status NotAToken(const std::string& token) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "page_token",
                    .remedy = "Use next_page_token of the page before, or leave it empty for the first page."},
                   fmt::format("page_token \"{}\" is not one that this server gave out", Printable(token)));
}

}  // namespace

PageKey FirstPage() {
  return {std::numeric_limits<int64_t>::max(), "~"};
}

std::string ToPageToken(const PageKey& key) {
  const std::string text = fmt::format("{}/{}", key.place, key.id);
  std::string token;
  boost::algorithm::hex_lower(text.begin(), text.end(), std::back_inserter(token));
  return token;
}

absl::StatusOr<PageKey> FromPageToken(const std::string& token) {
  if (token.empty()) return FirstPage();
  std::string text;
  try {
    boost::algorithm::unhex(token.begin(), token.end(), std::back_inserter(text));
  } catch (const boost::algorithm::hex_decode_error&) {
    return NotAToken(token);
  }
  PageKey key;
  const char* end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, key.place);
  if (error != std::errc() || next == end || *next != '/') return NotAToken(token);
  key.id.assign(next + 1, end);
  return key;
}

int PageSize(int asked) {
  if (asked <= 0) return static_cast<int>(limits::kDefaultPageSize);
  return std::min(asked, static_cast<int>(limits::kPageSize));
}

}  // namespace deconvoy::server
