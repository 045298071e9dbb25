// What a model's file of unknown origin tells of its training: what is taken can be measured by, and told again.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"
#include "tests/fuzz/input.h"
#include "worker/learned/container.h"
#include "worker/pipeline/model_evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  using namespace deconvoy::worker;
  v1::ModelFacts facts;
  const absl::Status status = AddEvidence(std::string(reinterpret_cast<const char*>(data), size), facts);
  if (!status.ok()) {
    fuzz::Require(ReasonOf(status) == v1::BAD_MODEL, "a refusal is the file's fault");
    fuzz::Require(facts.ByteSizeLong() == 0, "nothing is taken of what is refused");
    return 0;
  }
  fuzz::Require(facts.network().empty() && facts.digest().empty() && facts.recipe().empty(), "no other field is told");
  for (const double deviation : facts.patches().deviation()) fuzz::Require(deviation > 0, "patches can be measured");
  const auto file = WithEvidence(learned::WriteContainer({}), facts);
  fuzz::Require(file.ok(), "it can be written");
  const auto container = learned::ReadContainer(std::as_bytes(std::span(*file)));
  fuzz::Require(container.ok(), "what was written can be read");
  v1::ModelFacts again;
  fuzz::Require(AddEvidence(container->texts.at("evidence"), again).ok(), "and taken again");
  // Bytes may differ: JSON leaves out a number that is -0.
  fuzz::Require(google::protobuf::util::MessageDifferencer::Equivalent(again, facts), "as the same");
  return 0;
}
