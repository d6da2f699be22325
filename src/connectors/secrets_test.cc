// SPDX-License-Identifier: Apache-2.0
#include "connectors/secrets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace avow::connectors {
namespace {

constexpr const char* kVariable = "AVOW_TEST_SECRET";
constexpr std::string_view kValue = "k-0123456789";
const TenantId kTenant{{1, 2}};
const TenantId kOther{{1, 3}};

Config config_of(std::vector<std::string> hosts, std::optional<TenantId> tenant = {}) {
  setenv(kVariable, std::string(kValue).c_str(), 1);
  Config config;
  config.secrets["KEY"] = {
      .source = {.env = kVariable}, .hosts = std::move(hosts), .tenant = tenant};
  return config;
}

Code code_of(const SecretStore& store, std::string_view url, TenantId tenant = kTenant) {
  const auto value = store.reveal(tenant, "KEY", *parse_url(url));
  if (value) {
    EXPECT_EQ(value->reveal(), kValue);
    return Code::kInternal;  // stands for: revealed
  }
  EXPECT_EQ(value.error().message.find(kValue), std::string::npos);
  return value.error().code;
}

constexpr Code kRevealed = Code::kInternal;

TEST(Secrets, GoToTheHostsTheyName) {
  const auto store = SecretStore::load(config_of({"api.example.com", "*.Wild.example"}));
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(code_of(*store, "https://api.example.com/x"), kRevealed);
  EXPECT_EQ(code_of(*store, "https://API.example.com:8443/x"), kRevealed);
  EXPECT_EQ(code_of(*store, "https://a.b.wild.example/"), kRevealed);
  for (const char* const url : {"https://example.com/", "https://evil.api.example.com/",
                                "https://api.example.com.evil.net/", "https://wild.example/",
                                "https://evilwild.example/", "https://api.example.com./"}) {
    EXPECT_EQ(code_of(*store, url), Code::kPermissionDenied) << url;
  }
}

TEST(Secrets, GoOverPlainHttpOnlyToListedAddresses) {
  Config config = config_of({"127.0.0.1", "10.0.0.1", "::1", "internal.example"});
  EXPECT_EQ(code_of(*SecretStore::load(config), "http://127.0.0.1/"), Code::kPermissionDenied);
  EXPECT_EQ(code_of(*SecretStore::load(config), "http://internal.example/"),
            Code::kPermissionDenied);

  config.outbound.policy.allow = {*net::Cidr::parse("127.0.0.0/8"), *net::Cidr::parse("::1/128")};
  const auto store = SecretStore::load(config);
  EXPECT_EQ(code_of(*store, "http://127.0.0.1:8080/"), kRevealed);
  EXPECT_EQ(code_of(*store, "http://[::1]/"), kRevealed);
  EXPECT_EQ(code_of(*store, "http://10.0.0.1/"), Code::kPermissionDenied);
  // Which address a name has is known only when the client connects; it checks again.
  EXPECT_EQ(code_of(*store, "http://internal.example/"), kRevealed);

  config.outbound.proxy = "http://proxy.example:3128";
  EXPECT_EQ(code_of(*SecretStore::load(config), "http://internal.example/"),
            Code::kPermissionDenied);
}

TEST(Secrets, OfAnotherTenantDoNotExist) {
  const auto store = SecretStore::load(config_of({"h.example"}, kOther));
  EXPECT_FALSE(store->has(kTenant, "KEY"));
  EXPECT_TRUE(store->has(kOther, "KEY"));
  EXPECT_EQ(code_of(*store, "https://h.example/"), Code::kNotFound);
  EXPECT_EQ(code_of(*store, "https://h.example/", kOther), kRevealed);
  EXPECT_FALSE(store->has(kOther, "OTHER"));
  const std::string unknown =
      store->check(kOther, "KEX", *parse_url("https://h.example/")).error().message;
  std::string foreign =
      store->check(kTenant, "KEY", *parse_url("https://h.example/")).error().message;
  EXPECT_EQ(foreign.replace(foreign.find("KEY"), 3, "KEX"), unknown);
}

TEST(Secrets, AModelsOwnKeyGoesToItsHostAndHasNoNameForWorkflows) {
  Config config = config_of({"h.example"});
  config.models["gpt"] = {.base_url = "https://api.example.com/v1",
                          .api_key = SecretSource{.env = kVariable}};
  const auto store = SecretStore::load(config);
  ASSERT_TRUE(store) << store.error().message;
  const std::string name = model_key_name("gpt");
  EXPECT_FALSE(store->has(kTenant, name));
  EXPECT_TRUE(store->reveal(kTenant, name, *parse_url("https://api.example.com/v1/chat")));
  EXPECT_FALSE(store->reveal(kTenant, name, *parse_url("https://evil.example/")));
}

TEST(Secrets, AreReadFromFilesWithoutTheFinalLineFeed) {
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("avow-secret-{}", getpid());
  std::ofstream(path) << kValue << "\r\n";
  Config config = config_of({"h.example"});
  config.secrets["KEY"].source = {.file = path.string()};
  EXPECT_EQ(code_of(*SecretStore::load(config), "https://h.example/"), kRevealed);
  std::filesystem::remove(path);
  EXPECT_FALSE(SecretStore::load(config));
}

TEST(Secrets, ThatCannotBeUsedSafelyStopTheStartAndAreNotQuoted) {
  const auto refused = [](const Config& config) {
    const auto store = SecretStore::load(config);
    if (store) return false;
    EXPECT_EQ(store.error().code, Code::kInvalidArgument);
    EXPECT_EQ(store.error().message.find(kValue), std::string::npos);
    return true;
  };
  EXPECT_TRUE(refused(config_of({}))) << "no host";
  for (const char* const host :
       {"*", "*.", "https://a.example", "a.example:443", "a.example/x", ""}) {
    EXPECT_TRUE(refused(config_of({host}))) << host;
  }
  Config config = config_of({"h.example"});
  config.secrets["KEY"].source = {.env = kVariable, .file = "x"};
  EXPECT_TRUE(refused(config)) << "two sources";
  config = config_of({"h.example"});
  config.secrets["a b"] = config.secrets["KEY"];
  EXPECT_TRUE(refused(config)) << "name";
  config = config_of({"h.example"});
  for (const std::string& value :
       {std::string("abc"), std::string(kValue) + "\n", "\x01" + std::string(kValue),
        std::string(kValue) + "\xFF", std::string(kSecretBytesMax + 1, 'a')}) {
    setenv(kVariable, value.c_str(), 1);
    EXPECT_TRUE(refused(config)) << value.size();
  }
  unsetenv(kVariable);
  EXPECT_TRUE(refused(config)) << "unset";
}

}  // namespace
}  // namespace avow::connectors
