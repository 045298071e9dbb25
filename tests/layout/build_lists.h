// What the CMakeLists.txt of one folder name.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace deconvoy::layout {

// `text` without comments, with the variables of `set` and the loops of `foreach` over lists written out.
std::string Expand(std::string_view text);

// Everything named in calls of the command `command` in expanded text; with an empty command, in all of it.
std::set<std::string> NamedIn(const std::string& expanded, const std::string& command);

}  // namespace deconvoy::layout
