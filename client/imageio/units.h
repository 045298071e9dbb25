// Lengths as files write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace deconvoy::imageio {

// Micrometres in one `unit`, as ImageJ and OME spell units (`micron`, `\u00B5m`, `nm`, `inch`, ...); 0 for pixels and
// for unknown units.
double MicrometresPer(std::string_view unit);

// `um` if it is a length that the contract accepts, else 0 for unknown.
double PlausibleUm(double um);

// `value` with 7 significant digits: what a resolution kept as a fraction and read in single precision can tell.
double RoundedResolution(double value);

// `text` made fit for a text field of the contract: printable UTF-8 of at most `bytes` bytes.
std::string TextField(std::string_view text, size_t bytes);

// The same for the name of one of `channels` channels, at least 1: all together stay within what a volume may have.
std::string ChannelName(std::string_view text, int64_t channels);

}  // namespace deconvoy::imageio
