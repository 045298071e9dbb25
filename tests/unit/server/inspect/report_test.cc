#include "server/inspect/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

Inspection WithOne(Mend mend) {
  Inspection inspection{.volumes = 3, .boxes = 40, .bytes = 5 << 20, .jobs = 2};
  inspection.findings.push_back({.kind = "box-damaged",
                                 .subject = "volumes/a",
                                 .path = "/state/a\x1b.raw",
                                 .problem = "a problem",
                                 .remedy = "A remedy.",
                                 .mend = mend});
  return inspection;
}

TEST(Report, TellsEachFindingAndHowMuchWasLookedAt) {
  const std::string text = ToText(WithOne(Mend::kDropBoxes));
  EXPECT_THAT(text, HasSubstr("box-damaged: volumes/a: a problem\n  in /state/a\\x1B.raw\n  A remedy.\n"));
  EXPECT_THAT(text, HasSubstr("1 findings: 3 volumes, 40 boxes with 5.0 MiB, 2 jobs\n"));
  EXPECT_THAT(ToText(WithOne(Mend::kNextStart)), HasSubstr("sound, 1 leftovers: "));
  EXPECT_EQ(ToText({}), "sound: 0 volumes, 0 boxes with 0.0 MiB, 0 jobs\n");
}

TEST(Report, IsOneJsonObject) {
  const std::string text = ToJson(WithOne(Mend::kNothing));
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["sound"], false);
  EXPECT_EQ(json["boxes"], 40);
  EXPECT_EQ(json["findings"][0]["kind"], "box-damaged");
  EXPECT_EQ(json["findings"][0]["path"], "/state/a\\x1B.raw");
  EXPECT_EQ(json["findings"][0]["repairable"], false);
  EXPECT_EQ(nlohmann::json::parse(ToJson(WithOne(Mend::kDropBoxes)))["findings"][0]["repairable"], true);
  EXPECT_EQ(nlohmann::json::parse(ToJson({}))["sound"], true);
}

}  // namespace
}  // namespace deconvoy::server
