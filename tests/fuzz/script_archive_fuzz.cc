// A TorchScript file of unknown origin, of which only the archive's directory is looked at.
#include "worker/learned/script_archive.h"

#include "proto/contract/error.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  const absl::Status status = worker::learned::CheckArchive(std::as_bytes(std::span(data, size)));
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  if (status.ok()) {
    fuzz::Require(file.starts_with("PK\3\4"), "what is taken is a zip archive");
    fuzz::Require(file.find("/code/") != file.npos && file.find("/data.pkl") != file.npos, "and has code");
    return 0;
  }
  const v1::ErrorReason reason = ReasonOf(status);
  fuzz::Require(reason == v1::BAD_MODEL || reason == v1::LIMIT_EXCEEDED, "a refusal is the file's fault");
  fuzz::Require(IsUtf8(std::string(status.message())), "a refusal can be shown");
  return 0;
}
