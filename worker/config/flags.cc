#include "worker/config/flags.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace deconvoy::worker {
namespace {

constexpr int kUsageError = 2;

void AddServing(CLI::App& app, Flags& flags) {
  app.add_option("--server", flags.server, "Address of the server, for instance unix:/path or 127.0.0.1:7450");
  app.add_option("--credential-file", flags.credential_file,
                 "File with the worker credential of the server, for workers of its machine");
  app.add_option("--token-file", flags.access.token,
                 "File with the token of a user whose role is worker, for workers from elsewhere; or $DECONVOY_TOKEN");
  app.add_option(
      "--tls-root", flags.access.tls_root,
      "Certificates (PEM) that the server's must come from. Calls to other machines are encrypted always, by "
      "default with the system's certificates");
  app.add_option("--tls-certificate", flags.access.tls_certificate,
                 "Certificate (PEM) of this worker, where the server asks for one");
  app.add_option("--tls-key", flags.access.tls_key, "Key (PEM) of --tls-certificate");
  app.add_option("--spool", flags.spool,
                 "The server's spool, when this host sees it: voxels are read and written there");
  app.add_flag("--die-with-parent", flags.die_with_parent, "End at once when the process that started this one ends");
}

// `I/N`, from 1.
std::string ParseShare(const std::string& text, Flags& flags) {
  const size_t slash = text.find('/');
  const auto number = [](std::string_view digits) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size() ? value : -1;
  };
  const std::string_view whole = text;
  const int64_t index = slash == std::string::npos ? -1 : number(whole.substr(0, slash));
  const int64_t count = slash == std::string::npos ? -1 : number(whole.substr(slash + 1));
  if (index < 1 || count < index || count > 256) return "must be I/N with I from 1 to N, and N up to 256";
  flags.pinned_index = index - 1;
  flags.pinned_count = count;
  return {};
}

void AddResources(CLI::App& app, Flags& flags) {
  app.add_option("--backend", flags.backend, "What to compute on: the processors or one NVIDIA GPU")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--device", flags.device,
                 "With --backend cuda: the GPU, by index or by the beginning of its UUID; --devices lists them. By "
                 "default the first one that CUDA_VISIBLE_DEVICES leaves");
  app.add_option(
         "--threads", flags.threads,
         "Threads that compute, or work beside the GPU; 0 for one per processor, with --pin for its share of them")
      ->check(CLI::Range(0, 1024));
  app.add_option_function<std::string>(
         "--pin",
         [&flags](const std::string& text) {
           if (const std::string error = ParseShare(text, flags); !error.empty()) {
             throw CLI::ValidationError("--pin", error);
           }
         },
         "This is worker I of N alike on this machine: tie each thread to a core of its share")
      ->type_name("I/N");
  app.add_option("--memory-mib", flags.memory_mib,
                 "Memory that one task may use; 0 for 70 % of what is available, of a GPU 90 %")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30));
  app.add_option("--state", flags.state,
                 "Folder where measured FFT plans and costs are kept: `cache` in a server's state folder");
  app.add_option("--log-level", flags.log_level, "Least level of messages on standard error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error", "off"}));
}

}  // namespace

ParsedFlags ParseFlags(int argc, const char* const* argv) {
  ParsedFlags parsed;
  Flags& flags = parsed.flags;
  CLI::App app("Takes tasks from a deconvoy server, computes them and brings the results.", "deconvoy-worker");
  bool describe = false, self_test = false, devices = false, plan = false;
  AddServing(app, flags);
  AddResources(app, flags);
  app.add_flag("--describe", describe, "Print the methods of this worker and end");
  app.add_flag("--json", flags.json,
               "With --describe or --devices: as JSON (deconvoy.v1.ListMethodsResponse, DeviceReport)");
  app.add_flag("--self-test", self_test, "Compute a small phantom, print the report and end");
  app.add_flag("--devices", devices, "Print the devices that could compute here and end");
  app.add_flag(
      "--plan", plan,
      "Measure what transforms of each size cost here, keep that with their plans in --state, and end. Once per "
      "machine, while nothing else computes: jobs are then cut into the sizes that are fastest on it");
  const CLI::Option* largest =
      app.add_option("--largest", flags.largest_extent, "With --plan: up to this extent, in voxels")
          ->check(CLI::Range(int64_t{64}, int64_t{8192}))
          ->capture_default_str();
  app.set_version_flag("--version", std::string("deconvoy-worker " DECONVOY_VERSION));
  try {
    app.parse(argc, argv);
    if (describe + self_test + devices + plan > 1) {
      throw CLI::ValidationError("--describe, --self-test, --devices and --plan", "exclude one another");
    }
    if (flags.backend == "cpu" && !flags.device.empty()) {
      throw CLI::ValidationError("--device", "needs --backend cuda");
    }
    if (flags.backend != "cpu" && (plan || flags.pinned_count > 0)) {
      throw CLI::ValidationError("--plan and --pin", "are for --backend cpu");
    }
    if (plan && flags.state.empty()) throw CLI::RequiredError("--state");
    if (!plan && largest->count() > 0) throw CLI::ValidationError("--largest", "needs --plan");
    if (flags.json && !describe && !devices) throw CLI::ValidationError("--json", "needs --describe or --devices");
    const bool serves = !describe && !self_test && !devices && !plan;
    if (serves && flags.server.empty()) throw CLI::RequiredError("--server");
    const char* token = std::getenv("DECONVOY_TOKEN");
    const bool shows_token = !flags.access.token.empty() || (token != nullptr && *token != '\0');
    if (serves && flags.credential_file.empty() && !shows_token) {
      throw CLI::RequiredError("--credential-file or --token-file");
    }
    if (!flags.credential_file.empty() && !flags.access.token.empty()) {
      throw CLI::ValidationError("--credential-file and --token-file", "exclude each other");
    }
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : kUsageError;
    return parsed;
  }
  if (describe) flags.action = Flags::Action::kDescribe;
  if (self_test) flags.action = Flags::Action::kSelfTest;
  if (devices) flags.action = Flags::Action::kDevices;
  if (plan) flags.action = Flags::Action::kPlan;
  return parsed;
}

}  // namespace deconvoy::worker
