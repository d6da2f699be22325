// SPDX-License-Identifier: Apache-2.0
// What the real program can prove: the runs of the published pages, from the request to the
// verdict. The verifier is told the log's key by `avow init`, and nothing else.
#include <filesystem>
#include <fstream>

#include "merkle/note.h"
#include "merkle/tlog_proof.h"
#include "provenance/verify.h"
#include "server_fixture.h"

namespace avow {
namespace {

using provenance::Verdict;

std::string header(const testing::HttpReply& reply, std::string_view name) {
  const std::string* value = reply.headers.find(name);
  return value == nullptr ? "" : *value;
}

class Receipts : public ServerTest {
 protected:
  Client all_ = owner();
  Client nobody_ = client("");

  std::vector<merkle::VerifierKey> trusted() {
    const json::Value keys = nobody_.expect(200, nobody_.get("/log/keys"));
    return {*merkle::VerifierKey::parse(value_at(keys, "/log_keys/0").as_string())};
  }
  Verdict verdict_of(const std::string& file) {
    return provenance::verify(file, {.log_keys = trusted(), .policy = {}}, std::size_t{64} << 20)
        .verdict;
  }

  /// The narrative example of Execute Orchestration.
  json::Value example() {
    const std::string echo = make_agent(all_, R"({"model": "avow/echo"})"_json);
    const json::Value body = json::Object{{"agent_id", echo},
                                          {"input", R"({"prompt": "good morning"})"_json},
                                          {"model", "avow/echo"},
                                          {"max_steps", 10},
                                          {"timeout_seconds", 300}};
    const json::Value created = all_.expect(202, all_.post("/v1/orchestrations/execute", body));
    return ended(all_, created.string_or("id"));
  }
  std::string receipt_of(const json::Value& run) {
    return "/v1/receipts/" + run.string_or("receipt_id");
  }
};

TEST_F(Receipts, OfTheNarrativeExampleAndItsStepVerifyAndAlteredOnesDoNot) {
  const json::Value run = example();
  ASSERT_EQ(value_at(run, "/receipts").as_array().size(), 2U) << json::write(run);
  for (const json::Value& id : value_at(run, "/receipts").as_array()) {
    const auto reply = all_.get("/v1/receipts/" + id.as_string());
    all_.expect(200, reply);
    EXPECT_EQ(verdict_of(reply.body), Verdict::kValid);
    // A digit that is changed, at places all over what is quoted, is seen.
    int altered_count = 0;
    for (std::size_t at = reply.body.find("\"statement\""); at < reply.body.size(); at += 97) {
      if (reply.body[at] < '0' || reply.body[at] > '9') continue;
      ++altered_count;
      std::string altered = reply.body;
      altered[at] = altered[at] == '9' ? '8' : '9';
      EXPECT_NE(verdict_of(altered), Verdict::kValid) << "at " << at;
    }
    EXPECT_GT(altered_count, 0);
  }
}

TEST_F(Receipts, OfTheOpenApiExampleNameTheWorkflowThatRan) {
  const std::string workflow = make_published(
      all_, R"([{"name": "only", "type": "transform", "config": {"output": {"n": 1}}}])"_json);
  const std::string agent = make_agent(all_);
  const json::Value body = json::Object{
      {"workflow_id", workflow}, {"agents", json::Array{agent}}, {"parameters", json::Object()}};
  const json::Value created = all_.expect(202, all_.post("/v1/orchestrations/execute", body));
  EXPECT_TRUE(value_at(created, "/receipts").as_array().empty()) << "nothing can be fetched yet";
  const json::Value run = ended(all_, created.string_or("orchestration_id"));
  const auto reply = all_.get(receipt_of(run));
  EXPECT_EQ(verdict_of(reply.body), Verdict::kValid);
  const auto statement = provenance::decode_statement(
      value_at(all_.expect(200, reply), "/statement/statement").as_string());
  ASSERT_TRUE(statement);
  EXPECT_EQ(to_hex(view_of(*statement->workflow_digest)), run.string_or("workflow_digest"));
  const json::Value list =
      all_.expect(200, all_.get("/v1/orchestrations/" + run.string_or("id") + "/receipts"));
  EXPECT_EQ(value_at(list, "/items/1/step"), json::Value("only"));
}

TEST_F(Receipts, ComeInEveryFormat) {
  const std::string path = receipt_of(example());
  const auto proof = all_.get(path + "?format=tlog-proof");
  EXPECT_EQ(header(proof, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_TRUE(merkle::TlogProof::parse(proof.body));
  const auto bundle = all_.get(path + "?format=sigstore");
  EXPECT_EQ(header(bundle, "Content-Type"), "application/vnd.dev.sigstore.bundle.v0.3+json");
  const auto cose = all_.get(path + "?format=cose");
  EXPECT_EQ(header(cose, "Content-Type"), "application/cose");
  EXPECT_EQ(cose.body.substr(0, 2), "\xD2\x84");
  EXPECT_EQ(header(all_.get(path + "?witnessed=true"), "Avow-Witnessed"), "false");
}

TEST_F(Receipts, AreForWhoMayReadThemInTheirTenant) {
  const json::Value run = example();
  const std::string path = receipt_of(run);
  Client reader = client_with(json::Array{"receipts:read"});
  EXPECT_EQ(verdict_of(reader.get(path).body), Verdict::kValid);
  const auto sealed = reader.get(path + "/bundle");
  EXPECT_EQ(verdict_of(sealed.body), Verdict::kValid);
  EXPECT_EQ(sealed.body.find("good morning"), std::string::npos);
  reader.expect(403, reader.get(path + "?reveal=output"));
  reader.expect(403, reader.get("/v1/audit"));
  const auto whole = all_.get(path + "/bundle");
  EXPECT_EQ(verdict_of(whole.body), Verdict::kValid);
  EXPECT_NE(whole.body.find("good morning"), std::string::npos);
  Client other = other_tenant();
  other.expect(404, other.get(path));
  other.expect(404, other.get(path + "/bundle"));
  other.expect(404, other.get("/v1/orchestrations/" + run.string_or("id") + "/receipts"));
  Client blind = client_with(json::Array{"orchestrations:read"});
  blind.expect(403, blind.get(path));
}

TEST_F(Receipts, AreVerifiedForAnybodyWithoutACredential) {
  const std::string receipt = all_.get(receipt_of(example())).body;
  const auto verify = [&](const std::string& body) {
    return nobody_.expect(200, nobody_.send({.method = "POST",
                                             .target = "/v1/receipts/verify",
                                             .headers = {{"Content-Type", "application/json"}},
                                             .body = body}));
  };
  EXPECT_EQ(verify(receipt).string_or("verdict"), "VALID");
  std::string altered = receipt;
  altered.replace(altered.find("completed"), 9, "cancelled");
  EXPECT_EQ(value_at(verify(altered), "/valid"), json::Value(false));
  EXPECT_EQ(verify("[]").string_or("verdict"), "MALFORMED");
}

TEST_F(Receipts, OfARunThatHasOnlyBegunAreThereOnceTheLogHasIt) {
  // Its agent never comes for the task; the run is stated when it parks, or after a second.
  const std::string agent = make_agent(all_);
  const json::Value created =
      all_.expect(202, all_.post("/v1/orchestrations/execute",
                                 json::Object{{"agent_id", agent}, {"input", R"({"x": 1})"_json}}));
  const std::string path = "/v1/receipts/" + created.string_or("orchestration_id");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  auto reply = all_.get(path);
  while (reply.status == 409 && std::chrono::steady_clock::now() < deadline) {
    EXPECT_EQ(header(reply, "Retry-After"), "1");
    reply = all_.get(path);
  }
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(verdict_of(reply.body), Verdict::kIncomplete) << "it is true, and not over";
  all_.expect(200, all_.post("/v1/orchestrations/" + created.string_or("id") + "/cancel"));
  EXPECT_EQ(verdict_of(all_.get(path).body), Verdict::kValid);
}

TEST_F(Receipts, TheLogIsOpenToPagesOfAnyOrigin) {
  example();
  for (const auto& [path, status, caching] :
       {std::tuple{"/log/checkpoint", 200, "no-cache"},
        {"/log/keys", 200, "no-cache"},
        {"/log/tile/0/000.p/1", 200, "public, max-age=60"},
        {"/log/tile/entries/000.p/1", 200, "public, max-age=60"},
        {"/log/tile/0/999", 404, "no-store"},
        {"/log/nothing", 404, "no-store"}}) {
    const auto reply = nobody_.get(path);
    EXPECT_EQ(reply.status, status) << path;
    EXPECT_EQ(header(reply, "Cache-Control"), caching) << path;
    EXPECT_EQ(header(reply, "Access-Control-Allow-Origin"), "*") << path;
  }
  const auto note = merkle::Note::parse(nobody_.get("/log/checkpoint").body);
  ASSERT_TRUE(note);
  EXPECT_TRUE(merkle::verify_note(*note, trusted()));
}

TEST_F(Receipts, TheAuditListHasEveryStatementOfATenantChained) {
  Client other = other_tenant();
  const std::string agent = make_agent(other);
  other.expect(200, other.post("/v1/agents/" + agent + "/suspend", R"({"reason": "why"})"_json));
  make_published(other, R"([{"name": "a", "type": "transform", "config": {"output": 1}}])"_json);
  std::vector<std::string> types;
  std::optional<Bytes32> before;
  std::string after = "0";
  for (int page = 0; page < 20 && !after.empty(); ++page) {
    const json::Value list =
        other.expect(200, other.get("/v1/audit?type=all&order=asc&limit=2&after=" + after));
    for (const json::Value& item : value_at(list, "/items").as_array()) {
      const std::string text = item.string_or("statement");
      const auto statement = provenance::decode_statement(text);
      ASSERT_TRUE(statement);
      EXPECT_EQ(statement->tenant_seq, types.size() + 1);
      EXPECT_EQ(statement->prev, before);
      before = provenance::statement_digest(text);
      types.push_back(item.string_or("type"));
      const auto receipt = other.get("/v1/receipts/" + item.string_or("receipt_id"));
      EXPECT_EQ(verdict_of(receipt.body), Verdict::kValid);
    }
    after = list.string_or("next_cursor");
  }
  EXPECT_EQ(types, (std::vector<std::string>{"admin.changed", "admin.changed", "agent.changed",
                                             "agent.changed", "workflow.published"}));
  const json::Value changes = other.expect(200, other.get("/v1/audit"));
  EXPECT_EQ(value_at(changes, "/items/0/subject"), json::Value("api_key"));
  EXPECT_EQ(value_at(changes, "/items/1/subject"), json::Value("tenant"));
}

TEST_F(Receipts, OutliveTheErasureOfWhatTheyWereMadeOf) {
  const json::Value run = example();
  const std::string path = "/v1/orchestrations/" + run.string_or("id");
  const std::string receipt = all_.get(receipt_of(run)).body;
  const std::string bundle = all_.get(receipt_of(run) + "/bundle").body;
  Client weak = client_with(json::Array{"orchestrations:*", "receipts:read"});
  const json::Value why = R"({"reason": "asked for"})"_json;
  weak.expect(403, weak.post(path + "/erase", why));
  const json::Value erasure = all_.expect(200, all_.post(path + "/erase", why));
  EXPECT_GT(erasure.int_or("erased", 0), 0);
  for (const std::string& file :
       {receipt, bundle, all_.get(receipt_of(run)).body, all_.get(receipt_of(run) + "/bundle").body,
        all_.get("/v1/receipts/" + erasure.string_or("receipt_id")).body}) {
    EXPECT_EQ(verdict_of(file), Verdict::kValid);
  }
  EXPECT_NE(all_.get(receipt_of(run) + "/bundle").body.find(R"("withheld":"erased")"),
            std::string::npos);
  const auto shown = all_.get(path);
  EXPECT_EQ(shown.body.find("good morning"), std::string::npos);
  EXPECT_EQ(value_at(all_.expect(200, shown), "/input/$erased"), *erasure.find("receipt_id"));
  all_.expect(404, all_.get(path + "/contents/1/input"));
  EXPECT_EQ(all_.expect(200, all_.post(path + "/erase", why)).int_or("erased", -1), 0);
}

TEST_F(Receipts, OfARunErasedInPartLeaveTheErasedTextInNoFile) {
  // Each word stands where an erasure of the named content alone would have left it.
  const json::Value body = json::Object{{"agent_id", make_agent(all_)},
                                        {"input", R"({"text": "Quarkinput"})"_json},
                                        {"parameters", R"({"p": "Quarkparameter"})"_json},
                                        {"steps", R"([
      {"name": "copy", "type": "transform", "depends_on": [],
       "config": {"output": "Quarkstep ${{ 1 }}"}},
      {"name": "more", "type": "transform", "depends_on": ["copy"],
       "config": {"output": "${{ steps.copy.result }}"}},
      {"name": "from_parameter", "type": "transform", "depends_on": [],
       "config": {"output": "${{ parameters.p }}"}}])"_json}};
  const json::Value created = all_.expect(202, all_.post("/v1/orchestrations/execute", body));
  const json::Value run = ended(all_, created.string_or("id"));
  const std::string path = "/v1/orchestrations/" + run.string_or("id");
  const auto everything = [&] {
    std::string out = all_.get(path).body + all_.get(receipt_of(run) + "/bundle").body;
    for (const auto& file : std::filesystem::directory_iterator(deployment().folder())) {
      if (!file.path().filename().string().starts_with("avow.db")) continue;
      std::ifstream in(file.path(), std::ios::binary);
      out.append(std::istreambuf_iterator<char>(in), {});
    }
    return out;
  };
  for (const auto& [scope, word] :
       {std::pair{R"({"step": "copy", "member": "output"})", "Quarkstep"},
        {R"({"member": "input"})", "Quarkinput"},
        {R"({"member": "parameters"})", "Quark"}}) {
    ASSERT_NE(everything().find(word), std::string::npos);
    const std::string request = fmt::format(R"({{"reason": "why", "scope": [{}]}})", scope);
    all_.expect(200, all_.post(path + "/erase", *json::parse(request)));
    EXPECT_EQ(everything().find(word), std::string::npos) << scope;
    EXPECT_EQ(verdict_of(all_.get(receipt_of(run) + "/bundle").body), Verdict::kValid) << scope;
  }
}

TEST_F(Receipts, ABrowserMayAskForTheLogFromAnyOrigin) {
  const auto reply =
      testing::exchange({.port = port()}, {.method = "OPTIONS",
                                           .target = "/log/checkpoint",
                                           .headers = {{"Origin", "https://a.example"}},
                                           .body = {}});
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(header(reply, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(header(reply, "Access-Control-Allow-Methods"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(header(reply, "Access-Control-Allow-Headers"), "*");
}

}  // namespace
}  // namespace avow
