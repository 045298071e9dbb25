// A configuration file, and the addresses in it: what is accepted is printed and read back alike.
#include "proto/contract/error.h"
#include "server/config/address.h"
#include "server/config/server_config.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  using namespace deconvoy::server;
  const std::string text = fuzz::Input(data, size).Rest();
  const auto config = ParseConfig(text, "fuzz.toml", {});
  if (!config.ok()) {
    fuzz::CheckRefusal(config.status());
    return 0;
  }
  for (const Key& key : Keys()) fuzz::Require(CheckValue(key, *config, "").ok(), "what is accepted is in its range");
  const auto again = ParseConfig(ToToml(*config), "again.toml", {});
  fuzz::Require(again.ok() && *again == *config, "what is printed is read back");
  for (const std::string& listen : config->listen) {
    const auto address = ParseAddress(listen);
    if (!address.ok()) {
      fuzz::CheckRefusal(address.status());
      continue;
    }
    const auto same = ParseAddress(address->Text());
    fuzz::Require(same.ok() && same->Text() == address->Text(), "an address has one text");
  }
  return 0;
}
