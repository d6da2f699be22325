// SPDX-License-Identifier: Apache-2.0
// tests/http/server_fixture.h: a test against the real program. One server serves all tests of a
// process; every answer that a Client sees is held against the OpenAPI document.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "contract.h"
#include "json/parse.h"
#include "json/write.h"
#include "testing/server_process.h"
#include "testing/stub_server.h"

namespace avow {

/// JSON written in a test. CHECKs that it is some.
inline json::Value operator""_json(const char* text, std::size_t size) {
  auto parsed = json::parse(std::string_view(text, size));
  CHECK(parsed.has_value());
  return std::move(*parsed);
}

using testing::value_at;

/// Calls the server as the owner of one key. One thread.
class Client {
 public:
  Client(std::uint16_t port, std::string key, Contract* contract)
      : port_(port), key_(std::move(key)), contract_(contract) {}

  testing::HttpReply get(const std::string& target) { return send({"GET", target, {}, {}}); }
  testing::HttpReply post(const std::string& target, const json::Value& body = json::Object()) {
    return send_json("POST", target, body);
  }
  testing::HttpReply send_json(const std::string& method, const std::string& target,
                               const json::Value& body, net::Headers headers = {});
  /// Adds the key, sends, and fails the test where the answer is not as documented.
  testing::HttpReply send(testing::HttpCall call);
  /// Sends `bytes` as they are, key and all, on a connection of their own.
  [[nodiscard]] testing::HttpReply send_bytes(const std::string& bytes) const {
    return testing::exchange_bytes({.port = port_}, bytes);
  }
  /// Of a call that must end with `status`: the body.
  json::Value expect(int status, const testing::HttpReply& reply);

  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  const std::uint16_t port_;
  const std::string key_;
  Contract* const contract_;
};

class ServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();

  static std::uint16_t port();
  static const testing::Deployment& deployment();
  static testing::ServerProcess& server();
  static Contract& contract();
  /// Of webhooks and tools: answers {"seen": <the target>} at once.
  static testing::StubServer& stub();
  /// The owner of the deployment's first key, which may do everything in its tenant.
  static Client owner() { return client(deployment().api_key); }
  static Client platform() { return client(deployment().platform_key); }
  static Client client(std::string key) { return {port(), std::move(key), &contract()}; }
  /// A key of the owner's tenant with `scopes`.
  static Client client_with(const json::Value& scopes);
  /// A key that may do everything in a tenant that was made for it.
  static Client other_tenant();

  /// Another one at every call.
  static std::string unique_name();
  /// Makes an agent; its UUID.
  static std::string make_agent(Client& client, const json::Value& body = json::Object());
  /// Makes a workflow of `steps` under a name of its own; its UUID.
  static std::string make_draft(Client& client, const json::Value& steps);
  static std::string make_published(Client& client, const json::Value& steps);
  /// The run `id`, once it has ended.
  static json::Value ended(Client& client, const std::string& id);
};

}  // namespace avow
