#include "worker/pipeline/offered_methods.h"

#include "worker/methods/registry.h"
#include "worker/pipeline/model_file.h"

namespace deconvoy::worker {

std::vector<v1::Method> OfferedMethods() {
  std::vector<v1::Method> methods;
  for (const Method* method : AllMethods()) methods.push_back(method->description());
  DescribeNetworks(methods.emplace_back(NetworkMethod().description()));
  return methods;
}

}  // namespace deconvoy::worker
