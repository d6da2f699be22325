// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "base/bytes.h"
#include "server/yaml_section.h"

namespace avow::server {
namespace {

constexpr std::int64_t kMebi = std::int64_t{1} << 20;
constexpr std::int64_t kDaySeconds = 86'400;

/// Calls `use` with what the setting parses to, or notes the fault.
template <class Parse, class Use>
void parsed(Section& section, const std::string& key, const std::string& text, Parse parse,
            Use use) {
  auto value = parse(text);
  if (value) {
    use(std::move(*value));
  } else {
    section.fault(key, value.error().message);
  }
}

class Reader {
 public:
  Reader(std::string folder, Config& config) : folder_(std::move(folder)), config_(config) {}

  void read(Section root) {
    read_outbound(root.section("outbound"));
    for (auto& [name, model] : root.named("models")) read_model(name, model);
    for (auto& [name, secret] : root.named("secrets")) read_secret(name, secret);
    Section jwt = root.section("jwt");
    for (Section& issuer : jwt.list("issuers")) read_issuer(issuer);
    jwt.finish();
    read_limits(root.section("limits"));
    read_rate_limits(root.section("rate_limits"));
    read_cidrs(root, "trusted_proxies", config_.api.trusted_proxies);
    read_tls(root.section("tls"));
    read_log(root.section("log"));
    if (const auto seconds = root.integer("shutdown_grace_seconds", 0, 3600)) {
      config_.shutdown_grace = std::chrono::seconds(*seconds);
    }
    read_log_level(root);
    if (const auto text = root.text("metrics_listen")) {
      parsed(root, "metrics_listen", *text, parse_endpoint,
             [&](Endpoint endpoint) { config_.metrics_listen = std::move(endpoint); });
    }
    root.finish();
  }

 private:
  void read_outbound(Section section) {
    connectors::OutboundConfig& outbound = config_.connectors.outbound;
    read_cidrs(section, "allow", outbound.policy.allow);
    outbound.proxy = section.text("proxy").value_or("");
    outbound.ca_file = path_of(section.text("ca_file"));
    section.finish();
  }

  static void read_cidrs(Section& section, const std::string& key, std::vector<net::Cidr>& out) {
    for (const std::string& text : section.texts(key)) {
      parsed(section, key, text, net::Cidr::parse, [&](net::Cidr cidr) { out.push_back(cidr); });
    }
  }

  void read_model(const std::string& name, Section& section) {
    connectors::ModelConfig model;
    if (const auto provider = section.text("provider")) {
      parsed(section, "provider", *provider, connectors::parse_provider,
             [&](connectors::Provider value) { model.provider = value; });
    } else {
      section.fault("", "needs a provider: openai, anthropic or echo");
    }
    model.base_url = section.text("base_url").value_or("");
    model.model = section.text("model").value_or("");
    read_model_key(section, model);
    model.api_key_header = section.text("api_key_header").value_or("");
    model.headers = section.text_map("headers");
    model.query = section.text_map("query");
    if (auto member = section.text("max_tokens_member")) model.max_tokens_member = *member;
    model.stream = section.flag("stream").value_or(false);
    model.input_price_cents = section.number("input_price_cents", 0, 1e9).value_or(0);
    model.output_price_cents = section.number("output_price_cents", 0, 1e9).value_or(0);
    if (const auto timeout = section.integer("timeout_ms", 1, kDaySeconds * 1000)) {
      model.timeout = Duration(*timeout);
    }
    section.finish();
    config_.connectors.models.emplace(name, std::move(model));
  }

  void read_model_key(Section& section, connectors::ModelConfig& model) {
    model.api_key_secret = section.text("api_key_secret").value_or("");
    const bool is_given = section.has("api_key");
    Section key = section.section("api_key");
    const connectors::SecretSource source = read_source(key);
    if (is_given && source.env.empty() && source.file.empty()) {
      key.fault("", "needs env or file: where its value is read from");
    } else if (is_given) {
      model.api_key = source;
    }
    key.finish();
  }

  /// `env` or `file`; both at once is a fault.
  connectors::SecretSource read_source(Section& section) {
    connectors::SecretSource source{.env = section.text("env").value_or(""),
                                    .file = path_of(section.text("file"))};
    if (!source.env.empty() && !source.file.empty()) {
      section.fault("", "must not have both env and file");
    }
    return source;
  }

  void read_secret(const std::string& name, Section& section) {
    connectors::SecretConfig secret;
    secret.source = read_source(section);
    if (secret.source.env.empty() && secret.source.file.empty()) {
      section.fault("", "needs env or file: where its value is read from");
    }
    secret.hosts = section.texts("hosts");
    if (secret.hosts.empty()) section.fault("", "needs hosts: where it may be sent to");
    if (const auto tenant = section.text("tenant")) {
      parsed(section, "tenant", *tenant, parse_id, [&](Id id) { secret.tenant = TenantId{id}; });
    }
    section.finish();
    config_.connectors.secrets.emplace(name, std::move(secret));
  }

  void read_issuer(Section& section) {
    auth::JwtIssuer issuer{.issuer = section.text("issuer").value_or(""),
                           .audience = section.text("audience").value_or(""),
                           .jwks_url = section.text("jwks_url").value_or("")};
    if (issuer.issuer.empty()) section.fault("", "needs issuer");
    if (issuer.audience.empty()) section.fault("", "needs audience");
    for (const std::string& algorithm : section.texts("algorithms")) {
      parsed(section, "algorithms", algorithm, auth::parse_jwt_algorithm,
             [&](auth::JwtAlgorithm value) { issuer.algorithms.push_back(value); });
    }
    if (issuer.algorithms.empty()) section.fault("", "needs algorithms");
    for (const std::string& tenant : section.texts("tenants")) {
      parsed(section, "tenants", tenant, parse_id,
             [&](Id id) { issuer.tenants.push_back(TenantId{id}); });
    }
    if (issuer.tenants.empty()) section.fault("", "needs tenants: for whom it may speak");
    const std::string file = path_of(section.text("jwks_file"));
    if (file.empty() == issuer.jwks_url.empty()) {
      section.fault("", "needs exactly one of jwks_file and jwks_url");
    } else if (!file.empty()) {
      parsed(
          section, "jwks_file", file, [](const std::string& path) { return read_file(path); },
          [&](std::string text) { issuer.jwks = std::move(text); });
    }
    section.finish();
    config_.issuers.push_back(std::move(issuer));
  }

  void read_limits(Section section) {
    const auto number = [&](const char* key, std::int64_t min, std::int64_t max, auto& out) {
      using Number = std::remove_reference_t<decltype(out)>;
      if (const auto value = section.integer(key, min, max)) out = static_cast<Number>(*value);
    };
    const auto seconds = [&](const char* key, Duration& out) {
      if (const auto value = section.integer(key, 1, kDaySeconds)) {
        out = std::chrono::seconds(*value);
      }
    };
    net::ServerOptions& http = config_.http;
    number("body_bytes", 1024, 4 * kMebi, http.body_bytes_max);
    number("header_bytes", 1024, kMebi, http.header_bytes_max);
    number("connections", 1, 1'000'000, http.connections_max);
    number("request_threads", 1, 256, http.request_threads);
    number("request_queue", 1, 1'000'000, http.request_queue_max);
    number("stream_backlog_bytes", 1024, 1024 * kMebi, http.stream_backlog_max);
    seconds("header_timeout_seconds", http.header_timeout);
    seconds("body_timeout_seconds", http.body_timeout);
    seconds("write_timeout_seconds", http.write_timeout);
    seconds("idle_timeout_seconds", http.idle_timeout);
    engine::EngineOptions& engine = config_.engine;
    number("steps_in_flight", 1, 1'000'000, engine.steps_in_flight_max);
    number("steps_in_flight_per_tenant", 1, 1'000'000, engine.steps_in_flight_per_tenant_max);
    number("runs_in_memory", 1, 10'000'000, engine.runs_loaded_max);
    number("runs_waiting_per_tenant", 1, 100'000'000, engine.runs_waiting_per_tenant_max);
    number("runs_unfinished_per_tenant", 1, 100'000'000, engine.runs_unfinished_per_tenant_max);
    number("commit_queue_bytes", kMebi, 65'536 * kMebi, config_.commit_queue_bytes);
    number("outbound_response_bytes", 1024, 1024 * kMebi,
           config_.connectors.outbound.response_bytes_max);
    section.finish();
  }

  void read_rate_limits(Section section) {
    constexpr Duration kMinute = std::chrono::minutes(1);
    const auto per_minute = [&](const char* key) {
      return section.integer(key, 0, std::numeric_limits<std::int32_t>::max());
    };
    if (const auto count = per_minute("requests_per_minute"); count && *count > 0) {
      config_.requests_per_caller = auth::RateLimit{static_cast<std::uint32_t>(*count), kMinute};
    }
    if (const auto count = per_minute("failed_authentications_per_minute")) {
      config_.authentication.failures = {static_cast<std::uint32_t>(*count), kMinute};
    }
    section.finish();
  }

  void read_tls(Section section) {
    config_.http.tls_certificate_file = path_of(section.text("certificate_file"));
    config_.http.tls_key_file = path_of(section.text("key_file"));
    if (config_.http.tls_certificate_file.empty() != config_.http.tls_key_file.empty()) {
      section.fault("", "needs both certificate_file and key_file");
    }
    section.finish();
  }

  void read_log(Section section) {
    tlog::LogOptions& log = config_.log_options;
    const auto milliseconds = [&](const char* key, std::int64_t min, Duration& out) {
      if (const auto value = section.integer(key, min, kDaySeconds * 1000)) out = Duration(*value);
    };
    // C2SP recommends that nobody's checkpoint moves, nor witness is asked, more often.
    milliseconds("publish_interval_ms", 100, log.publish_interval);
    milliseconds("witness_interval_ms", 1000, log.witness_interval);
    milliseconds("witness_timeout_ms", 1, log.witness_timeout);
    if (const auto threads = section.integer("signing_threads", 0, 64)) {
      config_.signing_threads = static_cast<int>(*threads);
    }
    if (const auto file = section.text("policy_file")) {
      auto text = read_file(path_of(file));
      auto policy = text ? merkle::Policy::parse(*text) : Result<merkle::Policy>(text.error());
      if (policy) {
        log.policy = std::move(*policy);
      } else {
        section.fault("policy_file",
                      text ? policy.error().in(*file).message : policy.error().message);
      }
    }
    section.finish();
  }

  void read_log_level(Section& root) {
    static const std::map<std::string, log::Level, std::less<>> kLevels = {
        {"debug", log::Level::kDebug},
        {"info", log::Level::kInfo},
        {"warning", log::Level::kWarning},
        {"error", log::Level::kError},
        {"off", log::Level::kOff}};
    const auto level = root.text("log_level");
    if (!level) return;
    const auto found = kLevels.find(*level);
    if (found == kLevels.end()) {
      root.fault("log_level", "must be debug, info, warning, error or off");
    } else {
      config_.log_level = found->second;
    }
  }

  /// A path as the file means it: relative to the file's own folder.
  [[nodiscard]] std::string path_of(const std::optional<std::string>& path) const {
    return path ? (std::filesystem::path(folder_) / *path).string() : "";
  }

 public:
  static Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(kConfigBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad() || !file.eof()) {
      const bool is_long = file.good() || file.gcount() > std::streamsize{kConfigBytesMax};
      return failure(Code::kInvalidArgument, "cannot read \"{}\"{}", path,
                     is_long ? ": it is longer than 1 MiB" : "");
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
  }

 private:
  const std::string folder_;
  Config& config_;
};

std::string listed(std::vector<Findings::Fault> faults) {
  std::stable_sort(faults.begin(), faults.end(),
                   [](const auto& a, const auto& b) { return a.line < b.line; });
  std::string out;
  for (const auto& [line, message] : faults) {
    if (!out.empty()) out += '\n';
    out += line == 0 ? message : fmt::format("line {}: {}", line, message);
  }
  return out;
}

}  // namespace

bool Endpoint::is_loopback() const {
  if (address == "localhost") return true;
  const auto parsed_address = net::IpAddress::parse(address);
  if (!parsed_address) return false;
  if (parsed_address->is_v4()) return parsed_address->bytes[12] == 127;
  return address == "::1";
}

std::string Endpoint::text() const {
  const bool is_v6 = address.find(':') != std::string::npos;
  return is_v6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto wrong = [&] {
    return failure(Code::kInvalidArgument,
                   "\"{}\" is no HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080", shown(text));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  std::string_view host = text.substr(0, colon);
  const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (has_brackets) host = host.substr(1, host.size() - 2);
  const auto address = net::IpAddress::parse(host);
  const bool is_v6 = host.find(':') != std::string_view::npos;
  if ((!address && host != "localhost") || is_v6 != has_brackets) return wrong();

  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) return wrong();
  return Endpoint{std::string(host), port};
}

Result<Config> parse_config(const std::string& text, const std::string& folder,
                            std::set<std::string>* keys) {
  ASSIGN_OR_RETURN(const YAML::Node root, load_yaml(text));
  Config config;
  Findings findings;
  Reader(folder, config).read(Section(root, findings));
  if (keys != nullptr) *keys = std::move(findings.keys);
  if (!findings.faults.empty()) {
    return Error{Code::kInvalidArgument, listed(std::move(findings.faults))};
  }
  return config;
}

Result<Config> load_config(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, Reader::read_file(path));
  auto config = parse_config(text, std::filesystem::path(path).parent_path().string());
  if (!config) return config.error().in(path);
  return config;
}

}  // namespace avow::server
