// All methods that this worker knows.
#pragma once

#include <span>
#include <string_view>

#include "worker/methods/method.h"

namespace deconvoy::worker {

// In the order in which they are listed. Pointers live as long as the program.
std::span<const Method* const> AllMethods();

// The method of this name, or null.
const Method* FindMethod(std::string_view name);

}  // namespace deconvoy::worker
