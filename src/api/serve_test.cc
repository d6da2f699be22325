// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api/openapi.h"
#include "api/request_body.h"
#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

std::string code_of(const net::Response& response) {
  return ApiWorld::body(response).string_or("code");
}

std::string header(const net::Response& response, std::string_view name) {
  const std::string* value = response.headers.find(name);
  return value == nullptr ? "" : *value;
}

TEST(Problem, HasTheCodeOfItsStatus) {
  const std::map<int, std::string> codes = {
      {400, "INVALID_INPUT"},  {401, "UNAUTHORIZED"},       {403, "FORBIDDEN"},
      {404, "NOT_FOUND"},      {405, "METHOD_NOT_ALLOWED"}, {408, "REQUEST_TIMEOUT"},
      {409, "CONFLICT"},       {413, "PAYLOAD_TOO_LARGE"},  {415, "UNSUPPORTED_MEDIA_TYPE"},
      {422, "UNPROCESSABLE"},  {429, "RATE_LIMITED"},       {431, "HEADERS_TOO_LARGE"},
      {500, "INTERNAL_ERROR"}, {503, "UNAVAILABLE"}};
  for (const auto& [status, code] : codes) EXPECT_EQ(problem(status, "x").code, code);
}

TEST(Problem, MapsEveryErrorToItsStatus) {
  const std::map<Code, int> statuses = {
      {Code::kInvalidArgument, 400},  {Code::kUnauthenticated, 401},
      {Code::kPermissionDenied, 403}, {Code::kNotFound, 404},
      {Code::kConflict, 409},         {Code::kResourceExhausted, 429},
      {Code::kUnavailable, 503},      {Code::kDeadlineExceeded, 503},
      {Code::kCancelled, 503},        {Code::kCorruption, 500},
      {Code::kOutcomeUnknown, 503},   {Code::kInternal, 500}};
  for (const auto& [code, status] : statuses) {
    EXPECT_EQ(problem_of(Error{code, "why"}).status, status) << code_name(code);
  }
}

TEST(Problem, SaysNothingOfWhatIsOurs) {
  EXPECT_EQ(problem_of(Error{Code::kInternal, "/var/lib/x is broken"}).message, "internal error");
  EXPECT_EQ(problem_of(Error{Code::kCorruption, "record 7"}).message, "internal error");
}

TEST(Problem, HoldsNoMoreThan64CharactersOfAPointer) {
  const std::string pointer = "/" + std::string(5'000, 'x');
  const Problem out = problem_of(workflow::Faults{{pointer, "UNKNOWN_FIELD", "unknown member"}});
  EXPECT_EQ(out.message, pointer.substr(0, 64) + "...: unknown member");
  EXPECT_EQ(out.details.string_or("pointer"), pointer);
}

TEST(Problem, TakesTheGravestStatusOfTheFaults) {
  using workflow::Fault;
  const Fault invalid{"/a", "CYCLE", "x"};
  const Fault malformed{"/b", "WRONG_TYPE", "x"};
  const Fault missing{"/c", "NOT_FOUND", "x"};
  const Fault forbidden{"/d", "OVERRIDE_FORBIDDEN", "x"};
  EXPECT_EQ(problem_of(workflow::Faults{invalid}).status, 422);
  EXPECT_EQ(problem_of(workflow::Faults{malformed, malformed}).status, 400);
  EXPECT_EQ(problem_of(workflow::Faults{invalid, malformed}).status, 422);
  EXPECT_EQ(problem_of(workflow::Faults{missing, missing}).status, 404);
  EXPECT_EQ(problem_of(workflow::Faults{missing, invalid}).status, 422);
  EXPECT_EQ(problem_of(workflow::Faults{malformed, forbidden}).status, 403);
  const Problem all = problem_of(workflow::Faults{invalid, malformed}, "/steps");
  EXPECT_EQ(all.details.string_or("pointer"), "/steps/a");
  EXPECT_EQ(all.details.string_or("error_id"), "CYCLE");
  EXPECT_EQ(all.details.find("errors")->as_array().size(), 2U);
}

TEST(Router, GivesEveryRouteItsOwnPath) {
  for (const Route& route : all_routes()) {
    std::vector<std::string> segments;
    std::string_view path = route.path;
    while (path.size() > 1) {
      path.remove_prefix(1);
      const std::size_t end = std::min(path.find('/'), path.size());
      segments.emplace_back(path.substr(0, end));
      path.remove_prefix(end);
    }
    EXPECT_EQ(router().match(route.method, segments).route, &route) << route.path;
  }
}

TEST(Router, PrefersANameToAParameter) {
  const auto match = router().match("POST", {"v1", "workflows", "validate"});
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->operation_id, "validateWorkflow");
  EXPECT_EQ(router().match("GET", {"v1", "workflows", "validate"}).allow, "POST");
}

TEST(Router, TakesNoEmptySegmentForAParameter) {
  EXPECT_TRUE(router().match("GET", {"v1", "workflows", ""}).allow.empty());
}

TEST(Serve, AnswersUnknownPathsWith404AndOtherMethodsWith405) {
  ApiWorld world;
  EXPECT_EQ(world.send("GET", "/v1/nothing").status, 404);
  EXPECT_EQ(world.send("GET", "/v1/workflows/").status, 404);
  const auto response = world.send("DELETE", "/v1/workflows");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(header(response, "Allow"), "POST, GET, HEAD");
  EXPECT_EQ(world.send("BREW", "/v1/workflows").status, 405);
}

TEST(Serve, WantsACredential) {
  ApiWorld world;
  auto request = world.request("GET", "/v1/workflows");
  request.headers.erase("X-API-Key");
  const auto response = world.send(request);
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(code_of(response), "UNAUTHORIZED");
  EXPECT_FALSE(header(response, "WWW-Authenticate").empty());
  request.headers.set("X-API-Key", "avow_nonsense");
  EXPECT_EQ(world.send(request).status, 401);
}

TEST(Serve, RefusesRepeatedAndDoubleCredentials) {
  ApiWorld world;
  auto request = world.request("GET", "/v1/workflows");
  request.headers.add("X-API-Key", world.key);
  EXPECT_EQ(world.send(request).status, 400);
  request.headers.set("X-API-Key", world.key);
  request.headers.set("Authorization", "Bearer x.y.z");
  EXPECT_EQ(world.send(request).status, 400);
}

TEST(Serve, RefusesCredentialsInAUrlEvenWhereNoneAreNeeded) {
  ApiWorld world;
  for (const std::string name : {"api_key", "access_token", "key", "token", "API_KEY"}) {
    EXPECT_EQ(world.send("GET", "/v1/workflows?" + name + "=x").status, 400) << name;
    EXPECT_EQ(world.send("GET", "/health/live?" + name + "=x").status, 400) << name;
  }
}

TEST(Serve, ChecksTenantThenScopeThenBodyThenObject) {
  ApiWorld world;
  const TenantId other = world.make_tenant("other");
  auto request = world.request("PUT", "/v1/workflows/no-id", "not json");
  request.headers.set("X-Tenant-ID", other.uuid());
  request.headers.set("X-API-Key", "avow_wrong");
  EXPECT_EQ(world.send(request).status, 401);
  request.headers.set("X-API-Key", world.make_key(world.tenant, {"workflows:read"}));
  EXPECT_EQ(world.send(request).status, 403);
  request.headers.set("X-Tenant-ID", "maip:00000000:" + world.tenant.ulid());
  const auto response = world.send(request);
  EXPECT_EQ(response.status, 403);
  EXPECT_NE(response.body.find("workflows:write"), std::string::npos);
  request.headers.set("X-API-Key", world.key);
  EXPECT_EQ(world.send(request).status, 400);
  EXPECT_EQ(world.send("PUT", "/v1/workflows/" + RunId{{1, 2}}.uuid(), "{}").status, 404);
}

TEST(Serve, LetsADenialWinOverAGrant) {
  ApiWorld world;
  auto request = world.request("GET", "/v1/workflows");
  request.headers.set("X-API-Key", world.make_key(world.tenant, {"*:*", "!workflows:read"}));
  EXPECT_EQ(world.send(request).status, 403);
}

TEST(Serve, RefusesAnExpiredKey) {
  ApiWorld world;
  const std::string brief =
      world.make_key(world.tenant, {"*:*"}, {}, world.clock.now() + Duration(3'600'000));
  auto request = world.request("GET", "/v1/workflows");
  request.headers.set("X-API-Key", brief);
  EXPECT_EQ(world.send(request).status, 200);
  world.clock.advance(Duration(3'600'000));
  EXPECT_EQ(world.send(request).status, 401);
}

TEST(Serve, GivesAPlatformKeyNoTenantsObjects) {
  ApiWorld world;
  auto request = world.request("GET", "/v1/workflows");
  request.headers.set("X-API-Key", world.make_platform_key());
  EXPECT_EQ(world.send(request).status, 403);
  request.headers.set("X-Tenant-ID", world.tenant.uuid());
  EXPECT_EQ(world.send(request).status, 403);
}

TEST(Serve, LimitsFailedAuthenticationsOfAnAddress) {
  ApiWorld world;
  auto request = world.request("GET", "/v1/workflows");
  request.headers.set("X-API-Key", "avow_wrong");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(world.send(request).status, 401);
  const auto response = world.send(request);
  EXPECT_EQ(response.status, 429);
  EXPECT_GE(std::stoi(header(response, "Retry-After")), 1);
  request.peer_address = "192.0.2.2";
  EXPECT_EQ(world.send(request).status, 401);
}

TEST(Serve, CountsFailuresByTheAddressThatATrustedProxyNames) {
  testing::ApiWorldOptions options;
  options.api.trusted_proxies = {*net::Cidr::parse("192.0.2.1")};
  ApiWorld world(options);
  auto request = world.request("GET", "/v1/workflows");
  request.headers.set("X-API-Key", "avow_wrong");
  request.headers.set("X-Forwarded-For", "203.0.113.9, 198.51.100.1");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(world.send(request).status, 401);
  EXPECT_EQ(world.send(request).status, 429);
  request.headers.set("X-Forwarded-For", "203.0.113.9, 198.51.100.2");
  EXPECT_EQ(world.send(request).status, 401);
}

TEST(Serve, LimitsTheRequestsOfACallerWhereConfigured) {
  testing::ApiWorldOptions options;
  options.api.requests_per_key = auth::RateLimit{2, Duration(60'000)};
  ApiWorld world(options);
  const auto first = world.send("GET", "/v1/workflows");
  EXPECT_EQ(header(first, "X-RateLimit-Limit"), "2");
  EXPECT_EQ(header(first, "X-RateLimit-Remaining"), "1");
  EXPECT_FALSE(header(first, "X-RateLimit-Reset").empty());
  EXPECT_EQ(world.send("GET", "/v1/workflows").status, 200);
  const auto third = world.send("GET", "/v1/workflows");
  EXPECT_EQ(third.status, 429);
  EXPECT_FALSE(header(third, "Retry-After").empty());
}

TEST(Serve, EchoesAFittingRequestIdAndMakesOneOtherwise) {
  ApiWorld world;
  auto request = world.request("GET", "/health/live");
  request.headers.set("X-Request-ID", "abc-1");
  EXPECT_EQ(header(world.send(request), "X-Request-ID"), "abc-1");
  request.headers.set("X-Request-ID", "with space");
  EXPECT_EQ(header(world.send(request), "X-Request-ID").size(), 32U);
  request.headers.set("X-Request-ID", std::string(129, 'x'));
  EXPECT_EQ(header(world.send(request), "X-Request-ID").size(), 32U);
}

TEST(Serve, TakesTheTraceIdOfAValidTraceparentOnly) {
  ApiWorld world;
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  auto request = world.request("GET", "/v1/nothing");
  const auto trace_of = [&](const std::string& traceparent) {
    request.headers.set("traceparent", traceparent);
    return ApiWorld::body(world.send(request)).string_or("trace_id");
  };
  EXPECT_EQ(trace_of("00-" + trace + "-b7ad6b7169203331-01"), trace);
  EXPECT_EQ(trace_of("01-" + trace + "-b7ad6b7169203331-01-more"), trace);
  for (const std::string& bad :
       {"00-" + trace + "-b7ad6b7169203331-01-more", "ff-" + trace + "-b7ad6b7169203331-01",
        "00-" + trace + "-0000000000000000-01",
        "00-" + std::string(32, '0') + "-b7ad6b7169203331-01",
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
        std::string("00")}) {
    EXPECT_NE(trace_of(bad), trace) << bad;
    EXPECT_EQ(trace_of(bad).size(), 32U) << bad;
  }
}

TEST(Serve, ForbidsStoringAnswersOfTheApi) {
  ApiWorld world;
  EXPECT_EQ(header(world.send("GET", "/v1/workflows"), "Cache-Control"), "no-store");
  EXPECT_EQ(header(world.send("GET", "/v1/nothing"), "Cache-Control"), "no-store");
  EXPECT_EQ(header(world.send("GET", "/health/live"), "Cache-Control"), "");
}

int status_with_type(const std::string& type) {
  net::Request request;
  request.method = "POST";
  request.headers.set("Content-Type", type);
  request.body = "{}";
  const auto body = read_body(request);
  const auto* refused = std::get_if<Problem>(&body);
  return refused == nullptr ? 200 : refused->status;
}

TEST(RequestBody, MustBeJsonInUtf8) {
  for (const std::string type :
       {"application/json", "Application/JSON", "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"", "application/json ; charset=Utf-8"}) {
    EXPECT_EQ(status_with_type(type), 200) << type;
  }
  for (const std::string type :
       {"text/plain", "application/x-www-form-urlencoded", "application/jsonp",
        "application/json; charset=latin1", "application/json; version=1", ""}) {
    EXPECT_EQ(status_with_type(type), 415) << type;
  }
}

std::variant<json::Value, Problem> body_of(const std::string& method, const std::string& text) {
  net::Request request;
  request.method = method;
  request.headers.set("Content-Type", "application/json");
  request.body = text;
  return read_body(request);
}

TEST(RequestBody, IsAnObjectOfBoundedDepth) {
  const std::map<std::string, int> refused = {
      {"[]", 400},
      {"null", 400},
      {"{\"a\":1,\"a\":2}", 400},
      {"{\"a\":}", 400},
      {"{\"a\":" + std::string(1000, '[') + std::string(1000, ']') + "}", 400},
      {"{\"a\":1e999}", 400},
      {"{\"a\":\"\xFF\"}", 400}};
  for (const auto& [text, status] : refused) {
    const auto body = body_of("POST", text);
    ASSERT_TRUE(std::holds_alternative<Problem>(body)) << text;
    EXPECT_EQ(std::get<Problem>(body).status, status) << text;
  }
}

TEST(RequestBody, SaysWhereItIsBroken) {
  const auto body = body_of("POST", "{\n  \"a\": {\"b\": tru}}");
  const Problem& problem = std::get<Problem>(body);
  EXPECT_EQ(problem.details.string_or("pointer"), "/a/b");
  const json::Value& error = problem.details.find("errors")->as_array().at(0);
  EXPECT_EQ(error.int_or("line", 0), 2);
  EXPECT_GT(error.int_or("column", 0), 1);
}

TEST(RequestBody, TreatsNullAsAbsentSaveInAPatch) {
  const json::Value with_null = json::Object{{"a", nullptr}, {"b", 1}};
  EXPECT_EQ(std::get<json::Value>(body_of("POST", R"({"a":null,"b":1})")),
            json::Value(json::Object{{"b", 1}}));
  EXPECT_EQ(std::get<json::Value>(body_of("PATCH", R"({"a":null,"b":1})")), with_null);
}

TEST(RequestBody, MayBeEmptyAndIsNotReadOfAGet) {
  EXPECT_EQ(std::get<json::Value>(body_of("POST", "")), json::Value(json::Object()));
  EXPECT_EQ(std::get<json::Value>(body_of("GET", "rubbish")), json::Value(json::Object()));
}

std::optional<std::chrono::seconds> wait_of(ApiWorld& world, const std::string& target,
                                            const std::string& prefer) {
  auto request = world.request("GET", target);
  if (!prefer.empty()) request.headers.set("Prefer", prefer);
  const Call call{.services = world.services,
                  .request = request,
                  .caller = {},
                  .path = {},
                  .trace_id = "",
                  .now = {},
                  .keyed = {}};
  const auto wait = call.wait();
  return wait ? *wait : std::chrono::seconds(-1);
}

TEST(Call, ReadsHowLongToWait) {
  ApiWorld world;
  using std::chrono::seconds;
  EXPECT_EQ(wait_of(world, "/x", ""), std::nullopt);
  EXPECT_EQ(wait_of(world, "/x?wait=5", ""), seconds(5));
  EXPECT_EQ(wait_of(world, "/x", "wait=7"), seconds(7));
  EXPECT_EQ(wait_of(world, "/x", "respond-async, WAIT = 8; a=b"), seconds(8));
  EXPECT_EQ(wait_of(world, "/x", "handling=strict"), std::nullopt);
  for (const std::string bad : {"61", "-1", "", "1.5", "x"}) {
    EXPECT_EQ(wait_of(world, "/x?wait=" + bad, ""), seconds(-1)) << bad;
  }
}

TEST(OpenApi, DescribesEveryRouteWithItsAccess) {
  const json::Value document = openapi_of(all_routes());
  std::set<std::string> ids;
  for (const Route& route : all_routes()) {
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const json::Value* operation =
        document.find("paths")->find(documented_path(route.path))->find(method);
    ASSERT_NE(operation, nullptr) << route.path;
    EXPECT_TRUE(ids.insert(operation->string_or("operationId")).second) << route.operation_id;
    const std::string access = operation->string_or("x-scope");
    switch (route.access.kind) {
      case Access::Kind::kPublic:
        EXPECT_EQ(access, "public");
        EXPECT_TRUE(!route.path.starts_with("/v1") || route.path == "/v1/receipts/verify")
            << route.path;
        break;
      case Access::Kind::kPlatform:
        EXPECT_EQ(access, "platform");
        break;
      case Access::Kind::kScope:
        EXPECT_EQ(access, auth::scope_name(route.access.scope));
        break;
    }
  }
}

TEST(OpenApi, HasASchemaForEveryBodyAndNoneToSpare) {
  const std::string document = openapi_document();
  const json::Value schemas = openapi_schemas();
  const json::Value components = json::Object{{"schemas", schemas}};
  for (const json::Member& member : schemas.as_object()) {
    const std::string reference = "#/components/schemas/" + member.key;
    EXPECT_NE(document.find("\"" + reference + "\""), std::string::npos) << member.key;
    const auto compiled =
        json::Schema::compile(json::Object{{"$ref", reference}, {"components", components}});
    EXPECT_TRUE(compiled) << member.key << ": " << compiled.error().message;
  }
  std::size_t at = 0;
  constexpr std::string_view kMark = "\"#/components/schemas/";
  while ((at = document.find(kMark, at)) != std::string::npos) {
    at += kMark.size();
    const std::string name = document.substr(at, document.find('"', at) - at);
    EXPECT_NE(schemas.find(name), nullptr) << name;
  }
}

TEST(Service, SaysThatItLives) {
  ApiWorld world;
  auto request = world.request("GET", "/health/live");
  request.headers.erase("X-API-Key");
  EXPECT_EQ(world.send(request).status, 200);
  EXPECT_EQ(world.send("GET", "/health/ready").status, 200);
  EXPECT_EQ(world.send("GET", "/openapi.json").status, 200);
  EXPECT_EQ(header(world.send("GET", "/"), "Content-Type"), "text/html; charset=utf-8");
}

TEST(Service, IsNotReadyWithoutItsStore) {
  ApiWorld world;
  world.store.stop();
  const auto response = world.send("GET", "/health/ready");
  EXPECT_EQ(response.status, 503);
  EXPECT_FALSE(header(response, "Retry-After").empty());
  EXPECT_EQ(ApiWorld::body(response).find("details")->string_or("part"), "store");
}

TEST(Metrics, CountRequestsByRouteAndAreForThoseWhoMay) {
  ApiWorld world;
  world.send("GET", "/v1/workflows");
  world.send("GET", "/v1/workflows");
  auto request = world.request("GET", "/metrics");
  const std::string text = world.send(request).body;
  EXPECT_NE(text.find("avow_http_requests_total{method=\"GET\",route=\"/v1/workflows\","
                      "status=\"200\"} 2\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("process_resident_memory_bytes"), std::string::npos);
  request.headers.set("X-API-Key", world.make_platform_key());
  EXPECT_EQ(world.send(request).status, 200);
  request.headers.set("X-API-Key", world.make_key(world.tenant, {"workflows:read"}));
  EXPECT_EQ(world.send(request).status, 403);
  request.headers.erase("X-API-Key");
  EXPECT_EQ(world.send(request).status, 401);
  world.services.options.is_metrics_open = true;
  EXPECT_EQ(world.send(request).status, 200);
}

TEST(NetErrors, HaveTheFormOfAllErrors) {
  const auto response = render_net_error(413, "the body is too large", nullptr);
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(code_of(response), "PAYLOAD_TOO_LARGE");
  EXPECT_FALSE(header(response, "X-Request-ID").empty());
  EXPECT_EQ(header(render_net_error(503, "busy", nullptr), "Retry-After"), "1");
}

}  // namespace
}  // namespace avow::api
