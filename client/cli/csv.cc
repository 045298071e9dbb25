#include "client/cli/csv.h"

#include <charconv>

#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

bool IsNumber(const std::string& text) {
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

std::string Field(const std::string& text) {
  std::string shown = Printable(text);
  if (!shown.empty() && std::string("=+-@").find(shown[0]) != std::string::npos && !IsNumber(shown)) {
    shown.insert(0, 1, '\'');
  }
  if (shown.find_first_of(",\"") == std::string::npos) return shown;
  std::string quoted = "\"";
  for (const char c : shown) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string CsvLine(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) line += (i == 0 ? "" : ",") + Field(fields[i]);
  return line + "\r\n";
}

}  // namespace deconvoy::client
