// Which server a command talks to.
#pragma once

#include <absl/status/statusor.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "client/cli/local_server.h"
#include "client/cpp/client.h"
#include "proto/contract/server_access.h"

namespace deconvoy::client {

struct ServerOptions {
  std::string server;
  bool local = false;
  std::optional<int> threads;
  std::optional<int64_t> memory_mib;
  bool gpu = false;  // a local server computes on the first GPU
  AccessFiles access;
  std::string compress_transfer = "auto";
};

// --server, with --token-file and --tls-..., alone, for commands about what a server keeps.
void AddServerOption(CLI::App& verb, ServerOptions& options);

// --compress-transfer, for commands that move voxels.
void AddCompressOption(CLI::App& verb, ServerOptions& options);

// What --compress-transfer says.
TransferCompression CompressionOf(const ServerOptions& options);

// --server or --local, and --compress-transfer, with --threads and --memory-mib for the latter.
void AddServerOrLocalOptions(CLI::App& verb, ServerOptions& options);

// The server's address: --server, else $DECONVOY_SERVER, else the settings file; nothing for a local server.
absl::StatusOr<std::optional<std::string>> ChooseServer(const ServerOptions& options);

// The same, where there must be one.
absl::StatusOr<std::string> RequireServer(const ServerOptions& options);

// What is shown to the server of an address, and how it is checked: the files of the options; without a file for the
// token $DECONVOY_TOKEN; for what is left what `deconvoy login` has kept of this server.
absl::StatusOr<ServerAccess> AccessTo(const std::string& server, const ServerOptions& options);

// The options of a local server that computes on a GPU where `backend` is `cuda`.
ServerOptions ForBackend(ServerOptions options, const std::string& backend);

LocalServerOptions ToLocal(const ServerOptions& options);

}  // namespace deconvoy::client
