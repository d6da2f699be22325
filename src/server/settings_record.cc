// SPDX-License-Identifier: Apache-2.0
#include "server/settings_record.h"

#include <algorithm>
#include <array>

#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"
#include "server/deployment_log.h"

namespace avow::server {
namespace {

/// A store has one such record.
constexpr const char* kUniqueKey = "settings";

json::Array texts(const std::vector<std::string>& list) { return {list.begin(), list.end()}; }

json::Array cidrs(const std::vector<net::Cidr>& list) {
  json::Array out;
  for (const net::Cidr& cidr : list) {
    const int bits = cidr.base.is_v4() ? cidr.prefix_bits - 96 : cidr.prefix_bits;
    out.emplace_back(fmt::format("{}/{}", cidr.base.text(), bits));
  }
  return out;
}

json::Array names_of(const std::map<std::string, std::string>& values) {
  json::Array out;
  for (const auto& [name, value] : values) out.emplace_back(name);
  return out;
}

json::Object describe(const connectors::ModelConfig& model) {
  return {{"provider", connectors::provider_name(model.provider)},
          {"base_url", model.base_url},
          {"model", model.model},
          {"api_key_secret", model.api_key_secret},
          {"api_key_header", model.api_key_header},
          {"headers", names_of(model.headers)},
          {"query", names_of(model.query)},
          {"max_tokens_member", model.max_tokens_member},
          {"stream", model.stream},
          {"input_price_cents", json::Value::number(model.input_price_cents)},
          {"output_price_cents", json::Value::number(model.output_price_cents)},
          {"timeout_ms", model.timeout ? json::Value(model.timeout->count()) : json::Value()}};
}

json::Object describe(const auth::JwtIssuer& issuer) {
  static constexpr std::array<const char*, 4> kAlgorithms = {"HS256", "RS256", "ES256", "EdDSA"};
  json::Array algorithms;
  for (const auto algorithm : issuer.algorithms) {
    algorithms.emplace_back(kAlgorithms.at(static_cast<std::size_t>(algorithm)));
  }
  json::Array tenants;
  for (const TenantId& tenant : issuer.tenants) tenants.emplace_back(tenant.uuid());
  return {{"issuer", issuer.issuer},
          {"audience", issuer.audience},
          {"algorithms", std::move(algorithms)},
          {"jwks_sha256", to_hex(view_of(crypto::sha256(issuer.jwks)))},
          {"jwks_url", issuer.jwks_url},
          {"tenants", std::move(tenants)}};
}

json::Object describe_limits(const Config& config) {
  const net::ServerOptions& http = config.http;
  const engine::EngineOptions& engine = config.engine;
  const auto rate = config.requests_per_caller ? config.requests_per_caller->tokens : 0U;
  return {{"body_bytes", std::uint64_t{http.body_bytes_max}},
          {"connections", std::uint64_t{http.connections_max}},
          {"steps_in_flight", std::uint64_t{engine.steps_in_flight_max}},
          {"steps_in_flight_per_tenant", std::uint64_t{engine.steps_in_flight_per_tenant_max}},
          {"runs_in_memory", std::uint64_t{engine.runs_loaded_max}},
          {"runs_waiting_per_tenant", std::uint64_t{engine.runs_waiting_per_tenant_max}},
          {"runs_unfinished_per_tenant", std::uint64_t{engine.runs_unfinished_per_tenant_max}},
          {"commit_queue_bytes", std::uint64_t{config.commit_queue_bytes}},
          {"outbound_response_bytes", std::uint64_t{config.connectors.outbound.response_bytes_max}},
          {"requests_per_minute", rate},
          {"failed_authentications_per_minute", config.authentication.failures.tokens}};
}

/// All that may be shown.
json::Value describe(const Config& config) {
  json::Object models;
  for (const auto& [name, model] : config.connectors.models) models.set(name, describe(model));
  json::Array issuers;
  for (const auth::JwtIssuer& issuer : config.issuers) issuers.emplace_back(describe(issuer));
  const tlog::LogOptions& log = config.log_options;
  json::Array witnesses;
  if (log.policy) {
    for (const auto& witness : log.policy->witnesses) witnesses.emplace_back(witness.key.text());
  }
  return json::Object{
      {"models", std::move(models)},
      {"outbound", json::Object{{"allow", cidrs(config.connectors.outbound.policy.allow)},
                                {"has_proxy", !config.connectors.outbound.proxy.empty()},
                                {"ca_file", config.connectors.outbound.ca_file}}},
      {"jwt_issuers", std::move(issuers)},
      {"limits", describe_limits(config)},
      {"trusted_proxies", cidrs(config.api.trusted_proxies)},
      {"has_tls", !config.http.tls_certificate_file.empty()},
      {"log", json::Object{{"witnesses", std::move(witnesses)},
                           {"quorum", log.policy ? log.policy->quorum : ""}}}};
}

/// Of what is set and may not be shown.
std::string hidden_mac(const Config& config, const Bytes32& key) {
  json::Object hidden{{"proxy", config.connectors.outbound.proxy}};
  for (const auto& [name, model] : config.connectors.models) {
    json::Object headers;
    for (const auto& [header, value] : model.headers) headers.set(header, value);
    json::Object query;
    for (const auto& [parameter, value] : model.query) query.set(parameter, value);
    hidden.set("model:" + name, json::Array{std::move(headers), std::move(query)});
  }
  return to_hex(view_of(crypto::hmac_sha256(view_of(key), json::write_canonical(hidden))));
}

json::Object describe(const std::string& name, const connectors::SecretStore::Trace& trace) {
  json::Object out{{"name", name}, {"hosts", texts(trace.hosts)}};
  if (trace.tenant) out.set("tenant_id", trace.tenant->uuid());
  return out;
}

/// What the record's body holds, and what is committed with it.
class Comparison {
 public:
  Comparison(const json::Value& before, Time now, Rng& rng)
      : before_(before), now_(now), rng_(rng) {}

  /// Errors: kCorruption
  static Result<Bytes32> key_of(const json::Value& before, Rng& rng) {
    const json::Value* text = before.find("key");
    if (text == nullptr) return rng.bytes32();
    const auto bytes = from_base64(before.string_or("key"));
    Bytes32 key{};
    if (!bytes || bytes->size() != key.size()) {
      return failure(Code::kCorruption, "the record of the settings has no key");
    }
    std::copy(bytes->begin(), bytes->end(), key.begin());
    return key;
  }

  void settings(Id id, json::Value shown, std::string mac) {
    const json::Value* old = before_.find("settings");
    const bool is_same = old != nullptr && *old == shown && before_.string_or("hidden_mac") == mac;
    if (!is_same) tell({}, id, "settings", old == nullptr ? "created" : "updated", shown);
    after_.set("settings", std::move(shown));
    after_.set("hidden_mac", std::move(mac));
  }

  void secrets(const std::map<std::string, connectors::SecretStore::Trace>& traces) {
    static const json::Value kNone = json::Object();
    const json::Value* found = before_.find("secrets");
    const json::Value& old = found == nullptr ? kNone : *found;
    json::Object kept;
    for (const auto& [name, trace] : traces) {
      json::Value entry = describe(name, trace);
      const json::Value shown = entry;
      const json::Value* was = old.find(name);
      const auto known = parse_id(was == nullptr ? "" : was->string_or("id"));
      const Id id = known ? *known : make_id(now_, rng_.bytes8());
      entry.set("id", id.uuid());
      entry.set("value_mac", to_hex(view_of(trace.value_mac)));
      if (was == nullptr || *was != entry) {
        tell(trace.tenant.value_or(TenantId{}), id, "secret",
             was == nullptr ? "created" : "updated", shown);
      }
      kept.set(name, std::move(entry));
    }
    if (old.is_object()) {
      for (const auto& [name, was] : old.as_object()) {
        if (!traces.contains(name)) removed(was);
      }
    }
    after_.set("secrets", std::move(kept));
  }

  [[nodiscard]] json::Value& after() { return after_; }
  [[nodiscard]] std::vector<store::QueuedStatement>& statements() { return statements_; }

 private:
  void removed(const json::Value& was) {
    const auto id = parse_id(was.string_or("id"));
    const auto tenant = parse_id(was.string_or("tenant_id"));
    if (id) tell(tenant ? TenantId{*tenant} : TenantId{}, *id, "secret", "removed", {});
  }

  void tell(TenantId tenant, Id id, const char* subject, const char* change,
            std::optional<json::Value> record) {
    statements_.push_back(admin_changed({.tenant = tenant,
                                         .id = id,
                                         .subject = subject,
                                         .change = change,
                                         .record = std::move(record)},
                                        now_, rng_));
  }

  const json::Value& before_;
  const Time now_;
  Rng& rng_;
  json::Value after_ = json::Object();
  std::vector<store::QueuedStatement> statements_;
};

}  // namespace

Result<void> record_settings(store::Store& store, const Config& config,
                             const connectors::SecretStore& secrets, Clock& clock, Rng& rng) {
  const Time now = clock.now();
  store::Record record{.kind = store::RecordKind::kSetting,
                       .tenant = {},
                       .id = make_id(now, rng.bytes8()),
                       .unique_key = kUniqueKey,
                       .name = {},
                       .status = {},
                       .version = 0,
                       .body = "{}"};
  auto found = store.find_record(store::RecordKind::kSetting, kUniqueKey);
  if (found) {
    record = std::move(*found);
  } else if (found.error().code != Code::kNotFound) {
    return found.error();
  }
  auto before = json::parse(record.body, {.bytes_max = record.body.size()});
  if (!before) return failure(Code::kCorruption, "the record of the settings cannot be read");
  ASSIGN_OR_RETURN(const Bytes32 key, Comparison::key_of(*before, rng));

  Comparison comparison(*before, now, rng);
  comparison.settings(record.id, describe(config), hidden_mac(config, key));
  comparison.secrets(secrets.traces(key));
  if (comparison.statements().empty()) return {};
  comparison.after().set("key", to_base64(view_of(key)));
  record.body = json::write(comparison.after());
  const std::uint64_t expected = record.version++;
  store::Commit changes;
  changes.records.push_back({.record = std::move(record), .expected_version = expected});
  changes.statements = std::move(comparison.statements());
  return commit(store, std::move(changes));
}

}  // namespace avow::server
