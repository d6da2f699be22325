// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

namespace avow::server {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "avow-config-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempFolder() { fs::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] std::string text() const { return path_.string(); }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name) << text;
  }

 private:
  fs::path path_;
};

/// One witness, and it must cosign.
std::string policy() {
  const auto key =
      merkle::VerifierKey::ed25519("witness.example.com", merkle::SignatureType::kCosignature,
                                   crypto::Ed25519PrivateKey::from_seed(Bytes32{1}).public_key());
  return fmt::format("witness w {} https://witness.example.com\nquorum w\n", key.text());
}

/// What stops a start with this file.
std::string refusal(const std::string& yaml) {
  const auto config = parse_config(yaml, "/nowhere");
  if (config) return "accepted";
  EXPECT_EQ(config.error().code, Code::kInvalidArgument);
  return config.error().message;
}

/// The text of docs/configuration.md; tests run in the root of the repository.
std::string page() {
  std::ifstream file("docs/configuration.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string example_of(const std::string& page_text) {
  const std::size_t begin = page_text.find("```yaml\n") + 8;
  return page_text.substr(begin, page_text.find("```", begin) - begin);
}

TEST(Config, IsTheModulesDefaultsWhereTheFileIsEmpty) {
  const auto config = parse_config("# nothing\n", ".");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->http.body_bytes_max, net::ServerOptions().body_bytes_max);
  EXPECT_EQ(config->shutdown_grace, std::chrono::seconds(10));
  EXPECT_FALSE(config->metrics_listen);
  EXPECT_TRUE(config->connectors.outbound.policy.allow.empty());
}

TEST(Config, ReadsTheExampleOfItsPageIntoTheModulesOptions) {
  const TempFolder folder;
  folder.write("jwks.json", R"({"keys":[]})");
  folder.write("witnesses.policy", policy());
  const auto config = parse_config(example_of(page()), folder.text());
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->connectors.outbound.policy.allow.size(), 1U);
  EXPECT_EQ(config->connectors.outbound.ca_file, folder.text() + "/company-ca.pem");
  const auto& gpt = config->connectors.models.at("gpt-4o");
  EXPECT_EQ(gpt.provider, connectors::Provider::kOpenAi);
  EXPECT_EQ(gpt.api_key->env, "OPENAI_API_KEY");
  EXPECT_EQ(gpt.output_price_cents, 1000);
  const auto& llama = config->connectors.models.at("local-llama");
  EXPECT_EQ(llama.model, "llama-3.1-8b-instruct");
  EXPECT_EQ(llama.timeout, std::chrono::seconds(120));
  EXPECT_EQ(config->connectors.secrets.at("CRM_TOKEN").hosts.size(), 2U);
  ASSERT_EQ(config->issuers.size(), 1U);
  EXPECT_EQ(config->issuers[0].jwks, R"({"keys":[]})");
  EXPECT_EQ(config->issuers[0].algorithms.size(), 2U);
  EXPECT_EQ(config->http.request_threads, 16);
  EXPECT_EQ(config->requests_per_caller->tokens, 6000U);
  EXPECT_EQ(config->api.trusted_proxies.size(), 1U);
  ASSERT_TRUE(config->log_options.policy);
  EXPECT_EQ(config->log_options.policy->witnesses.at(0).url, "https://witness.example.com");
  EXPECT_EQ(config->shutdown_grace, std::chrono::seconds(20));
  EXPECT_EQ(config->metrics_listen->port, 9464);
}

// The page and the code hold each other: no key without a row, no row without a key.
TEST(Config, HasARowOnItsPageForEveryKeyAndNoOtherRow) {
  const TempFolder folder;
  folder.write("jwks.json", R"({"keys":[]})");
  folder.write("witnesses.policy", policy());
  std::set<std::string> known;
  ASSERT_TRUE(parse_config(example_of(page()), folder.text(), &known));
  std::set<std::string> documented;
  const std::string text = page();
  const std::regex row("\n\\| `([^`]+)` \\|");
  for (std::sregex_iterator it(text.begin(), text.end(), row), end; it != end; ++it) {
    EXPECT_TRUE(known.contains((*it)[1])) << "no such key: " << (*it)[1];
    documented.insert((*it)[1]);
  }
  for (const std::string& key : known) {
    const bool is_container =
        std::any_of(known.begin(), known.end(), [&](const std::string& other) {
          return other.starts_with(key + ".") || other.starts_with(key + "[]");
        });
    EXPECT_TRUE(is_container || documented.contains(key)) << "no row for " << key;
  }
}

TEST(Config, NamesAnUnknownKeyItsLineAndTheKeysThatAreAllowed) {
  EXPECT_EQ(refusal("log_level: info\nlimts: {}\n").substr(0, 41),
            "line 2: unknown key \"limts\"; allowed: jwt");
  EXPECT_THAT(
      refusal("outbound:\n  allow: []\n  alow: []\n"),
      HasSubstr("line 3: unknown key \"alow\"; allowed in outbound: allow, ca_file, proxy"));
  EXPECT_THAT(refusal("models:\n  m: {provider: echo, price: 1}\n"),
              HasSubstr("line 2: unknown key \"price\"; allowed in models.m: "));
  EXPECT_THAT(refusal("jwt: {issuer: x}"), HasSubstr("allowed in jwt: issuers"));
}

TEST(Config, ShowsEveryFaultAtOnceInTheOrderOfTheFile) {
  const std::string message = refusal("nope: 1\nlimits: {connections: x}\ntls: 3\n");
  EXPECT_THAT(message, HasSubstr("line 1: unknown key"));
  EXPECT_THAT(message, HasSubstr("\nline 2: limits.connections must be an integer from 1 to"));
  EXPECT_THAT(message, HasSubstr("\nline 3: tls must be a mapping"));
}

TEST(Config, RefusesWrongTypesAndValuesOutOfRange) {
  EXPECT_THAT(refusal("limits: {request_threads: 0}"), HasSubstr("from 1 to 256"));
  EXPECT_THAT(refusal("limits: {request_threads: \"8\"}"), HasSubstr("must be an integer"));
  EXPECT_THAT(refusal("limits: {request_threads: 8.5}"), HasSubstr("must be an integer"));
  EXPECT_THAT(refusal("limits: [1]"), HasSubstr("limits must be a mapping"));
  EXPECT_THAT(refusal("outbound: {allow: 10.0.0.0/8}"), HasSubstr("must be a list of texts"));
  EXPECT_THAT(refusal("outbound: {allow: [10.0.0.1/8]}"), HasSubstr("outbound.allow "));
  EXPECT_THAT(refusal("outbound: {proxy: [x]}"), HasSubstr("outbound.proxy must be text"));
  EXPECT_THAT(refusal("models: {m: {provider: bard}}"), HasSubstr("openai, anthropic or echo"));
  EXPECT_THAT(refusal("models: {m: {}}"), HasSubstr("models.m needs a provider"));
  EXPECT_THAT(refusal("models: {m: {provider: echo, input_price_cents: -1}}"),
              HasSubstr("models.m.input_price_cents must be a number from 0"));
  EXPECT_THAT(refusal("models: {m: {provider: openai, api_key: {}}}"),
              HasSubstr("models.m.api_key needs env or file"));
  EXPECT_THAT(refusal("secrets: {S: {env: A, file: b, hosts: [x.example]}}"),
              HasSubstr("must not have both env and file"));
  EXPECT_THAT(refusal("secrets: {S: {env: A}}"), HasSubstr("secrets.S needs hosts"));
  EXPECT_THAT(refusal("secrets: {S: {env: A, hosts: [a.example], tenant: x}}"),
              HasSubstr("secrets.S.tenant "));
  EXPECT_THAT(refusal("log_level: loud"), HasSubstr("debug, info, warning, error or off"));
  EXPECT_THAT(refusal("metrics_listen: 9464"), HasSubstr("is no HOST:PORT"));
  EXPECT_THAT(refusal("tls: {key_file: k.pem}"), HasSubstr("needs both"));
  EXPECT_THAT(refusal("log: {publish_interval_ms: 99}"), HasSubstr("from 100 to"));
  EXPECT_THAT(refusal("log: {policy_file: none}"), HasSubstr("cannot read \"/nowhere/none\""));
  EXPECT_THAT(refusal("trusted_proxies: [proxy.example]"), HasSubstr("trusted_proxies "));
}

TEST(Config, RefusesAnIssuerThatIsNotWhole) {
  const std::string message =
      refusal("jwt:\n  issuers:\n    - issuer: a\n      jwks_file: missing\n");
  EXPECT_THAT(message, HasSubstr("jwt.issuers[0] needs audience"));
  EXPECT_THAT(message, HasSubstr("jwt.issuers[0] needs algorithms"));
  EXPECT_THAT(message, HasSubstr("jwt.issuers[0] needs tenants"));
  EXPECT_THAT(message, HasSubstr("cannot read \"/nowhere/missing\""));
}

TEST(Config, RefusesWhatIsNoYamlNoMappingOrSaysAKeyTwice) {
  EXPECT_THAT(refusal("a: [1"), HasSubstr("not YAML"));
  EXPECT_THAT(refusal("- a\n"), HasSubstr("must be a mapping of settings"));
  EXPECT_THAT(refusal("log_level: info\nlog_level: off\n"),
              HasSubstr("line 2: log_level is there twice"));
  EXPECT_THAT(refusal("models: {m: {provider: echo}, m: {provider: echo}}"),
              HasSubstr("models.m is there twice"));
}

TEST(Config, NamesTheFileThatCannotBeRead) {
  const auto config = load_config("/nowhere/avow.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("/nowhere/avow.yaml"));
}

TEST(Endpoint, ReadsAddressesWithPortsAndKnowsLoopback) {
  EXPECT_EQ(parse_endpoint("127.0.0.1:8080")->text(), "127.0.0.1:8080");
  EXPECT_EQ(parse_endpoint("[::1]:0")->text(), "[::1]:0");
  EXPECT_TRUE(parse_endpoint("[::1]:0")->is_loopback());
  EXPECT_TRUE(parse_endpoint("localhost:1")->is_loopback());
  EXPECT_TRUE(parse_endpoint("127.9.9.9:1")->is_loopback());
  EXPECT_FALSE(parse_endpoint("0.0.0.0:80")->is_loopback());
  EXPECT_FALSE(parse_endpoint("[::]:80")->is_loopback());
  EXPECT_FALSE(parse_endpoint("192.0.2.1:80")->is_loopback());
  for (const char* bad : {"", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                          "::1:80", "[127.0.0.1]:80", "example.com:80", "127.0.0.1:80x"}) {
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
  }
}

}  // namespace
}  // namespace avow::server
