// SPDX-License-Identifier: Apache-2.0
#include "connectors/secrets.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "workflow/segments.h"

namespace avow::connectors {
namespace {

/// As expressions can name it.
bool is_secret_name(std::string_view name) {
  return name.size() <= 64 &&
         workflow::secret_name(fmt::format("${{{{ secrets.{} }}}}", name)) == name && !name.empty();
}

Result<std::string> read_source(const SecretSource& source) {
  if (source.env.empty() == source.file.empty()) {
    return failure(Code::kInvalidArgument, "exactly one of env and file is needed");
  }
  if (!source.env.empty()) {
    const char* const value =
        std::getenv(source.env.c_str());  // NOLINT(concurrency-mt-unsafe): at start
    if (value == nullptr) {
      return failure(Code::kInvalidArgument, "environment variable {} is not set", source.env);
    }
    return std::string(value);
  }
  std::ifstream file(source.file, std::ios::binary);
  if (!file) return failure(Code::kInvalidArgument, "file \"{}\" cannot be read", source.file);
  std::string text(kSecretBytesMax + 3, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Result<Secret> read_secret(const SecretSource& source) {
  ASSIGN_OR_RETURN(std::string text, read_source(source));
  if (text.size() < kSecretBytesMin || text.size() > kSecretBytesMax) {
    return failure(Code::kInvalidArgument, "the value must have {} to {} bytes", kSecretBytesMin,
                   kSecretBytesMax);
  }
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return failure(Code::kInvalidArgument, "the value holds a control character");
    }
  }
  if (!is_utf8(text)) return failure(Code::kInvalidArgument, "the value is not UTF-8");
  return Secret(std::move(text));
}

Result<std::vector<std::string>> read_hosts(const std::vector<std::string>& hosts) {
  if (hosts.empty()) return failure(Code::kInvalidArgument, "hosts must name at least one host");
  std::vector<std::string> out;
  for (const std::string& host : hosts) {
    const bool is_wildcard = host.starts_with("*.");
    const bool is_v6 = host.find(':') != std::string::npos;
    const std::string name = is_wildcard ? host.substr(2) : host;
    const auto url = parse_url(is_v6 ? fmt::format("https://[{}]", name) : "https://" + name);
    if (!url || !url->target.empty() || url->port != 443) {
      return failure(Code::kInvalidArgument,
                     "hosts holds \"{}\", which is no host name (without scheme, port and path)",
                     shown(host));
    }
    out.push_back((is_wildcard ? "*." : "") + url->host);
  }
  return out;
}

bool host_matches(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return pattern == host;
  const std::string_view suffix = pattern.substr(1);  // ".example.com"
  return host.size() > suffix.size() && host.ends_with(suffix);
}

}  // namespace

std::string model_key_name(std::string_view model) { return fmt::format("model:{}", model); }

Result<SecretStore> SecretStore::load(const Config& config) {
  SecretStore store;
  store.outbound_ = config.outbound;
  for (const auto& [name, secret] : config.secrets) {
    const std::string context = fmt::format("secrets.{}", name);
    if (!is_secret_name(name)) {
      return failure(Code::kInvalidArgument,
                     "{}: a name is a letter or \"_\" and up to 63 letters, digits, \"_\" or \"-\"",
                     context);
    }
    auto value = read_secret(secret.source);
    if (!value) return value.error().in(context);
    auto hosts = read_hosts(secret.hosts);
    if (!hosts) return hosts.error().in(context);
    store.entries_.emplace(name, Entry{std::move(*value), std::move(*hosts), secret.tenant});
  }
  for (const auto& [name, model] : config.models) {
    if (!model.api_key) continue;
    const std::string context = fmt::format("models.{}.api_key", name);
    auto value = read_secret(*model.api_key);
    if (!value) return value.error().in(context);
    const auto url = parse_url(model.base_url);
    if (!url) return url.error().in(context);
    store.entries_.emplace(model_key_name(name), Entry{std::move(*value), {url->host}, {}});
  }
  return store;
}

const SecretStore::Entry* SecretStore::find(TenantId tenant, std::string_view name) const {
  const auto it = entries_.find(name);
  if (it == entries_.end()) return nullptr;
  const auto& owner = it->second.tenant;
  return !owner || *owner == tenant ? &it->second : nullptr;
}

bool SecretStore::has(TenantId tenant, std::string_view name) const {
  return is_secret_name(name) && find(tenant, name) != nullptr;
}

Result<void> SecretStore::check(TenantId tenant, std::string_view name, const Url& url) const {
  const Entry* const entry = find(tenant, name);
  if (entry == nullptr) return failure(Code::kNotFound, "no secret {}", shown(name));
  bool is_listed = false;
  for (const std::string& pattern : entry->hosts) {
    is_listed = is_listed || host_matches(pattern, url.host);
  }
  if (!is_listed) {
    return failure(Code::kPermissionDenied, "secret {} may not be sent to host {}", name,
                   shown(url.host));
  }
  if (url.is_https) return {};
  // A name is resolved when the client connects, and it checks the address then; behind a proxy it
  // could not, so there the URL itself must hold an address that is listed.
  const auto address = net::IpAddress::parse(url.host);
  const bool is_allowed = address ? outbound_.policy.is_plain_http_allowed(*address)
                                  : !outbound_.policy.allow.empty() && outbound_.proxy.empty();
  if (is_allowed) return {};
  return failure(Code::kPermissionDenied,
                 "secret {} may be sent over https only, or to an address in outbound.allow", name);
}

Result<Secret> SecretStore::reveal(TenantId tenant, std::string_view name, const Url& url) const {
  RETURN_IF_ERROR(check(tenant, name, url));
  return find(tenant, name)->value;
}

std::map<std::string, SecretStore::Trace> SecretStore::traces(const Bytes32& key) const {
  std::map<std::string, Trace> out;
  for (const auto& [name, entry] : entries_) {
    out.emplace(name, Trace{crypto::hmac_sha256(view_of(key), entry.value.reveal()), entry.hosts,
                            entry.tenant});
  }
  return out;
}

}  // namespace avow::connectors
