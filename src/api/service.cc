// SPDX-License-Identifier: Apache-2.0
// What the service says of itself (CONTRACT.md section 7).
#include "api/metrics.h"
#include "api/openapi.h"
#include "api/route.h"
#include "base/log.h"

namespace avow::api {
namespace {

constexpr std::string_view kFrontPage =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Avow</title>\n"
    "<h1>Avow</h1>\n<p>Runs the work of AI agents and can prove what they did.</p>\n"
    "<ul><li><a href=\"/openapi.json\">The API</a>, as an OpenAPI document</li>\n"
    "<li><a href=\"/health/ready\">Whether it is ready</a></li></ul>\n</html>\n";

net::Response text_response(std::string_view type, std::string body) {
  return {.status = 200, .headers = {{"Content-Type", std::string(type)}}, .body = std::move(body)};
}

Reply live(Call&) { return json_response(200, json::Object{{"status", "ok"}}); }

Problem not_ready(std::string_view part, const std::string& why) {
  Problem out = problem_of(failure(Code::kUnavailable, "{}", why));
  out.details.set("part", part);
  return out;
}

Reply ready(Call& call) {
  if (const auto fault = call.services.log.fault()) return not_ready("log", *fault);
  const auto health = call.services.store.health();
  if (health) return json_response(200, json::Object{{"status", "ready"}});
  log::warning("not ready: store: {}", health.error().message);
  return not_ready("store", "the store cannot be written now");
}

Reply metrics(Call& call) {
  return text_response("text/plain; version=0.0.4; charset=utf-8",
                       call.services.metrics.text(call.services));
}

Reply openapi(Call&) {
  static const std::string text = openapi_document();
  return text_response("application/json", text);
}

Reply front_page(Call&) {
  return text_response("text/html; charset=utf-8", std::string(kFrontPage));
}

}  // namespace

std::vector<Route> service_routes() {
  constexpr Access kMetrics{Access::Kind::kScope, auth::Scope::kMetricsRead, true};
  return {
      {"GET", "/health/live", kPublic, live, "getLive"},
      {"GET", "/health/ready", kPublic, ready, "getReady"},
      {"GET", "/metrics", kMetrics, metrics, "getMetrics"},
      {"GET", "/openapi.json", kPublic, openapi, "getOpenApi"},
      {"GET", "/", kPublic, front_page, "getFrontPage"},
  };
}

}  // namespace avow::api
