// Names of files on the server's storage: what is accepted stays below its root, and is written back alike.
#include "proto/contract/server_file.h"

#include "proto/contract/error.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  const std::string name = fuzz::Input(data, size).Rest();
  const absl::StatusOr<ServerFile> file = ParseServerFile(name, "file");
  if (!file.ok()) {
    fuzz::Require(IsUtf8(std::string(file.status().message())), "a refusal can be sent");
    fuzz::Require(!InfoOf(file.status()).remedy().empty(), "a refusal says what to do");
    return 0;
  }
  fuzz::Require(file->root + "/" + file->path == name, "a file has one name");
  fuzz::Require(IsRootName(file->root), "a root is a name");
  const std::string walled = "/" + file->path + "/";
  for (const char* bad : {"//", "/./", "/../"}) {
    fuzz::Require(walled.find(bad) == std::string::npos, "a path goes down only");
  }
  fuzz::Require(file->path.find('\0') == std::string::npos, "a path has no end within");
  return 0;
}
