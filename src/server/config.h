// SPDX-License-Identifier: Apache-2.0
// server/config.h: avow.yaml, read into the options of the modules that it is about
// (docs/configuration.md). An unknown key, a key twice or a wrong type stops the start: a setting
// that is not understood is not one that is followed. Pure, save for the files that it names.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/services.h"
#include "auth/authenticator.h"
#include "auth/jwt.h"
#include "base/log.h"
#include "connectors/config.h"
#include "engine/engine.h"
#include "net/http_server.h"
#include "tlog/log.h"

namespace avow::server {

inline constexpr std::size_t kConfigBytesMax = std::size_t{1} << 20;

/// An address to listen on.
struct Endpoint {
  std::string address;  ///< An IPv4 or IPv6 address without brackets, or "localhost".
  std::uint16_t port = 0;

  [[nodiscard]] bool is_loopback() const;
  /// "127.0.0.1:8080", "[::1]:8080"
  [[nodiscard]] std::string text() const;
};

/// Reads "HOST:PORT"; port 0 lets the system choose. Errors: kInvalidArgument
Result<Endpoint> parse_endpoint(std::string_view text);

/// Everything that can be set. Defaults are those of the modules.
struct Config {
  connectors::Config connectors = {};         ///< `outbound`, `models`, `secrets`
  std::vector<auth::JwtIssuer> issuers = {};  ///< `jwt.issuers`
  net::ServerOptions http = {};       ///< `limits`, `tls`; address and port are not set here
  engine::EngineOptions engine = {};  ///< `limits`
  std::size_t commit_queue_bytes = std::size_t{64} << 20;
  std::optional<auth::RateLimit> requests_per_caller = {};  ///< `rate_limits`
  auth::AuthenticatorOptions authentication = {};           ///< `rate_limits`
  api::ApiOptions api = {};                                 ///< `trusted_proxies`
  tlog::LogOptions log_options = {};                        ///< `log`; its policy is read at once.
  int signing_threads = tlog::SequencerOptions().signing_threads;  ///< `log`
  Duration shutdown_grace = std::chrono::seconds(10);
  log::Level log_level = log::Level::kInfo;
  std::optional<Endpoint> metrics_listen = {};
};

/// Reads the text of a settings file. Relative paths in it are relative to `folder`. `keys`, if
/// given, receives every key that was looked for (with every section present: all that there are).
/// Errors: kInvalidArgument  every fault, a line each: "line 3: unknown key "limts"; allowed: ..."
Result<Config> parse_config(const std::string& text, const std::string& folder,
                            std::set<std::string>* keys = nullptr);

/// Reads the file. Errors: kInvalidArgument  also if it cannot be read; names the file
Result<Config> load_config(const std::string& path);

}  // namespace avow::server
