// SPDX-License-Identifier: Apache-2.0
#include "server_fixture.h"

namespace avow {
namespace {

/// The stub is on loopback, where calls go only if they are allowed; the timeout is what a slow
/// client is given in a test.
constexpr const char* kConfig =
    "outbound: {allow: [127.0.0.0/8]}\n"
    "limits: {header_timeout_seconds: 1}\n"
    "log_level: warning\n";

struct World {
  testing::Deployment deployment{AVOW_PROGRAM};
  testing::StubServer stub{[](const testing::StubCall& call) {
    return testing::StubAnswer{
        .body = json::write(json::Object{{"seen", call.target}, {"body", call.body}})};
  }};
  std::unique_ptr<testing::ServerProcess> server;
  std::unique_ptr<Contract> contract;
};

std::unique_ptr<World>& world() {
  static std::unique_ptr<World> one;
  return one;
}

}  // namespace

testing::HttpReply Client::send_json(const std::string& method, const std::string& target,
                                     const json::Value& body, net::Headers headers) {
  headers.set("Content-Type", "application/json");
  return send({method, target, std::move(headers), json::write(body)});
}

testing::HttpReply Client::send(testing::HttpCall call) {
  if (!key_.empty()) call.headers.add("X-API-Key", key_);
  testing::HttpReply reply = testing::exchange({.port = port_}, call);
  const std::string fault = contract_->fault_of(call.method, call.target, reply);
  EXPECT_EQ(fault, "") << call.method << " " << call.target << "\n" << reply.body;
  return reply;
}

json::Value Client::expect(int status, const testing::HttpReply& reply) {
  EXPECT_EQ(reply.status, status) << reply.body;
  return reply.json();
}

void ServerTest::SetUpTestSuite() {
  if (world() != nullptr) return;
  world() = std::make_unique<World>();
  auto started = testing::ServerProcess::start(world()->deployment, kConfig);
  CHECK(started.has_value());
  world()->server = std::move(*started);
  const auto document =
      testing::exchange({.port = port()}, {.method = "GET", .target = "/openapi.json"});
  CHECK(document.status == 200);
  world()->contract = std::make_unique<Contract>(document.json());
}

void ServerTest::TearDownTestSuite() {
  const int code = world()->server->terminate();
  EXPECT_EQ(code, 0) << world()->server->log_end();
  world().reset();
}

std::uint16_t ServerTest::port() { return server().port(); }
const testing::Deployment& ServerTest::deployment() { return world()->deployment; }
testing::ServerProcess& ServerTest::server() { return *world()->server; }
Contract& ServerTest::contract() { return *world()->contract; }
testing::StubServer& ServerTest::stub() { return world()->stub; }

Client ServerTest::client_with(const json::Value& scopes) {
  Client all = owner();
  const json::Value key =
      all.expect(201, all.post("/v1/api-keys", json::Object{{"scopes", scopes}}));
  return client(key.string_or("api_key"));
}

Client ServerTest::other_tenant() {
  Client maker = platform();
  const json::Value tenant =
      maker.expect(201, maker.post("/v1/tenants", json::Object{{"name", unique_name()}}));
  const json::Value key = maker.expect(
      201, maker.send_json("POST", "/v1/api-keys", json::Object{{"scopes", json::Array{"*:*"}}},
                           {{"X-Tenant-ID", tenant.string_or("tenant_id")}}));
  return client(key.string_or("api_key"));
}

std::string ServerTest::unique_name() {
  static int made = 0;
  return fmt::format("thing {}", ++made);
}

std::string ServerTest::make_agent(Client& client, const json::Value& body) {
  return client.expect(201, client.post("/v1/agents", body)).string_or("id");
}

std::string ServerTest::make_draft(Client& client, const json::Value& steps) {
  const json::Value body = json::Object{{"name", unique_name()}, {"steps", steps}};
  return client.expect(201, client.post("/v1/workflows", body)).string_or("id");
}

std::string ServerTest::make_published(Client& client, const json::Value& steps) {
  const std::string id = make_draft(client, steps);
  client.expect(200, client.post("/v1/workflows/" + id + "/publish"));
  return id;
}

json::Value ServerTest::ended(Client& client, const std::string& id) {
  const json::Value run = client.expect(200, client.get("/v1/orchestrations/" + id + "?wait=60"));
  EXPECT_NE(run.string_or("status"), "running") << json::write(run);
  return run;
}

}  // namespace avow
