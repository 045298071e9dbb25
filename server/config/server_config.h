// Everything an operator can set. One table (Keys) says name, flag, meaning and range of each; the file reader, the
// flags, `--print-config` and deploy/deconvoyd.example.toml all follow it.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace deconvoy::server {

// Meanings, units and ranges: see Keys(). The initial values are the defaults.
struct ServerConfig {
  std::string state_folder = "/var/lib/deconvoy";
  std::vector<std::string> listen = {"127.0.0.1:7450"};
  std::string log_level = "info";
  int64_t shutdown_grace_ms = 10'000;

  std::string auth_tokens = "off";
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_client_ca;
  std::string audit_file;

  int64_t open_calls = 256;
  int64_t open_calls_per_user = 64;
  int64_t calls_per_second = 200;
  int64_t streams_per_connection = 100;
  int64_t idle_stream_ms = 3'600'000;
  int64_t keep_free_bytes = int64_t{1} << 30;

  int64_t quota_bytes = 0;
  int64_t quota_jobs = 0;

  std::vector<std::string> files_read_only;
  std::vector<std::string> files_read_write;

  int64_t result_days = 0;
  int64_t fetched_days = 0;
  int64_t upload_days = 0;
  int64_t high_water = 0;

  int64_t lease_ms = 10'000;
  int64_t attempts = 4;

  int64_t half_life_minutes = 24 * 60;
  int64_t running_tasks = 0;
  int64_t lower_class_percent = 5;

  int64_t worker_count = 1;
  std::string worker_gpus = "none";
  int64_t worker_gpu_memory_mib = 0;
  int64_t worker_threads = 0;
  int64_t worker_memory_mib = 0;
  std::string worker_pinning = "none";
  std::string worker_command;
  std::string worker_cache_folder;

  friend bool operator==(const ServerConfig&, const ServerConfig&) = default;
};

// One setting.
struct Key {
  using Member =
      std::variant<int64_t ServerConfig::*, std::string ServerConfig::*, std::vector<std::string> ServerConfig::*>;

  std::string_view name;     // in the file, with its table: `workers.count`
  std::string_view flag;     // on the command line: `--workers`
  std::string_view meaning;  // one line
  Member member;
  int64_t minimum = 0;  // of an integer, inclusive
  int64_t maximum = 0;
  std::vector<std::string> choices = {};  // of a text; empty means any
};

// Every setting, in the order of the file; keys of one table stand together.
std::span<const Key> Keys();

// The value of `key` as TOML.
std::string ValueText(const Key& key, const ServerConfig& config);
// What `key` accepts, for people: `from 0 to 256`, `one of cpu, cuda`; empty when anything of its type.
std::string RangeText(const Key& key);

// INVALID_FIELD unless the value of `key` is in range; `where` (file and line, or the flag) comes before the message.
absl::Status CheckValue(const Key& key, const ServerConfig& config, std::string_view where);

// Whether the settings together let in only who may come. INVALID_FIELD, saying how to set it up, for an address that
// other machines can reach without TLS or without tokens, and for half of what TLS needs.
absl::Status CheckDoors(const ServerConfig& config);

// `base` with what the file says. Errors name file and line: unknown keys with the nearest known one, wrong types,
// values out of range, and what TOML itself refuses.
absl::StatusOr<ServerConfig> LoadConfig(const std::filesystem::path& file, const ServerConfig& base);
// The same for text; `name` stands for the file in errors.
absl::StatusOr<ServerConfig> ParseConfig(std::string_view text, std::string_view name, const ServerConfig& base);

// The configuration as a TOML file with a comment per key. ParseConfig reads it back.
std::string ToToml(const ServerConfig& config);

}  // namespace deconvoy::server
