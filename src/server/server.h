// SPDX-License-Identifier: Apache-2.0
// server/server.h: a whole server over one data directory: the one place that makes concrete types.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "server/config.h"

namespace avow::server {

struct ServerOptions {
  std::string data_directory;
  Endpoint listen = {"127.0.0.1", 0};
  Config config = {};
  /// Without TLS only loopback addresses are listened on, since keys would cross the network in the
  /// clear; this says that somebody else (a proxy) sees to it.
  bool is_insecure_http_allowed = false;
  /// Runs leave no statements and get no receipts. Only to measure what proofs cost, over a
  /// directory that is thrown away: a log with gaps is worth nothing.
  bool is_log_off = false;
};

class Server {
 public:
  /// Opens the store and its log, resumes what is not finished, and listens. If the log cannot be
  /// believed (Sequencer::sealed()), nothing is resumed and nothing written; reads are answered.
  /// Errors: kInvalidArgument  a setting, or an address that is not loopback without TLS
  ///         kNotFound         no store is there
  ///         kConflict         another process has it open
  ///         and those of SqliteStore::open, open_keys, Log::open and HttpServer::start
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options);
  /// CHECKs that stop() was called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] bool is_tls() const;
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::optional<std::uint16_t> metrics_port() const;

  /// Lets no run start and no call leave any more, gives those under way `grace`, then stops
  /// everything in the reverse order of the start. What was not finished goes on at the next start.
  /// Once.
  void stop(Duration grace);

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace avow::server
