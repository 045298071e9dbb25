// What happens at crash points (CrashPoint in environment.h): nothing, unless a test sets it. The programs that are
// delivered set nothing, and so cannot be made to crash from outside.
#pragma once

#include <functional>
#include <string_view>

namespace deconvoy::server {

using CrashHook = std::function<void(std::string_view name)>;

// Called at every crash point with its name, by the thread that passes it; null for none. REQUIRES: no other thread
// passes one meanwhile.
void SetCrashHook(CrashHook hook);

// Ends the process at once, as `kill -9` would, at the point `name` of "name", or the n-th time that it is passed of
// "name:n", from 1. An empty request: never.
CrashHook KillAt(std::string_view request);

}  // namespace deconvoy::server
