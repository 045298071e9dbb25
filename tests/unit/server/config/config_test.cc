#include "server/config/server_config.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "proto/contract/error.h"
#include "server/config/command_line.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<ServerConfig> Parse(std::string_view text) {
  return ParseConfig(text, "d.toml", {});
}

absl::StatusOr<Invocation> CommandLineOf(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "deconvoyd");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

// A configuration in which nothing is a default.
ServerConfig Unusual() {
  ServerConfig config;
  for (const Key& key : Keys()) {
    if (const auto* number = std::get_if<int64_t ServerConfig::*>(&key.member)) {
      config.** number = key.maximum;
    } else if (const auto* text = std::get_if<std::string ServerConfig::*>(&key.member)) {
      config.** text = key.choices.empty() ? "/a \"quoted\" \\ path" : key.choices.back();
    }
  }
  config.listen = {"unix:/run/d.sock", "[::1]:0"};
  config.worker_gpus = "1,GPU-8c1f";
  return config;
}

TEST(Config, AnEmptyFileMeansTheDefaults) {
  ASSERT_OK_AND_ASSIGN(const ServerConfig config, Parse(""));
  EXPECT_EQ(config, ServerConfig{});
}

TEST(Config, EveryDefaultIsInItsOwnRange) {
  for (const Key& key : Keys()) EXPECT_OK(CheckValue(key, ServerConfig{}, "default"));
}

TEST(Config, WhatIsPrintedIsReadBack) {
  for (const ServerConfig& config : {ServerConfig{}, Unusual()}) {
    ASSERT_OK_AND_ASSIGN(const ServerConfig again, Parse(ToToml(config)));
    EXPECT_EQ(again, config) << ToToml(config);
  }
}

TEST(Config, TheExampleFileIsTheDefaults) {
  const auto file = testing::SourceDir() / "deploy" / "deconvoyd.example.toml";
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, ToToml(ServerConfig{})) << "renew it: deconvoyd --print-config > " << file;
}

TEST(Config, AnUnknownKeyNamesTheNearestAndTheLine) {
  const auto config = Parse("log_level = \"info\"\n\n[workers]\ncuont = 3\n");
  EXPECT_EQ(ReasonOf(config.status()), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("d.toml:4: there is no setting `workers.cuont`"));
  EXPECT_EQ(InfoOf(config.status()).remedy(), "did you mean `workers.count`?");
}

TEST(Config, AFlagsNameIsKnownForTheSettingThatItGives) {
  const auto hint = [](const std::string& text) { return InfoOf(Parse(text).status()).remedy(); };
  EXPECT_EQ(hint("state = \"/srv\"\n"), "did you mean `state_folder`?");
  EXPECT_EQ(hint("gpus = \"all\"\n"), "did you mean `workers.gpus`?");
  EXPECT_EQ(hint("workers = 3\n"), "did you mean `workers.count`?");
  EXPECT_EQ(hint("tls_certificat = \"a\"\n"), "did you mean `tls.certificate`?");
  EXPECT_EQ(hint("[wrkers]\ncount = 1\n"), "did you mean `[workers]`?");
  EXPECT_EQ(hint("[a]\nb = 1\n"), "`deconvoyd --print-config` lists all settings");
  EXPECT_EQ(hint("colour = 1\n"), "`deconvoyd --print-config` lists all settings");
}

TEST(Config, AnUnknownTableAndATableForAKeyAreRefused) {
  EXPECT_THAT(std::string(Parse("[wrkers]\ncount = 1\n").status().message()),
              HasSubstr("d.toml:1: there is no setting"));
  EXPECT_THAT(std::string(Parse("[log_level]\na = 1\n").status().message()), HasSubstr("must be a text"));
  EXPECT_THAT(std::string(Parse("workers = 3\n").status().message()), HasSubstr("there is no setting `workers`"));
}

TEST(Config, AWrongTypeSaysWhichOneIsRight) {
  EXPECT_THAT(std::string(Parse("[tasks]\nlease_ms = \"10\"\n").status().message()),
              HasSubstr("d.toml:2: tasks.lease_ms must be a whole number"));
  EXPECT_THAT(std::string(Parse("[tasks]\nlease_ms = 1e4\n").status().message()), HasSubstr("a whole number"));
  EXPECT_THAT(std::string(Parse("log_level = 3\n").status().message()), HasSubstr("a text in quotes"));
  EXPECT_THAT(std::string(Parse("listen = \"unix:/a\"\n").status().message()), HasSubstr("a list of texts"));
  EXPECT_THAT(std::string(Parse("listen = [\"unix:/a\", 3]\n").status().message()), HasSubstr("a list of texts"));
}

TEST(Config, AValueOutOfRangeSaysTheRange) {
  EXPECT_THAT(std::string(Parse("[workers]\ncount = 900\n").status().message()),
              HasSubstr("d.toml:2: workers.count is 900, but must be from 0 to 256"));
  EXPECT_THAT(std::string(Parse("[workers]\ncount = -1\n").status().message()), HasSubstr("from 0 to 256"));
  EXPECT_THAT(std::string(Parse("log_level = \"loud\"\n").status().message()), HasSubstr("one of trace, debug, info"));
  EXPECT_THAT(std::string(Parse("state_folder = \"\"\n").status().message()), HasSubstr("must name a folder"));
  EXPECT_THAT(std::string(Parse("listen = []\n").status().message()), HasSubstr("at least one address"));
}

TEST(Config, BadTomlAndFilesThatAreNotThereAreTold) {
  EXPECT_THAT(std::string(Parse("a = \n= 3").status().message()), HasSubstr("d.toml:1: not valid TOML"));
  EXPECT_THAT(std::string(LoadConfig("/none/d.toml", {}).status().message()), HasSubstr("/none/d.toml"));
  EXPECT_FALSE(LoadConfig("/tmp", {}).ok());
}

TEST(CommandLine, FlagsWinOverTheFile) {
  const testing::TemporaryFolder folder;
  const std::string file = (folder.path() / "d.toml").string();
  std::ofstream(file) << "log_level = \"error\"\n[workers]\ncount = 7\n";
  ASSERT_OK_AND_ASSIGN(const Invocation invocation, CommandLineOf({"--workers", "3", "--config", file.c_str()}));
  EXPECT_EQ(invocation.config.worker_count, 3);
  EXPECT_EQ(invocation.config.log_level, "error");
  EXPECT_EQ(invocation.answer, "");
  EXPECT_FALSE(invocation.local);
}

TEST(CommandLine, EveryKeyHasAFlag) {
  for (const Key& key : Keys()) {
    const std::string value = std::holds_alternative<int64_t ServerConfig::*>(key.member)
                                  ? fmt::format("{}", key.maximum)
                              : key.name.starts_with("files.") ? "data=/tmp/x"
                              : key.name == "workers.gpus"     ? "0,GPU-8c1f"
                              : key.choices.empty()            ? "unix:/tmp/x"
                                                               : key.choices.back();
    std::vector<const char*> arguments = {key.flag.data(), value.c_str()};
    for (const Key& other : Keys()) {
      const bool needed = key.name.starts_with("tls.") && other.name.starts_with("tls.") && other.name != key.name;
      if (needed) arguments.insert(arguments.end(), {other.flag.data(), "/tmp/y"});
    }
    ASSERT_OK_AND_ASSIGN(const Invocation invocation, CommandLineOf(arguments));
    EXPECT_THAT(ValueText(key, invocation.config), HasSubstr(value)) << key.flag;
  }
}

TEST(CommandLine, GpusAreNoneAllOrAList) {
  for (const char* gpus : {"none", "all", "0", "12,3", "GPU-8c1f02ab-77", "MIG-GPU-1/2/3,0"}) {
    ASSERT_OK_AND_ASSIGN(const Invocation invocation, CommandLineOf({"--gpus", gpus}));
    EXPECT_EQ(invocation.config.worker_gpus, gpus);
  }
  for (const char* gpus : {"", "two", "0,", ",0", "0, 1", "-1", "GPU-", "all,0", "GPU-1;reboot", "12345"}) {
    const absl::Status refused = CommandLineOf({"--gpus", gpus}).status();
    EXPECT_EQ(InfoOf(refused).field(), "workers.gpus") << gpus;
  }
}

TEST(CommandLine, SeveralAddresses) {
  ASSERT_OK_AND_ASSIGN(const Invocation invocation,
                       CommandLineOf({"--listen", "unix:/tmp/a", "--listen", "127.0.0.1:0"}));
  EXPECT_THAT(invocation.config.listen, ::testing::ElementsAre("unix:/tmp/a", "127.0.0.1:0"));
}

TEST(CommandLine, WrongFlagsAreRefused) {
  EXPECT_EQ(InfoOf(CommandLineOf({"--wokers", "2"}).status()).remedy(), "did you mean `--workers`?");
  EXPECT_THAT(std::string(CommandLineOf({"--workers", "1000"}).status().message()), HasSubstr("--workers: "));
  EXPECT_FALSE(CommandLineOf({"--workers", "two"}).ok());
  EXPECT_FALSE(CommandLineOf({"--listen", "0.0.0.0:1"}).ok());
}

TEST(CommandLine, AnswersThatStartNothing) {
  ASSERT_OK_AND_ASSIGN(const Invocation help, CommandLineOf({"--help"}));
  for (const Key& key : Keys()) EXPECT_THAT(help.answer, HasSubstr(std::string(key.flag)));
  EXPECT_THAT(help.answer, HasSubstr("(from 500 to 600000) [10000]"));
  for (const char* code : {"0 ok", "2 usage", "3 state", "4 address", "130 left"}) {
    EXPECT_THAT(help.answer, HasSubstr(code));
  }
  ASSERT_OK_AND_ASSIGN(const Invocation version, CommandLineOf({"--version"}));
  EXPECT_THAT(version.answer, HasSubstr(DECONVOY_VERSION));
  ASSERT_OK_AND_ASSIGN(const Invocation printed,
                       CommandLineOf({"--state", "/s", "--print-config", "--lease-ms", "777"}));
  ASSERT_OK_AND_ASSIGN(const ServerConfig again, Parse(printed.answer));
  EXPECT_EQ(again, printed.config);
  EXPECT_EQ(again.lease_ms, 777);
  ASSERT_OK_AND_ASSIGN(const Invocation checked, CommandLineOf({"--check-config"}));
  EXPECT_THAT(checked.answer, HasSubstr("right"));
}

TEST(CommandLine, APrivateServerIsQuietAndLeavesItsPlaceOpen) {
  ASSERT_OK_AND_ASSIGN(const Invocation own, CommandLineOf({"--local"}));
  EXPECT_TRUE(own.local);
  EXPECT_EQ(own.config.state_folder, "");
  EXPECT_TRUE(own.config.listen.empty());
  EXPECT_EQ(own.config.log_level, "warning");
  EXPECT_EQ(own.config.shutdown_grace_ms, 0);
  ASSERT_OK_AND_ASSIGN(const Invocation given,
                       CommandLineOf({"--local", "--state", "relative", "--log-level", "debug"}));
  EXPECT_TRUE(std::filesystem::path(given.config.state_folder).is_absolute());
  EXPECT_EQ(given.config.log_level, "debug");
  const auto files = CommandLineOf({"--local", "--files-read-only", "nas=/tmp"});
  ASSERT_OK(files);
  EXPECT_EQ(files->config.files_read_only.size(), 1U)
      << "its folder is compared with that of the state once there is one";
}

TEST(CommandLine, ErrandsAreToldApart) {
  EXPECT_EQ(CommandLineOf({})->errand, Errand::kServe);
  EXPECT_EQ(CommandLineOf({"--check"})->errand, Errand::kCheck);
  EXPECT_EQ(CommandLineOf({"--check", "--repair"})->errand, Errand::kRepair);
  ASSERT_OK_AND_ASSIGN(const Invocation repair, CommandLineOf({"--repair", "--json"}));
  EXPECT_EQ(repair.errand, Errand::kRepair);
  EXPECT_TRUE(repair.json);
  ASSERT_OK_AND_ASSIGN(const Invocation backup, CommandLineOf({"--backup", "a.sqlite"}));
  EXPECT_EQ(backup.errand, Errand::kBackup);
  EXPECT_EQ(backup.backup, "a.sqlite");
}

TEST(CommandLine, ErrandsThatExcludeEachOtherAreRefused) {
  EXPECT_FALSE(CommandLineOf({"--check", "--backup", "a"}).ok());
  for (const std::vector<const char*>& errand :
       std::vector<std::vector<const char*>>{{"--check"}, {"--repair"}, {"--backup", "a"}}) {
    std::vector<const char*> both = errand;
    both.push_back("--init");
    EXPECT_TRUE(CommandLineOf(errand).ok()) << errand.front();
    EXPECT_FALSE(CommandLineOf(both).ok()) << errand.front();
  }
  EXPECT_FALSE(CommandLineOf({"--local", "--repair"}).ok());
  EXPECT_FALSE(CommandLineOf({"--json"}).ok());
}

}  // namespace
}  // namespace deconvoy::server
