#include "worker/methods/registry.h"

#include <array>

#include "worker/methods/rl.h"

namespace deconvoy::worker {

std::span<const Method* const> AllMethods() {
  static const RichardsonLucy& rl = *new RichardsonLucy;  // lives as long as the program
  static const std::array<const Method*, 1> methods = {&rl};
  return methods;
}

const Method* FindMethod(std::string_view name) {
  for (const Method* method : AllMethods()) {
    if (method->description().name() == name) return method;
  }
  return nullptr;
}

}  // namespace deconvoy::worker
