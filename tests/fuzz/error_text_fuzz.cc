// Errors from a peer that is not trusted, and texts that are shown to people.
#include "proto/contract/error.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  fuzz::Input input(data, size);
  const auto code = input.Take<int8_t>();
  const std::string message = input.TakeText(), details = input.Rest();
  const google::protobuf::LogSilencer quiet;
  const absl::Status status = AddContext(FromWire(code, message, details), message);
  fuzz::Require(status.ok() == (code == 0), "an error stays an error");
  const std::string shown(status.message());
  fuzz::Require(IsUtf8(shown) && Printable(shown) == shown, "a message can be sent and shown");
  const v1::StoredError stored = ToStored(status);
  v1::StoredError read;
  fuzz::Require(read.ParseFromString(stored.SerializeAsString()), "an error can be stored");
  fuzz::Require(FromStored(read).code() == status.code() && ReasonOf(FromStored(read)) == ReasonOf(status),
                "an error survives being stored");
  Nearest(message, {details, message.substr(0, message.size() / 2)});
  return 0;
}
