// SPDX-License-Identifier: Apache-2.0
// connectors/secrets.h: credentials and where they may go (DESIGN.md section 3, "Secrets").
// Values are read once, at start, and leave this store only by reveal(), for one URL. They are
// never in an error, a log line or a record. Immutable after load(); safe from any thread.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"
#include "connectors/config.h"
#include "connectors/url.h"

namespace avow::connectors {

inline constexpr std::size_t kSecretBytesMin = 4;  ///< Less cannot be told from ordinary text.
inline constexpr std::size_t kSecretBytesMax = 16 * 1024;

class SecretStore {
 public:
  /// Reads the values of `config.secrets` and of the models' own keys. A value is UTF-8 without
  /// control characters. Errors: kInvalidArgument  names the secret, never its value
  static Result<SecretStore> load(const Config& config);

  /// Whether a workflow of `tenant` may name the secret.
  [[nodiscard]] bool has(TenantId tenant, std::string_view name) const;

  /// Whether the secret may be sent to `url`: the host is one of its hosts, over https, or over
  /// plain http to an address in `outbound.allow` (for a host name the client checks that when it
  /// connects). Errors: kNotFound          unknown, or another tenant's
  ///         kPermissionDenied  not to that host, or not without TLS
  [[nodiscard]] Result<void> check(TenantId tenant, std::string_view name, const Url& url) const;

  /// The value, to be sent to `url` at once. Errors: as check()
  [[nodiscard]] Result<Secret> reveal(TenantId tenant, std::string_view name, const Url& url) const;

  /// What may be known of a secret: whether its value is still the same, and where it may go.
  struct Trace {
    Bytes32 value_mac{};  ///< HMAC-SHA256 of the value.
    std::vector<std::string> hosts;
    std::optional<TenantId> tenant;
  };
  /// Of every secret, by name. `key` is random and kept where the traces are.
  [[nodiscard]] std::map<std::string, Trace> traces(const Bytes32& key) const;

 private:
  struct Entry {
    Secret value;
    std::vector<std::string> hosts;
    std::optional<TenantId> tenant;
  };
  [[nodiscard]] const Entry* find(TenantId tenant, std::string_view name) const;

  std::map<std::string, Entry, std::less<>> entries_;
  OutboundConfig outbound_;
};

/// The name under which a model's own key is kept; no workflow can name it, for the ":".
std::string model_key_name(std::string_view model);

}  // namespace avow::connectors
