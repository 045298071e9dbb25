// Lines of comma-separated values, for spreadsheets.
#pragma once

#include <string>
#include <vector>

namespace deconvoy::client {

// One line after RFC 4180, its end included. Control characters are escaped. A text that a spreadsheet would take for a
// formula (it begins with = + - @) gets an apostrophe in front; numbers that are negative are no texts and stay.
std::string CsvLine(const std::vector<std::string>& fields);

}  // namespace deconvoy::client
