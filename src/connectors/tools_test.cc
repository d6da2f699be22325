// SPDX-License-Identifier: Apache-2.0
#include "connectors/tools.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "connectors/url_template.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

const TenantId kTenant{{1, 2}};

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : json::Value();
}

SecretStore store() {
  setenv("AVOW_TEST_TOOL", "tool-secret-1", 1);
  Config config;
  config.secrets["CRM"] = {.source = {.env = "AVOW_TEST_TOOL"}, .hosts = {"crm.example.com"}};
  return *SecretStore::load(config);
}

constexpr std::string_view kSearch = R"({
  "name": "search_customers", "description": "Finds customers by name.",
  "input_schema": {"type": "object", "required": ["name"], "additionalProperties": false,
                   "properties": {"name": {"type": "string"}, "limit": {"type": "integer", "maximum": 50}}},
  "output_schema": {"type": "array"}, "scope": "crm:read", "risk_level": "low",
  "http": {"method": "GET",
           "url": "https://crm.example.com/v2/find/${{ arguments.name }}?limit=${{ has(arguments.limit) ? arguments.limit : 10 }}",
           "headers": {"Authorization": "${{ secrets.CRM }}", "X-Name": "n=${{ arguments.name }}"}}})";

json::Value tool_of(std::string_view text) {
  auto tool = normalise_tool(kTenant, parsed(text), store());
  if (auto* const faults = std::get_if<workflow::Faults>(&tool)) {
    ADD_FAILURE() << faults->front().pointer << " " << faults->front().message;
    return {};
  }
  return std::get<json::Value>(tool);
}

Result<json::Value> rendered(std::string_view tool, std::string_view arguments,
                             std::vector<workflow::SecretUse> secrets = {}) {
  json::Object spec{{"tool", tool_of(tool)}, {"arguments", parsed(arguments)}};
  return render_tool(kTenant, {engine::CallKind::kTool, std::move(spec), std::move(secrets)},
                     store());
}

/// A tool at `url` that takes anything.
std::string get_tool(std::string_view url) {
  return fmt::format(R"({{"name":"t","http":{{"method":"GET","url":"{}"}}}})", url);
}

TEST(Tool, IsRegisteredWithItsDefaultsWrittenOut) {
  EXPECT_EQ(
      json::write_canonical(tool_of(R"({"name":"t","http":{"url":"https://a.example/x"}})")),
      R"({"description":"","http":{"headers":{},"method":"POST","url":"https://a.example/x"},)"
      R"("input_schema":{"type":"object"},"name":"t","risk_level":"medium"})");
  const json::Value tool = tool_of(kSearch);
  EXPECT_EQ(json::write_canonical(tool), json::write_canonical(parsed(kSearch)));
}

TEST(Tool, ThatIsWrongGetsEveryFaultWithItsPointer) {
  const struct {
    const char* body;
    std::vector<std::pair<std::string, std::string>> faults;
  } cases[] = {
      {"[]", {{"", "WRONG_TYPE"}}},
      {R"({"name":"t","input_schema":true,"http":{"url":"https://a.example/"}})",
       {{"/input_schema", "BAD_SCHEMA"}}},
      {"{}", {{"", "MISSING_FIELD"}, {"", "MISSING_FIELD"}}},
      {R"({"name":"a b","colour":"red","risk_level":"huge","description":5,"input_schema":{"type":"string"},
           "output_schema":{"type":7},"http":{"url":"https://a.example/","methode":"GET"}})",
       {{"/name", "ILL_FORMED_NAME"},
        {"/colour", "UNKNOWN_FIELD"},
        {"/risk_level", "*"},
        {"/description", "WRONG_TYPE"},
        {"/input_schema/type", "BAD_SCHEMA"},
        {"/output_schema/type", "BAD_SCHEMA"},
        {"/http/methode", "UNKNOWN_FIELD"}}},
      {R"({"name":"t","http":{"url":"https://${{ arguments.host }}/x"}})",
       {{"/http/url", "BAD_URL"}}},
      {R"({"name":"t","http":{"url":"https://h.example:${{ arguments.port }}/x"}})",
       {{"/http/url", "BAD_URL"}}},
      {R"({"name":"t","http":{"url":"https://h.example${{ arguments.x }}/x"}})",
       {{"/http/url", "BAD_URL"}}},
      {R"({"name":"t","http":{"url":"${{ arguments.url }}"}})", {{"/http/url", "BAD_URL"}}},
      {R"({"name":"t","http":{"url":"https://u:p@h.example/"}})", {{"/http/url", "BAD_URL"}}},
      {R"({"name":"t","http":{"url":"https://h.example/a/../b"}})", {{"/http/url", "BAD_URL"}}},
      {R"({"name":"t","http":{"url":"https://h.example/a${{ arguments.x "}})",
       {{"/http/url", "*"}}},
      {R"({"name":"t","http":{"url":"https://h.example/${{ 1 + }}/${{ input.x }}"}})",
       {{"/http/url", "BAD_EXPRESSION"}, {"/http/url", "UNKNOWN_NAME"}}},
      {R"({"name":"t","http":{"url":"https://h.example/","headers":{"Authorization":"Bearer abc","X-API-Key":"${{ arguments.k }}",
           "Host":"x","a b":"c","N":5,"Ok":"${{ steps.a.result }}"}}})",
       {{"/http/headers/Authorization", "SECRET_REQUIRED"},
        {"/http/headers/X-API-Key", "SECRET_REQUIRED"},
        {"/http/headers/Host", "BAD_HEADER"},
        {"/http/headers/a b", "BAD_HEADER"},
        {"/http/headers/N", "WRONG_TYPE"}}},
      {R"({"name":"t","http":{"url":"https://h.example/","headers":{"Ok":"${{ steps.a.result }}"}}})",
       {{"/http/headers/Ok", "UNKNOWN_NAME"}}},
      {R"({"name":"t","http":{"url":"https://h.example/","headers":{"K":"${{ secrets.CRM }}"}}})",
       {{"/http/headers/K", "UNKNOWN_SECRET"}}},
      {R"({"name":"t","http":{"url":"https://crm.example.com/","headers":{"K":"${{ secrets.NO }}"}}})",
       {{"/http/headers/K", "UNKNOWN_SECRET"}}},
      {R"({"name":"t","http":{"method":"GET","url":"https://h.example/","body":{}}})",
       {{"/http/body", "NOT_ALLOWED"}}},
      {R"({"name":"t","http":{"method":"TRACE","url":"https://h.example/"}})",
       {{"/http/method", "*"}}},
  };
  for (const auto& one : cases) {
    const auto tool = normalise_tool(kTenant, parsed(one.body), store());
    const auto* const faults = std::get_if<workflow::Faults>(&tool);
    ASSERT_NE(faults, nullptr) << one.body;
    std::vector<std::pair<std::string, std::string>> found;
    for (const auto& fault : *faults) found.emplace_back(fault.pointer, fault.code);
    EXPECT_EQ(found.size(), one.faults.size()) << one.body;
    for (const auto& [pointer, code] : one.faults) {
      EXPECT_TRUE(std::any_of(found.begin(), found.end(),
                              [&, p = pointer, c = code](const auto& f) {
                                return f.first == p && (c == "*" || f.second == c);
                              }))
          << one.body << ": " << pointer << " " << code;
    }
  }
}

TEST(Tool, CallIsRecordedWithEncodedArgumentsAndReferencesToSecrets) {
  const auto request = rendered(kSearch, R"({"name":"M\u00fcller & S\u00f6hne/..?#%","limit":3})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->string_or("url"),
            "https://crm.example.com/v2/find/M%C3%BCller%20%26%20S%C3%B6hne%2F..%3F%23%25?limit=3");
  EXPECT_EQ(json::write_canonical(*request->find("secrets")),
            R"([{"name":"CRM","pointer":"/headers/Authorization"}])");
  EXPECT_EQ(request->find("headers")->string_or("Authorization"), "${{ secrets.CRM }}");
  EXPECT_EQ(request->find("body"), nullptr);
  const auto filled = fill(*request, kTenant, store());
  EXPECT_EQ(*filled->http.headers.find("authorization"), "tool-secret-1");
  EXPECT_EQ(rendered(kSearch, R"({"name":"x"})")->string_or("url"),
            "https://crm.example.com/v2/find/x?limit=10");
}

TEST(Tool, ArgumentsMustFitTheSchema) {
  for (const char* const arguments :
       {R"({})", R"({"name":5})", R"({"name":"a","limit":51})", R"({"name":"a","x":1})"}) {
    const auto request = rendered(kSearch, arguments);
    ASSERT_FALSE(request) << arguments;
    EXPECT_EQ(request.error().code, Code::kInvalidArgument);
    EXPECT_TRUE(request.error().message.starts_with("arguments: ")) << request.error().message;
  }
}

TEST(Tool, ArgumentsCannotLeaveTheirPlaceInTheUrl) {
  const std::string tool = get_tool(
      "https://a.example/users/${{ arguments.id }}/posts/${{ arguments.p }}?q=${{ arguments.q "
      "}}&z=1");
  const auto url = rendered(tool, R"({"id":"a/b","p":"x?y=1#z","q":"1&admin=true"})");
  EXPECT_EQ(url->string_or("url"),
            "https://a.example/users/a%2Fb/posts/x%3Fy%3D1%23z?q=1%26admin%3Dtrue&z=1");
  for (const char* const arguments :
       {R"({"id":"..","p":"x","q":""})", R"({"id":".","p":"x","q":""})",
        R"({"id":"","p":"x","q":""})", R"({"id":"a","p":"","q":""})",
        R"({"id":"a","p":"..","q":""})", R"({"id":null,"p":"x","q":""})",
        R"({"id":["a"],"p":"x","q":""})", R"({"id":{},"p":"x","q":""})", R"({"p":"x","q":""})"}) {
    const auto request = rendered(tool, arguments);
    ASSERT_FALSE(request) << arguments;
    EXPECT_EQ(request.error().code, Code::kInvalidArgument) << arguments;
  }
  // Two values that make ".." together are one segment too.
  EXPECT_FALSE(rendered(get_tool("https://a.example/${{ arguments.a }}${{ arguments.b }}"),
                        R"({"a":".","b":"."})"));
  // Already encoded text is encoded again, not taken apart.
  EXPECT_EQ(rendered(get_tool("https://a.example/${{ arguments.a }}"), R"({"a":"%2e%2e"})")
                ->string_or("url"),
            "https://a.example/%252e%252e");
  EXPECT_EQ(rendered(get_tool("https://a.example/${{ arguments.a }}/"), R"({"a":true})")
                ->string_or("url"),
            "https://a.example/true/");
}

TEST(Tool, ArgumentsCannotAddHeaders) {
  const auto request = rendered(kSearch, R"({"name":"x\r\nX-Admin: 1"})");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, Code::kInvalidArgument);
}

TEST(Tool, ArgumentsThatLookLikeReferencesAreData) {
  const auto request = rendered(
      R"({"name":"t","http":{"url":"https://crm.example.com/","headers":{"K":"${{ secrets.CRM }}"},
      "body":{"given":"${{ arguments.v }}"}}})",
      R"({"v":"${{ secrets.CRM }}"})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(json::write_canonical(*request->find("secrets")),
            R"([{"name":"CRM","pointer":"/headers/K"}])");
  EXPECT_EQ(fill(*request, kTenant, store())->http.body, R"({"given":"${{ secrets.CRM }}"})");
}

TEST(Tool, SendsItsArgumentsAsJsonUnlessItHasABody) {
  EXPECT_EQ(json::write_canonical(
                *rendered(R"({"name":"t","http":{"method":"PUT","url":"https://a.example/"}})",
                          R"({"b":1,"a":[2]})")
                     ->find("body")),
            R"({"a":[2],"b":1})");
  EXPECT_EQ(rendered(R"({"name":"t","http":{"method":"DELETE","url":"https://a.example/"}})",
                     R"({"b":1})")
                ->find("body"),
            nullptr);
}

TEST(Tool, TakesASecretAmongItsArgumentsOnlyWhereTheyAreTheBody) {
  const auto request = rendered(R"({"name":"t","http":{"url":"https://crm.example.com/"}})",
                                R"({"key":"${{ secrets.CRM }}"})", {{"/arguments/key", "CRM"}});
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(fill(*request, kTenant, store())->http.body, R"({"key":"tool-secret-1"})");
  EXPECT_EQ(rendered(get_tool("https://crm.example.com/${{ arguments.key }}"),
                     R"({"key":"${{ secrets.CRM }}"})", {{"/arguments/key", "CRM"}})
                .error()
                .code,
            Code::kPermissionDenied);
}

TEST(Tool, OutputIsCheckedAndRedacted) {
  Redactor redactor;
  redactor.add("CRM", "tool-secret-1");
  const json::Value request =
      parsed(R"({"output_schema":{"type":"array","items":{"type":"string"}}})");
  const auto read = [&](std::string body, std::string type) {
    return read_tool(
        request,
        {.status = 200, .headers = {{"Content-Type", std::move(type)}}, .body = std::move(body)},
        redactor);
  };
  const auto good = read(R"(["a tool-secret-1"])", "application/json; charset=utf-8");
  EXPECT_EQ(json::write(std::get<engine::CallResult>(good).value), R"(["a [REDACTED:CRM]"])");
  for (const auto& [body, type] : {std::pair{"[5]", "application/json"},
                                   {"[", "application/json"},
                                   {"x", "text/plain"},
                                   {"\xFF", "text/plain"},
                                   {"", "application/json"}}) {
    const auto bad = read(body, type);
    ASSERT_TRUE(std::holds_alternative<engine::CallError>(bad)) << body;
    EXPECT_EQ(std::get<engine::CallError>(bad).code, "TOOL_OUTPUT_INVALID");
    EXPECT_EQ(std::get<engine::CallError>(bad).retry_class, "");
  }
}

}  // namespace
}  // namespace avow::connectors
