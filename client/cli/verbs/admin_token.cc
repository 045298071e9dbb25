// deconvoy admin token: what users show that they are.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/private_file.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/verbs/admin_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct TokenOptions {
  std::string name;  // of a user or a token
  std::string label;
  std::string output;
  std::optional<int64_t> days;
  ServerOptions server;
};

constexpr char kNewExamples[] = R"(  deconvoy admin token new ada --days 90 -o ada.token
      into a file that only you can read; hand it over on a safe way
  deconvoy admin token new ada --label 'laptop'
      printed once, and nowhere to be had again)";
constexpr char kListExamples[] = R"(  deconvoy admin token list ada
  deconvoy admin token list
      your own)";
constexpr char kRevokeExamples[] = R"(  deconvoy admin token revoke users/ada/tokens/1
      it is worthless from the next call on)";

// "never" for a time that is not set.
std::string TimeOrNever(bool is_set, const google::protobuf::Timestamp& time) {
  return is_set ? TimeText(time) : "never";
}

std::string StateOf(const v1::Token& token) {
  if (token.revoked()) return "revoked";
  const bool over = token.has_expire_time() && token.expire_time().seconds() <= absl::ToUnixSeconds(absl::Now());
  return over ? "expired" : "good";
}

absl::Status New(const TokenOptions& options, const Console& console) {
  std::error_code ignored;
  if (!options.output.empty() && std::filesystem::exists(std::filesystem::symlink_status(options.output, ignored)))
    return UsageError(fmt::format("{} is there already", Printable(options.output)), "Name a new file.");
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  const absl::Duration lifetime = options.days ? absl::Hours(24 * *options.days) : absl::InfiniteDuration();
  ASSIGN_OR_RETURN(const v1::CreateTokenResponse made,
                   client.CreateToken(UserArgument(options.name), options.label, lifetime));
  if (!options.output.empty()) {
    if (const absl::Status status = WritePrivateFile(options.output, made.text() + "\n"); !status.ok()) {
      client.RevokeToken(made.token().name()).status().IgnoreError();
      return status;
    }
  }
  console.Remark(fmt::format("{} expires {}", Printable(made.token().name()),
                             TimeOrNever(made.token().has_expire_time(), made.token().expire_time())));
  if (console.json) {
    nlohmann::json json = ToJson(made);
    if (!options.output.empty()) json.erase("text");
    console.Json(json);
  } else if (options.output.empty()) {
    console.out << made.text() << '\n';
  }
  return absl::OkStatus();
}

absl::Status List(const TokenOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const std::vector<v1::Token> tokens,
                   client.ListTokens(options.name.empty() ? "" : UserArgument(options.name)));
  std::vector<std::vector<std::string>> rows;
  for (const v1::Token& token : tokens) {
    rows.push_back({Printable(token.name()), StateOf(token), TimeText(token.create_time()),
                    TimeOrNever(token.has_expire_time(), token.expire_time()),
                    TimeOrNever(token.has_last_used_time(), token.last_used_time()), Printable(token.label())});
    if (console.json) console.Json(ToJson(token));
  }
  SayTable(console, {"TOKEN", "STATE", "CREATED", "EXPIRES", "LAST USED", "LABEL"}, rows, "no tokens");
  return absl::OkStatus();
}

absl::Status Revoke(const TokenOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::Token token, client.RevokeToken(options.name));
  console.Say("revoked " + Printable(token.name()));
  if (console.json) console.Json({{"event", "revoked"}, {"token", ToJson(token)}});
  return absl::OkStatus();
}

}  // namespace

void AddAdminToken(CLI::App& parent, Program& program) {
  CLI::App* group = parent.add_subcommand("token", "Make, list and revoke tokens.");
  const auto common = [&program](CLI::App& verb, TokenOptions& options) {
    AddServerOption(verb, options.server);
    AddJsonOption(verb, program.console);
  };
  AddVerb<TokenOptions>(
      *group, program, "new", "Make a token for a user.", kNewExamples,
      [common](CLI::App& verb, TokenOptions& options) {
        verb.add_option("USER", options.name, "Whose it is to be")->type_name("USER")->required();
        verb.add_option("--label", options.label, "What it is for, to tell it from others")->type_name("TEXT");
        verb.add_option("--days", options.days, "How long it is good, 1 to 36500; without this for ever")
            ->check(CLI::Range(int64_t{1}, int64_t{36500}))
            ->type_name("N");
        verb.add_option("-o,--output", options.output,
                        "New file for it, which only you can read, rather than standard output")
            ->type_name("FILE");
        common(verb, options);
      },
      [&program](const TokenOptions& options) { return New(options, program.console); });
  AddVerb<TokenOptions>(
      *group, program, "list", "List a user's tokens, your own by default.", kListExamples,
      [common](CLI::App& verb, TokenOptions& options) {
        verb.add_option("USER", options.name, "Whose")->type_name("USER");
        common(verb, options);
      },
      [&program](const TokenOptions& options) { return List(options, program.console); });
  AddVerb<TokenOptions>(
      *group, program, "revoke", "Make a token worthless.", kRevokeExamples,
      [common](CLI::App& verb, TokenOptions& options) {
        verb.add_option("TOKEN", options.name, "users/USER/tokens/N")->type_name("TOKEN")->required();
        common(verb, options);
      },
      [&program](const TokenOptions& options) { return Revoke(options, program.console); });
  ShowHelpOfGroup(*group, program);
}

}  // namespace deconvoy::client
