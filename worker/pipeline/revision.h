// Which sources the program was built from.
#pragma once

#include <string_view>

namespace deconvoy::worker {

// `+` and the revision, as `git describe` tells it, when the program was built; empty where git knew none.
std::string_view SourceRevision();

}  // namespace deconvoy::worker
