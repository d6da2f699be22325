// SPDX-License-Identifier: Apache-2.0
// A receipt that waits for its witness. The witness here looks at nothing and cosigns everything:
// what a real one refuses is shown where the real ones are.
#include <fstream>

#include "merkle/note.h"
#include "provenance/verify.h"
#include "server_fixture.h"

namespace avow {
namespace {

class Witnessed : public ServerTest {
 protected:
  Witnessed() {
    const std::filesystem::path policy = deployment_.beside() / "witnesses.policy";
    std::ofstream(policy) << fmt::format("witness w {} {}\nquorum w\n", vkey_.text(),
                                         witness_.url(""));
    auto started = testing::ServerProcess::start(
        deployment_,
        fmt::format("log: {{policy_file: {}}}\nlog_level: warning\n", policy.string()));
    CHECK(started.has_value());
    server_ = std::move(*started);
  }

  const crypto::Ed25519PrivateKey key_ = crypto::Ed25519PrivateKey::from_seed({7});
  const merkle::VerifierKey vkey_ = merkle::VerifierKey::ed25519(
      "witness.example.com", merkle::SignatureType::kCosignature, key_.public_key());
  testing::StubServer witness_{[this](const testing::StubCall& call) {
    const auto note = merkle::Note::parse(call.body.substr(call.body.find("\n\n") + 2));
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return testing::StubAnswer{
        .body = note ? merkle::cosign_note(note->text, vkey_.name, key_, now).line() : ""};
  }};
  testing::Deployment deployment_{AVOW_PROGRAM};
  std::unique_ptr<testing::ServerProcess> server_;
};

TEST_F(Witnessed, AReceiptIsAnsweredWhenTheQuorumHasCosignedIt) {
  Client all(server_->port(), deployment_.api_key, &contract());
  const std::string workflow =
      make_published(all, R"([{"name": "a", "type": "transform", "config": {"output": 1}}])"_json);
  const std::string agent = make_agent(all);
  const json::Value created = all.expect(
      202, all.post("/v1/workflows/" + workflow + "/execute", json::Object{{"agent_id", agent}}));
  const json::Value run = ended(all, created.string_or("id"));
  const auto reply = all.get("/v1/receipts/" + run.string_or("receipt_id") + "?witnessed=true");
  all.expect(200, reply);
  ASSERT_NE(reply.headers.find("Avow-Witnessed"), nullptr);
  EXPECT_EQ(*reply.headers.find("Avow-Witnessed"), "true");

  const json::Value keys = all.expect(200, all.get("/log/keys"));
  const auto policy = merkle::Policy::parse(fmt::format(
      "log {}\nwitness w {}\nquorum w\n", value_at(keys, "/log_keys/0").as_string(), vkey_.text()));
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(provenance::verify(reply.body, {.log_keys = {}, .policy = *policy}).verdict,
            provenance::Verdict::kValid);
  // Without waiting, and asked again: what is there is in every receipt from then on.
  const auto again = all.get("/v1/receipts/" + run.string_or("receipt_id") + "?witnessed=true");
  EXPECT_EQ(*again.headers.find("Avow-Witnessed"), "true");
}

}  // namespace
}  // namespace avow
