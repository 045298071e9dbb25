// OME-XML of unknown origin, for a file with any number of pages: what is read fits the pages.
#include <algorithm>

#include "client/imageio/ome.h"
#include "proto/contract/error.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  fuzz::Input input(data, size);
  const int64_t pages = input.Take<uint8_t>();
  const imageio::PageInfo page{.width = 7, .height = 5, .type = v1::U16};
  const std::string xml = input.Rest();
  imageio::IsOme(xml);
  const auto stack = imageio::ParseOme(xml, "/data/stack.ome.tif", pages, page);
  if (!stack.ok()) {
    fuzz::Require(absl::IsInvalidArgument(stack.status()), "a refusal is the file's fault");
    fuzz::Require(IsUtf8(std::string(stack.status().message())), "a refusal can be shown");
    return 0;
  }
  const Shape5& shape = stack->shape;
  fuzz::Require(shape.y == page.height && shape.x == page.width, "planes are as large as pages");
  fuzz::Require(shape.t > 0 && shape.c > 0 && shape.z > 0, "a stack has planes");
  fuzz::Require(static_cast<int64_t>(stack->page_of_plane.size()) == shape.frames() * shape.z, "a page for each plane");
  fuzz::Require(std::all_of(stack->page_of_plane.begin(), stack->page_of_plane.end(),
                            [&](int64_t of) { return of >= 0 && of < pages; }),
                "pages lie in the file");
  fuzz::Require(stack->channels.empty() || static_cast<int64_t>(stack->channels.size()) == shape.c,
                "channels are described all or none");
  return 0;
}
