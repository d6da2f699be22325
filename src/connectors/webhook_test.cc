// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "json/parse.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

constexpr const char* kVariable = "AVOW_TEST_HOOK";
constexpr std::string_view kSigningSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TenantId kTenant{{1, 2}};

SecretStore store() {
  setenv(kVariable, std::string(kSigningSecret).c_str(), 1);
  Config config;
  config.secrets["HOOK"] = {.source = {.env = kVariable}, .hosts = {"hooks.example.com"}};
  return *SecretStore::load(config);
}

engine::CallSpec spec_of(std::string_view text, std::vector<workflow::SecretUse> secrets = {}) {
  return {engine::CallKind::kWebhook, *json::parse(text), std::move(secrets)};
}

// The example of the Standard Webhooks reference libraries.
TEST(Webhook, IsSignedAsThePublishedExampleSays) {
  EXPECT_EQ(webhook_signature(kSigningSecret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                              R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(Webhook, SignsWithASecretOfAnotherFormAsItIs) {
  const std::string whole = webhook_signature("plain-key", "id", 1, "body");
  EXPECT_EQ(whole, webhook_signature("whsec_cGxhaW4ta2V5", "id", 1, "body"));
}

TEST(Webhook, IsRecordedWithReferencesInPlaceOfSecrets) {
  const auto request = render_webhook(
      kTenant,
      spec_of(
          R"({"url":"https://hooks.example.com/x","headers":{"Authorization":"${{ secrets.HOOK }}",
                  "X-Count":5},"body":{"b":2,"a":"${{ secrets.HOOK }}"},"secret":"${{ secrets.HOOK }}",
                  "expect_status":[202]})",
          {{"/headers/Authorization", "HOOK"}, {"/secret", "HOOK"}}),
      store());
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(
      json::write_canonical(*request),
      R"({"body":{"a":"${{ secrets.HOOK }}","b":2},"expect_status":[202],)"
      R"("headers":{"Authorization":"${{ secrets.HOOK }}","X-Count":"5"},"kind":"webhook",)"
      R"("method":"POST","secrets":[{"name":"HOOK","pointer":"/headers/Authorization"},)"
      R"({"name":"HOOK","pointer":"/signing_secret"}],"signing_secret":"${{ secrets.HOOK }}",)"
      R"("url":"https://hooks.example.com/x"})");

  auto filled = fill(*request, kTenant, store());
  ASSERT_TRUE(filled) << filled.error().message;
  EXPECT_EQ(*filled->http.headers.find("authorization"), kSigningSecret);
  // The text in the body was data, not a reference: it is sent as it is.
  EXPECT_EQ(filled->http.body, R"({"a":"${{ secrets.HOOK }}","b":2})");
  EXPECT_EQ(filled->http.drop_on_redirect, std::vector<std::string>{"Authorization"});
  EXPECT_TRUE(filled->http.has_secrets);

  sign_webhook(*filled, "01J/notify", Time(Duration(1'614'265'330'999)));
  EXPECT_EQ(*filled->http.headers.find("webhook-id"), "01J/notify");
  EXPECT_EQ(*filled->http.headers.find("webhook-timestamp"), "1614265330");
  EXPECT_EQ(*filled->http.headers.find("webhook-signature"),
            webhook_signature(kSigningSecret, "01J/notify", 1614265330, filled->http.body));
}

TEST(Webhook, SendsTheSameBytesAgainFromItsRecord) {
  const auto request = render_webhook(
      kTenant,
      spec_of(R"({"url":"https://hooks.example.com/","body":{"z":1.0,"a":[true,null,"\u00e4"]}})"),
      store());
  const auto again = json::parse(json::write_canonical(*request));
  EXPECT_EQ(fill(*request, kTenant, store())->http.body, fill(*again, kTenant, store())->http.body);
}

TEST(Webhook, FillsASecretInTheBodyAsAJsonString) {
  const auto request = render_webhook(
      kTenant,
      spec_of(R"({"url":"https://hooks.example.com/","body":{"k":["${{ secrets.HOOK }}"]}})",
              {{"/body/k/0", "HOOK"}}),
      store());
  EXPECT_EQ(fill(*request, kTenant, store())->http.body,
            fmt::format(R"({{"k":["{}"]}})", kSigningSecret));
}

TEST(Webhook, WithATextBodySendsTheText) {
  const auto request = render_webhook(
      kTenant, spec_of(R"({"url":"https://hooks.example.com/","body":"hello"})"), store());
  const auto filled = fill(*request, kTenant, store());
  EXPECT_EQ(filled->http.body, "hello");
  EXPECT_EQ(*filled->http.headers.find("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(filled->http.headers.find("webhook-signature"), nullptr);
}

TEST(Webhook, ThatCannotBeSentIsRefused) {
  const struct {
    const char* config;
    std::vector<workflow::SecretUse> secrets;
    Code code;
  } cases[] = {
      {R"({"url":"https://user:pw@hooks.example.com/"})", {}, Code::kInvalidArgument},
      {R"({"url":"gopher://hooks.example.com/"})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/users/../admin"})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/users/%2E%2e"})", {}, Code::kInvalidArgument},
      {R"({"url":"https://hooks.example.com/","method":"TRACE"})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/","headers":{"X":"a\r\nY: b"}})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/","headers":{"a b":"c"}})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/","headers":{"Idempotency-Key":"c"}})",
       {},
       Code::kInvalidArgument},
      {R"({"url":"https://h.example/","headers":{"Host":"c"}})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/","headers":{"X":{}}})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/","headers":[]})", {}, Code::kInvalidArgument},
      {R"({"url":"https://hooks.example.com/","secret":"literal"})", {}, Code::kInvalidArgument},
      {R"({"url":"https://h.example/","secret":"${{ secrets.HOOK }}"})",
       {{"/secret", "HOOK"}},
       Code::kPermissionDenied},
      {R"({"url":"http://hooks.example.com/","secret":"${{ secrets.HOOK }}"})",
       {{"/secret", "HOOK"}},
       Code::kPermissionDenied},
      {R"({"url":"https://hooks.example.com/","secret":"${{ secrets.NO }}"})",
       {{"/secret", "NO"}},
       Code::kNotFound},
      {R"({"url":"https://hooks.example.com/","method":"POST"})",
       {{"/method", "HOOK"}},
       Code::kPermissionDenied},
      {R"({"url":"https://hooks.example.com/"})", {{"/url", "HOOK"}}, Code::kPermissionDenied},
      {R"({"url":"https://hooks.example.com/"})",
       {{"/body/none", "HOOK"}},
       Code::kPermissionDenied},
  };
  for (const auto& one : cases) {
    const auto request = render_webhook(kTenant, spec_of(one.config, one.secrets), store());
    ASSERT_FALSE(request) << one.config;
    EXPECT_EQ(request.error().code, one.code) << one.config << ": " << request.error().message;
  }
}

TEST(Webhook, RecordedForAHostThatLostTheSecretIsNotFilled) {
  const auto request = render_webhook(
      kTenant,
      spec_of(R"({"url":"https://hooks.example.com/","secret":"${{ secrets.HOOK }}"})",
              {{"/secret", "HOOK"}}),
      store());
  json::Value moved = *request;
  moved.set("url", "https://evil.example/");
  EXPECT_EQ(fill(moved, kTenant, store()).error().code, Code::kPermissionDenied);
  EXPECT_EQ(fill(*request, kTenant, *SecretStore::load({})).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace avow::connectors
