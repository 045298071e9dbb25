#include "proto/contract/error.h"

#include <absl/strings/cord.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <boost/locale/utf.hpp>
#include <numeric>
#include <optional>
#include <utility>

namespace deconvoy {
namespace {

constexpr char kPayloadUrl[] = "type.googleapis.com/deconvoy.v1.ErrorInfo";
constexpr int kLastCode = static_cast<int>(absl::StatusCode::kUnauthenticated);
constexpr size_t kStoredMessageBytes = 8192, kStoredInfoBytes = 8192;

absl::StatusCode ToCode(int code) {
  return code >= 0 && code <= kLastCode ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown;
}

// The same bytes for the same content, whatever the order in which a map holds its entries.
std::string Serialize(const v1::ErrorInfo& info) {
  std::string bytes;
  google::protobuf::io::StringOutputStream sink(&bytes);
  google::protobuf::io::CodedOutputStream stream(&sink);
  stream.SetSerializationDeterministic(true);
  info.SerializeToCodedStream(&stream);
  stream.Trim();
  return bytes;
}

absl::Status WithInfo(absl::StatusCode code, std::string_view message, const std::string& serialized_info) {
  absl::Status status(code, Printable(message));
  if (!status.ok() && !serialized_info.empty()) status.SetPayload(kPayloadUrl, absl::Cord(serialized_info));
  return status;
}

// Whole characters of at most so many bytes.
std::string Shortened(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most) + " ...";
}

bool IsControl(boost::locale::utf::code_point point) {
  const auto between = [point](uint32_t first, uint32_t last) { return point >= first && point <= last; };
  return point < 0x20 || between(0x7f, 0x9f) || between(0x200e, 0x200f) || between(0x2028, 0x202e) ||
         between(0x2066, 0x2069);
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

absl::Status MakeError(const ErrorDetails& details, std::string_view message) {
  v1::ErrorInfo info;
  info.set_reason(details.reason);
  info.set_field(Printable(details.field));
  info.set_remedy(Printable(details.remedy));
  for (const auto& [key, value] : details.metadata) (*info.mutable_metadata())[Printable(key)] = Printable(value);
  return WithInfo(CodeOf(details.reason), message, Serialize(info));
}

absl::StatusCode CodeOf(v1::ErrorReason reason) {
  switch (reason) {
    case v1::INVALID_FIELD:
    case v1::LIMIT_EXCEEDED:
    case v1::UNKNOWN_METHOD:
    case v1::UNKNOWN_PARAMETER:
    case v1::PARAMETER_OUT_OF_RANGE:
    case v1::BOX_OVERLAPS:
    case v1::VOXEL_SIZE_MISMATCH:
    case v1::SHAPE_MISMATCH:
    case v1::NOT_FINITE_INPUT:
    case v1::BAD_PSF:
    case v1::BAD_MODEL:
    case v1::BAD_COMPRESSION:
    case v1::BAD_FILE:
      return absl::StatusCode::kInvalidArgument;
    case v1::CHECKSUM_MISMATCH:
    case v1::DIGEST_MISMATCH:
    case v1::CORRUPT_DATA:
      return absl::StatusCode::kDataLoss;
    case v1::REQUEST_ID_REUSED:
    case v1::FILE_EXISTS:
      return absl::StatusCode::kAlreadyExists;
    case v1::NOT_FOUND:
      return absl::StatusCode::kNotFound;
    case v1::VOLUME_INCOMPLETE:
    case v1::VOLUME_COMPLETE:
    case v1::VOLUME_IN_USE:
    case v1::JOB_ENDED:
    case v1::JOB_NOT_ENDED:
    case v1::NO_WORKER:
    case v1::STALE_LEASE:
    case v1::WORKER_REFUSED:
    case v1::NOT_STREAMABLE:
    case v1::INCOMPATIBLE_VERSION:
    case v1::LAST_ADMIN:
    case v1::NO_FILE_ROOTS:
      return absl::StatusCode::kFailedPrecondition;
    case v1::DISK_FULL:
    case v1::OUT_OF_MEMORY:
    case v1::TOO_MANY_STREAMS:
    case v1::TOO_MANY_CALLS:
    case v1::QUOTA_EXCEEDED:
      return absl::StatusCode::kResourceExhausted;
    case v1::SHUTTING_DOWN:
      return absl::StatusCode::kUnavailable;
    case v1::BAD_OUTPUT:
    case v1::WORKER_CRASHED:
    case v1::STORAGE_FAILURE:
      return absl::StatusCode::kInternal;
    case v1::ATTEMPTS_EXHAUSTED:
    case v1::FILE_CHANGED:
      return absl::StatusCode::kAborted;
    case v1::CANCELLED_BY_USER:
    case v1::VOLUME_GONE:
      return absl::StatusCode::kCancelled;
    case v1::UNAUTHENTICATED_WORKER:
    case v1::NO_TOKEN:
    case v1::BAD_TOKEN:
    case v1::TOKEN_EXPIRED:
      return absl::StatusCode::kUnauthenticated;
    case v1::ROLE_NOT_ALLOWED:
    case v1::PATH_NOT_ALLOWED:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kUnknown;
  }
}

v1::ErrorInfo InfoOf(const absl::Status& status) {
  v1::ErrorInfo info;
  if (!info.ParseFromString(SerializedInfo(status))) info.Clear();
  return info;
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  return InfoOf(status).reason();
}

absl::Status AddContext(const absl::Status& status, std::string_view context) {
  if (status.ok() || context.empty()) return status;
  return WithInfo(status.code(), fmt::format("{}: {}", context, std::string(status.message())), SerializedInfo(status));
}

v1::StoredError ToStored(const absl::Status& status) {
  v1::StoredError error;
  error.set_code(static_cast<int>(status.code()));
  error.set_message(Shortened(Printable(std::string(status.message())), kStoredMessageBytes));
  if (SerializedInfo(status).empty()) return error;
  v1::ErrorInfo& info = *error.mutable_info();
  info = InfoOf(status);
  if (info.ByteSizeLong() > kStoredInfoBytes) info.clear_metadata();
  if (info.ByteSizeLong() > kStoredInfoBytes) {
    info.clear_field();
    info.clear_remedy();
  }
  return error;
}

absl::Status FromStored(const v1::StoredError& error) {
  return WithInfo(ToCode(error.code()), error.message(), error.has_info() ? Serialize(error.info()) : "");
}

std::string SerializedInfo(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

absl::Status FromWire(int code, std::string_view message, std::string_view serialized_info) {
  const std::string bytes(serialized_info);
  const bool parses = v1::ErrorInfo().ParseFromString(bytes);
  return WithInfo(ToCode(code), message, parses ? bytes : "");
}

bool IsRetryable(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable;
}

std::string Printable(std::string_view text) {
  namespace utf = boost::locale::utf;
  std::string out;
  out.reserve(text.size());
  for (auto at = text.begin(); at != text.end();) {
    const auto first = at;
    const utf::code_point point = utf::utf_traits<char>::decode(at, text.end());
    const bool valid = point != utf::illegal && point != utf::incomplete;
    if (!valid) at = first + 1;
    if (valid && !IsControl(point)) {
      out.append(first, at);
    } else {
      for (auto byte = first; byte != at; ++byte) {
        fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<unsigned char>(*byte));
      }
    }
  }
  return out;
}

bool IsUtf8(std::string_view text) {
  namespace utf = boost::locale::utf;
  for (auto at = text.begin(); at != text.end();) {
    const utf::code_point point = utf::utf_traits<char>::decode(at, text.end());
    if (point == utf::illegal || point == utf::incomplete) return false;
  }
  return true;
}

std::string Nearest(std::string_view name, const std::vector<std::string>& candidates) {
  std::string nearest;
  size_t least = name.size() / 3 + 2;
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace deconvoy
