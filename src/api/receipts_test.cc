// SPDX-License-Identifier: Apache-2.0
// Receipts, the public log and the audit list through the whole way of a request. The oracle for
// proofs is provenance::verify(), which knows the log's public key and nothing of this process.
#include <gtest/gtest.h>

#include "merkle/note.h"
#include "merkle/tlog_proof.h"
#include "provenance/verify.h"
#include "testing/api_world.h"

namespace avow::api {
namespace {

using provenance::Verdict;
using testing::ApiWorld;

std::string header(const net::Response& response, std::string_view name) {
  const std::string* value = response.headers.find(name);
  return value == nullptr ? "" : *value;
}

class Proofs : public ::testing::Test {
 protected:
  Verdict verdict_of(const std::string& file) {
    const auto out =
        provenance::verify(file, {.log_keys = world_.services.log.keys().log_keys(), .policy = {}},
                           std::size_t{64} << 20);
    for (const auto& check : out.checks) {
      if (check.outcome == provenance::Outcome::kFailed) last_detail_ = check.detail;
    }
    return out.verdict;
  }

  json::Value get(const std::string& target, int status = 200) {
    const auto response = world_.send("GET", target);
    EXPECT_EQ(response.status, status) << target << "\n" << response.body;
    return ApiWorld::body(response);
  }
  net::Response get_as(const std::string& key, const std::string& target) {
    auto request = world_.request("GET", target);
    request.headers.set("X-API-Key", key);
    return world_.send(request);
  }

  /// A run of two steps that has ended.
  json::Value run() {
    const std::string id = ApiWorld::body(world_.send("POST", "/v1/workflows",
                                                      R"({"name":"w)" + std::to_string(++made_) +
                                                          R"(","steps":[
          {"name":"score","type":"transform",
           "config":{"output":{"score":"${{ input.n * 2 }}","secret":"hidden-value"}}},
          {"name":"last","type":"transform","depends_on":["score"],
           "config":{"output":{"got":"${{ steps.score.result.score }}"}}}]})"))
                               .string_or("id");
    EXPECT_EQ(world_.send("POST", "/v1/workflows/" + id + "/publish").status, 200);
    return executed("/v1/workflows/" + id + "/execute", R"({"input":{"n":4},"name":null})");
  }
  json::Value executed(const std::string& path, const std::string& body) {
    auto request = world_.request("POST", path, body);
    request.headers.set("Prefer", "wait=30");
    const auto response = world_.send(request);
    EXPECT_EQ(response.status, 200) << response.body;
    return ApiWorld::body(response);
  }

  ApiWorld world_;
  std::string last_detail_;
  int made_ = 0;
};

TEST_F(Proofs, ARunAndEachOfItsStepsHaveAReceiptThatVerifies) {
  const json::Value ended = run();
  const json::Array receipts = ended.find("receipts")->as_array();
  ASSERT_EQ(receipts.size(), 3U);
  EXPECT_EQ(receipts[0], *ended.find("orchestration_id"));
  for (const json::Value& receipt : receipts) {
    const auto response = world_.send("GET", "/v1/receipts/" + receipt.as_string());
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(verdict_of(response.body), Verdict::kValid) << last_detail_;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string name = ended.find("steps")->as_array()[i].string_or("receipt_id");
    EXPECT_EQ(parse_id(name)->uuid(), receipts[i + 1].as_string());
  }
}

TEST_F(Proofs, AReceiptIsFoundByEveryFormOfItsIdAndOfItsRuns) {
  const json::Value ended = run();
  const Id id = *parse_id(ended.string_or("id"));
  for (const std::string& form : {ended.string_or("receipt_id"), id.uuid(), id.ulid(),
                                  "maip-orch:" + id.ulid(), "rcpt_" + id.ulid()}) {
    EXPECT_EQ(get("/v1/receipts/" + form).string_or("id"), ended.string_or("receipt_id")) << form;
  }
  EXPECT_EQ(world_.send("GET", "/v1/receipts/nonsense").status, 400);
}

TEST_F(Proofs, TheListOfARunNamesItsOwnReceiptFirstAndThenThoseOfItsSteps) {
  const json::Value ended = run();
  const std::string path = "/v1/orchestrations/" + ended.string_or("id") + "/receipts";
  const json::Array items = get(path).find("items")->as_array();
  ASSERT_EQ(items.size(), 3U);
  EXPECT_EQ(items[0].string_or("kind"), "run");
  EXPECT_EQ(items[0].string_or("receipt_id"), ended.string_or("receipt_id"));
  EXPECT_EQ(items[1].string_or("step"), "score");
  EXPECT_EQ(items[2].string_or("step"), "last");
  EXPECT_EQ(items[2].string_or("status"), "completed");
}

TEST_F(Proofs, EveryFormatHasItsMediaType) {
  const std::string path = "/v1/receipts/" + run().string_or("receipt_id");
  const auto as = [&](const std::string& format) {
    auto response = world_.send("GET", path + "?format=" + format);
    EXPECT_EQ(response.status, 200) << response.body;
    return response;
  };
  EXPECT_EQ(header(as("avow"), "Content-Type"), "application/json");
  const auto proof = as("tlog-proof");
  EXPECT_EQ(header(proof, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_TRUE(merkle::TlogProof::parse(proof.body));
  const auto bundle = as("sigstore");
  EXPECT_EQ(header(bundle, "Content-Type"), "application/vnd.dev.sigstore.bundle.v0.3+json");
  EXPECT_EQ(ApiWorld::body(bundle).string_or("mediaType"),
            "application/vnd.dev.sigstore.bundle.v0.3+json");
  const auto cose = as("cose");
  EXPECT_EQ(header(cose, "Content-Type"), "application/cose");
  EXPECT_EQ(cose.body.substr(0, 2), "\xD2\x84");  // tag 18, an array of four: COSE_Sign1
  EXPECT_EQ(world_.send("GET", path + "?format=pdf").status, 400);
  EXPECT_EQ(world_.send("GET", path + "?formats=avow").status, 400);
}

TEST_F(Proofs, OneMemberOfAContentIsRevealedToWhoMayReadContents) {
  const json::Value ended = run();
  const json::Value step = ended.find("steps")->as_array()[0];
  const std::string path = "/v1/receipts/" + step.string_or("receipt_id") + "?reveal=output.score";
  const auto response = world_.send("GET", path);
  EXPECT_EQ(verdict_of(response.body), Verdict::kValid) << last_detail_;
  EXPECT_NE(response.body.find("\"score\""), std::string::npos);
  EXPECT_EQ(response.body.find("hidden-value"), std::string::npos) << "the rest stays hidden";
  const auto both = world_.send("GET", path + ",input&reveal=output.secret");
  EXPECT_EQ(verdict_of(both.body), Verdict::kValid) << last_detail_;
  EXPECT_NE(both.body.find("hidden-value"), std::string::npos);

  const std::string reader = world_.make_key(world_.tenant, {"receipts:read"});
  EXPECT_EQ(get_as(reader, path).status, 403);
  EXPECT_EQ(get_as(reader, path.substr(0, path.find('?'))).status, 200);
  EXPECT_EQ(world_.send("GET", path + "&format=cose").status, 400);
  EXPECT_EQ(world_.send("GET", path + ".nothing").status, 400);
}

TEST_F(Proofs, WhereNobodyIsAskedToWitnessTheAnswerSaysSoAtOnce) {
  const std::string path = "/v1/receipts/" + run().string_or("receipt_id");
  const auto response = world_.send("GET", path + "?witnessed=true");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(header(response, "Avow-Witnessed"), "false");
  EXPECT_EQ(verdict_of(response.body), Verdict::kValid);
  EXPECT_EQ(header(world_.send("GET", path), "Avow-Witnessed"), "");
  EXPECT_EQ(world_.send("GET", path + "?witnessed=perhaps").status, 400);
}

TEST_F(Proofs, ABundleShowsItsContentsToWhoMayReadThem) {
  const std::string path = "/v1/receipts/" + run().string_or("receipt_id") + "/bundle";
  const auto whole = world_.send("GET", path);
  EXPECT_EQ(verdict_of(whole.body), Verdict::kValid) << last_detail_;
  EXPECT_NE(whole.body.find("hidden-value"), std::string::npos);
  EXPECT_EQ(whole.body.find("from_reader"), std::string::npos) << "the plan is shown as well";

  const std::string reader = world_.make_key(world_.tenant, {"receipts:read"});
  const auto sealed = get_as(reader, path);
  EXPECT_EQ(verdict_of(sealed.body), Verdict::kValid) << last_detail_;
  EXPECT_EQ(sealed.body.find("hidden-value"), std::string::npos);
  EXPECT_EQ(world_.send("GET", path + "?contents=false").body, sealed.body);
}

TEST_F(Proofs, AnothersReceiptIsAnsweredAsOneThatIsNotThere) {
  const json::Value ended = run();
  const std::string other = world_.make_key(world_.make_tenant("other"), {"*:*"});
  const std::string none = make_id(world_.clock.now(), world_.rng.bytes8()).uuid();
  const auto message = [](const net::Response& response, const std::string& id) {
    std::string text = ApiWorld::body(response).string_or("message");
    if (const auto at = text.find(id); at != std::string::npos) text.erase(at, id.size());
    return text;
  };
  const std::string theirs = ended.string_or("orchestration_id");
  for (const std::string path :
       {"/v1/receipts/{}", "/v1/receipts/{}/bundle", "/v1/receipts/{}?witnessed=true",
        "/v1/orchestrations/{}/receipts"}) {
    const auto hidden = get_as(other, fmt::format(fmt::runtime(path), theirs));
    const auto absent = get_as(other, fmt::format(fmt::runtime(path), none));
    EXPECT_EQ(hidden.status, 404) << path;
    EXPECT_EQ(absent.status, 404) << path;
    EXPECT_EQ(message(hidden, theirs), message(absent, none)) << path;
  }
}

TEST_F(Proofs, WhatTheLogDoesNotHaveYetIsAskedForAgain) {
  // A run that was only just written, as if its lane had not come to state it.
  store::RunRow row;
  row.id = RunId{make_id(world_.clock.now(), world_.rng.bytes8())};
  row.tenant = world_.tenant;
  row.version = 1;
  row.created_at = world_.clock.now();
  row.summary = "{}";
  provenance::Event event;
  event.run = row.id;
  event.seq = 1;
  event.time = row.created_at;
  event.type = "run.started";
  store::RunChange change;
  change.row = row;
  change.plan = "{}";
  change.journal = store::Segment{1, 1, provenance::encode_journal(std::vector{encode(event)})};
  world_.commit(
      {.run = std::move(change), .records = {}, .tasks = {}, .answer = {}, .statements = {}});
  for (const std::string& path :
       {"/v1/receipts/" + row.id.uuid(), "/v1/receipts/" + row.id.uuid() + "/bundle",
        "/v1/receipts/" + row.id.uuid() + "?witnessed=true"}) {
    const auto response = world_.send("GET", path);
    EXPECT_EQ(response.status, 409) << response.body;
    EXPECT_EQ(header(response, "Retry-After"), "1");
  }
}

// ---------------------------------------------------------------------------------------- verify

class VerifyingForAnybody : public Proofs {
 protected:
  net::Response post(const std::string& body) {
    auto request = world_.request("POST", "/v1/receipts/verify", body);
    request.headers.erase("X-API-Key");
    return world_.send(request);
  }
};

TEST_F(VerifyingForAnybody, TellsAGoodReceiptFromAnAlteredOne) {
  const std::string good = world_.send("GET", "/v1/receipts/" + run().string_or("receipt_id")).body;
  const json::Value valid = ApiWorld::body(post(good));
  EXPECT_TRUE(valid.bool_or("valid", false)) << json::write(valid);
  EXPECT_EQ(valid.string_or("verdict"), "VALID");
  EXPECT_EQ(valid.find("checks")->as_array().size(), 11U);

  std::string altered = good;
  altered.replace(altered.find("completed"), 9, "cancelled");
  const json::Value invalid = ApiWorld::body(post(altered));
  EXPECT_FALSE(invalid.bool_or("valid", true));
  EXPECT_NE(invalid.string_or("verdict"), "VALID");
  EXPECT_EQ(ApiWorld::body(post("{}")).string_or("verdict"), "MALFORMED");
  EXPECT_EQ(ApiWorld::body(post("not JSON")).string_or("verdict"), "MALFORMED");
}

TEST_F(VerifyingForAnybody, TrustsTheKeysOfThisDeploymentAlone) {
  ApiWorld elsewhere;
  elsewhere.send("POST", "/v1/tools", R"({"name":"t","http":{"url":"https://example.com/x"}})");
  auto listed = ApiWorld::body(elsewhere.send("GET", "/v1/audit"));
  const std::string id = listed.find("items")->as_array().at(0).string_or("receipt_id");
  const std::string theirs = elsewhere.send("GET", "/v1/receipts/" + id).body;
  EXPECT_EQ(ApiWorld::body(post(theirs)).string_or("verdict"), "KEY_UNTRUSTED");
}

TEST_F(VerifyingForAnybody, IsBoundedForEachAddress) {
  EXPECT_EQ(post(std::string(provenance::kReceiptBytesMax + 1, ' ')).status, 413);
  auto plain = world_.request("POST", "/v1/receipts/verify", "{}");
  plain.headers.set("Content-Type", "text/plain");
  EXPECT_EQ(world_.send(plain).status, 415);

  world_.services.receipt_verifier = std::make_shared<ReceiptVerifier>(
      ReceiptVerifierOptions{.per_address = {.tokens = 2, .window = Duration(60'000)}});
  EXPECT_EQ(post("{}").status, 200);
  EXPECT_EQ(post("{}").status, 200);
  const auto refused = post("{}");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header(refused, "Retry-After"), "30");
  auto other = world_.request("POST", "/v1/receipts/verify", "{}");
  other.peer_address = "192.0.2.2";
  EXPECT_EQ(world_.send(other).status, 200);
  world_.clock.advance(std::chrono::seconds(31));
  EXPECT_EQ(post("{}").status, 200);

  world_.services.receipt_verifier =
      std::make_shared<ReceiptVerifier>(ReceiptVerifierOptions{.at_once_max = 0});
  const auto busy = post("{}");
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(header(busy, "Retry-After"), "1");
}

TEST_F(Proofs, ABundleHasAtMost8MiB) {
  // One text of 3 MiB that stands in several contents, which one answer cannot hold.
  const json::Value agent = ApiWorld::body(world_.send("POST", "/v1/agents", "{}"));
  const std::string text(std::size_t{3} << 20, 'x');
  const json::Value ended =
      executed("/v1/orchestrations/execute", R"({"agent_id":")" + agent.string_or("id") +
                                                 R"(","input":{"t":")" + text + R"("},"steps":[
        {"name":"a","type":"transform","config":{"output":"${{ input.t }}"}},
        {"name":"b","type":"transform","config":{"output":1}}]})");
  const std::string path = "/v1/receipts/" + ended.string_or("receipt_id") + "/bundle";
  const auto refused = world_.send("GET", path);
  EXPECT_EQ(refused.status, 413) << refused.body.size();
  EXPECT_NE(refused.body.find("contents=false"), std::string::npos) << refused.body.substr(0, 200);
  EXPECT_EQ(verdict_of(world_.send("GET", path + "?contents=false").body), Verdict::kValid)
      << last_detail_;
}

TEST_F(Proofs, TwoBundlesAreMadeAtOnce) {
  const std::string path = "/v1/receipts/" + run().string_or("receipt_id") + "/bundle";
  *world_.services.bundles_under_way = 2;
  const auto refused = world_.send("GET", path);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(*refused.headers.find("Retry-After"), "1");
  *world_.services.bundles_under_way = 1;
  EXPECT_EQ(world_.send("GET", path).status, 200);
  EXPECT_EQ(world_.services.bundles_under_way->load(), 1);
}

TEST_F(Proofs, RefuseQueriesThatTheyDoNotKnow) {
  const json::Value ended = run();
  const std::string receipt = "/v1/receipts/" + ended.string_or("receipt_id");
  for (const std::string& target :
       {receipt + "?depth=1", receipt + "?format=avow&format=cose", receipt + "/bundle?format=cose",
        receipt + "/bundle?contents=true&contents=false",
        "/v1/orchestrations/" + ended.string_or("id") + "/receipts?limit=1"}) {
    EXPECT_EQ(world_.send("GET", target).status, 400) << target;
  }
  EXPECT_EQ(world_.send("POST", "/v1/receipts/verify?strict=true", "{}").status, 400);
  EXPECT_EQ(world_.send("GET", receipt + "?reveal=output&reveal=input").status, 200);
}

// ------------------------------------------------------------------------------------- the log

class PublicLog : public Proofs {
 protected:
  net::Response read(const std::string& path) {
    auto request = world_.request("GET", path);
    request.headers.erase("X-API-Key");
    auto response = world_.send(request);
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*") << path;
    return response;
  }
};

TEST_F(PublicLog, IsReadByAnybodyAndSignedByItsKey) {
  EXPECT_EQ(read("/log/checkpoint").status, 404) << "there is no entry yet";
  run();
  const auto checkpoint = read("/log/checkpoint");
  EXPECT_EQ(header(checkpoint, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(header(checkpoint, "Cache-Control"), "no-cache");
  const auto note = merkle::Note::parse(checkpoint.body);
  ASSERT_TRUE(note);
  const json::Value keys = ApiWorld::body(read("/log/keys"));
  EXPECT_EQ(keys.string_or("origin"), "log.example.com");
  const std::vector trusted = {
      *merkle::VerifierKey::parse(keys.find("log_keys")->as_array().at(0).as_string())};
  EXPECT_TRUE(merkle::verify_note(*note, trusted));
  const json::Value statement_key = keys.find("statement_keys")->as_array().at(0);
  EXPECT_EQ(statement_key.int_or("from", -1), 0);
  EXPECT_TRUE(statement_key.string_or("pem").starts_with("-----BEGIN PUBLIC KEY-----"));
  EXPECT_TRUE(keys.find("earlier_log_keys")->as_array().empty());
}

TEST_F(PublicLog, GivesTilesWhoseEntriesLeadToTheCheckpoint) {
  for (int i = 0; i < 258; ++i) {
    world_.send("POST", "/v1/tools",
                fmt::format(R"({{"name":"t{}","http":{{"url":"https://example.com/x"}}}})", i));
  }
  // What a checkpoint of an earlier moment shows is kept for as long as it may be shown.
  world_.clock.advance(std::chrono::seconds(1));
  const auto note = merkle::Note::parse(read("/log/checkpoint").body);
  const auto head = merkle::Checkpoint::parse(note->text);
  ASSERT_EQ(head->size, 259U);
  const auto full = read("/log/tile/0/000");
  EXPECT_EQ(full.status, 200);
  EXPECT_EQ(full.body.size(), 256U * 32);
  EXPECT_EQ(header(full, "Content-Type"), "application/octet-stream");
  EXPECT_EQ(header(full, "Cache-Control"), "public, max-age=31536000, immutable");
  const auto partial = read("/log/tile/0/001.p/3");
  EXPECT_EQ(partial.body.size(), 3U * 32);
  EXPECT_EQ(header(partial, "Cache-Control"), "public, max-age=60");
  EXPECT_EQ(read("/log/tile/entries/000").status, 200);

  const auto hashes = merkle::parse_tile(full.body, 256);
  const auto rest = merkle::parse_tile(partial.body, 3);
  const merkle::Hash left = merkle::subtree_root(*hashes);
  const merkle::Hash right =
      merkle::hash_children(merkle::hash_children((*rest)[0], (*rest)[1]), (*rest)[2]);
  EXPECT_EQ(merkle::hash_children(left, right), head->root);
}

TEST_F(PublicLog, RefusesWithTheSameOpennessAndNothingToKeep) {
  run();
  for (const std::string path : {"/log/tile/0/999", "/log/tile/nonsense", "/log/tile/9/000",
                                 "/log/tile/0/x001/000/000", "/log/nothing", "/log/tile"}) {
    const auto response = read(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(header(response, "Cache-Control"), "no-store") << path;
  }
  auto request = world_.request("DELETE", "/log/checkpoint");
  const auto refused = world_.send(request);
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(header(refused, "Access-Control-Allow-Origin"), "*");
}

TEST_F(PublicLog, LetsABrowserAskFromAnyOrigin) {
  for (const std::string path : {"/log/checkpoint", "/log/tile/0/000", "/log/keys"}) {
    auto request = world_.request("OPTIONS", path);
    request.headers.set("Origin", "https://elsewhere.example.com");
    request.headers.set("Access-Control-Request-Method", "GET");
    const auto response = world_.send(request);
    EXPECT_EQ(response.status, 204) << path;
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
    EXPECT_EQ(header(response, "Access-Control-Allow-Methods"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(header(response, "Access-Control-Allow-Headers"), "*");
  }
  EXPECT_EQ(world_.send("OPTIONS", "/log/nothing").status, 404);
  EXPECT_EQ(world_.send("OPTIONS", "/v1/audit").status, 405);
}

TEST_F(PublicLog, ThatIsSealedAnswersWhatItCanAndSaysWhyNotTheRest) {
  const json::Value ended = run();
  world_.sequencer->seal("log.watermark is larger than the log");
  const auto checkpoint = read("/log/checkpoint");
  EXPECT_EQ(checkpoint.status, 503);
  EXPECT_NE(checkpoint.body.find("log.watermark is larger"), std::string::npos);
  EXPECT_EQ(read("/log/keys").status, 200);
  EXPECT_EQ(world_.send("GET", "/v1/orchestrations/" + ended.string_or("id")).status, 200);
  const std::string path = "/v1/receipts/" + ended.string_or("receipt_id");
  for (const std::string suffix : {"", "?format=cose", "?witnessed=true", "/bundle"}) {
    const auto receipt = world_.send("GET", path + suffix);
    EXPECT_EQ(receipt.status, 503) << suffix;
    EXPECT_NE(header(receipt, "Retry-After"), "") << suffix;
  }
  const auto write = world_.send("POST", "/v1/agents", "{}");
  EXPECT_EQ(write.status, 503);
  EXPECT_NE(header(write, "Retry-After"), "");
  const auto ready = world_.send("GET", "/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ApiWorld::body(ready).find("details")->string_or("part"), "log");
}

TEST_F(PublicLog, ThatIsSealedStopsTheEngineFromWhatCannotBeWritten) {
  // As the server does it: the engine is there, and is not started.
  const json::Value agent = ApiWorld::body(world_.send("POST", "/v1/agents", "{}"));
  const std::string body = R"({"agent_id":")" + agent.string_or("id") + R"(","input":{"n":1}})";
  const std::string active = ApiWorld::body(world_.send("POST", "/v1/orchestrations/execute", body))
                                 .string_or("orchestration_id");
  const Services& usual = world_.services;
  std::vector<engine::Engine::LaneExecutors> lanes;
  lanes.push_back({world_.pool.make_strand(), world_.pool.make_strand()});
  engine::Engine idle(world_.clock, world_.rng, std::move(lanes), world_.store, usual.runner,
                      world_.agents, world_.workflows, world_.children, {});
  Services services{.clock = usual.clock,
                    .rng = usual.rng,
                    .store = usual.store,
                    .log = usual.log,
                    .engine = idle,
                    .authenticator = usual.authenticator,
                    .runner = usual.runner,
                    .agents = usual.agents,
                    .workflows = usual.workflows,
                    .idempotency = usual.idempotency,
                    .metrics = usual.metrics,
                    .pool = usual.pool,
                    .options = {}};
  for (const auto& [target, text] :
       {std::pair<std::string, std::string>{"/v1/orchestrations/execute", body},
        {"/v1/orchestrations/" + active + "/cancel", ""}}) {
    const auto request = world_.request("POST", target, text);
    auto answer = serve(services, request);
    std::promise<net::Response> given;
    std::get<net::Later>(answer).start(
        net::Responder([&](std::optional<net::Response> response) { given.set_value(*response); }));
    const net::Response response = given.get_future().get();
    EXPECT_EQ(response.status, 503) << target << response.body;
    EXPECT_NE(header(response, "Retry-After"), "") << target;
  }
}

// ----------------------------------------------------------------------------------------- audit

class Audit : public Proofs {
 protected:
  std::vector<json::Value> all(const std::string& query) {
    std::vector<json::Value> out;
    std::string cursor;
    do {
      const std::string next = cursor.empty() ? "" : "&cursor=" + cursor;
      const json::Value page = get(fmt::format("/v1/audit?limit=2&{}{}", query, next));
      for (const json::Value& item : page.find("items")->as_array()) out.push_back(item);
      cursor = page.string_or("next_cursor");
    } while (!cursor.empty());
    return out;
  }
  static std::vector<std::string> texts(const std::vector<json::Value>& items,
                                        std::string_view member) {
    std::vector<std::string> out;
    out.reserve(items.size());
    for (const json::Value& item : items) out.push_back(item.string_or(member));
    return out;
  }
  void expect_opens(const json::Value& item) {
    const auto statement = provenance::decode_statement(item.string_or("statement"));
    ASSERT_TRUE(statement);
    Bytes32 salt{};
    const auto bytes = from_base64(item.find("record")->string_or("salt"));
    ASSERT_EQ(bytes->size(), salt.size());
    std::copy(bytes->begin(), bytes->end(), salt.begin());
    EXPECT_EQ(statement->record, provenance::commitment(*item.find("record")->find("value"), salt));
  }
};

TEST_F(Audit, HasEveryStatementOnceInOrderAndChained) {
  run();
  run();
  std::uint64_t number = 0;
  std::optional<Bytes32> before;
  std::set<std::string> types;
  for (const json::Value& item : all("type=all&order=asc")) {
    const std::string text = item.string_or("statement");
    const auto statement = provenance::decode_statement(text);
    ASSERT_TRUE(statement);
    EXPECT_EQ(statement->tenant_seq, ++number);
    EXPECT_EQ(item.int_or("tenant_seq", 0), static_cast<std::int64_t>(number));
    EXPECT_EQ(statement->prev, before);
    before = provenance::statement_digest(text);
    types.insert(item.string_or("type"));
    const auto receipt = world_.send("GET", "/v1/receipts/" + item.string_or("receipt_id"));
    EXPECT_EQ(verdict_of(receipt.body), Verdict::kValid) << item.string_or("type") << last_detail_;
  }
  EXPECT_EQ(types, (std::set<std::string>{"workflow.published", "run.finished"}));
  EXPECT_EQ(all("type=all&order=asc&after=2").front().int_or("tenant_seq", 0), 3);
}

TEST_F(Audit, StatesEachChangeOfAnAgentWithWhatItBecame) {
  const std::string id =
      ApiWorld::body(world_.send("POST", "/v1/agents", R"({"display_name":"first"})"))
          .string_or("id");
  world_.send("PATCH", "/v1/agents/" + id, R"({"display_name":"second"})");
  for (const std::string verb : {"suspend", "suspend", "resume", "kill", "kill"}) {
    EXPECT_EQ(world_.send("POST", "/v1/agents/" + id + "/" + verb).status, 200);
  }
  const auto items = all("type=agent.changed&order=asc");
  EXPECT_EQ(texts(items, "change"),
            (std::vector<std::string>{"created", "updated", "suspended", "resumed", "killed"}));
  EXPECT_EQ(texts(items, "status"),
            (std::vector<std::string>{"active", "active", "suspended", "active", "revoked"}));
  for (const json::Value& item : items) {
    expect_opens(item);
    EXPECT_EQ(item.string_or("id"), id);
    EXPECT_TRUE(item.string_or("actor").starts_with("key:"));
  }
  EXPECT_EQ(items[1].find("record")->find("value")->string_or("display_name"), "second");
}

TEST_F(Audit, ListsAdministrationNewestFirstAndHoldsNoSecret) {
  const json::Value made =
      ApiWorld::body(world_.send("POST", "/v1/api-keys", R"({"scopes":["*:*"],"name":"k"})"));
  world_.send("POST", "/v1/tools", R"({"name":"t","http":{"url":"https://example.com/x"}})");
  EXPECT_EQ(world_.send("DELETE", "/v1/api-keys/" + made.string_or("id")).status, 204);
  const auto items = all("");
  EXPECT_EQ(texts(items, "subject"), (std::vector<std::string>{"api_key", "tool", "api_key"}));
  EXPECT_EQ(texts(items, "change"), (std::vector<std::string>{"revoked", "created", "created"}));
  for (const json::Value& item : items) {
    expect_opens(item);
    EXPECT_EQ(json::write(item).find(made.string_or("api_key")), std::string::npos);
  }
}

TEST_F(Audit, OfATenantBeginsWithTheTenantItself) {
  auto request = world_.request("POST", "/v1/tenants", R"({"name":"new"})");
  request.headers.set("X-API-Key", world_.make_platform_key());
  const TenantId tenant{*parse_id(ApiWorld::body(world_.send(request)).string_or("tenant_id"))};
  world_.key = world_.make_key(tenant, {"audit:read", "contents:read"});
  const auto items = all("type=all");
  ASSERT_EQ(items.size(), 1U);
  EXPECT_EQ(items[0].string_or("subject"), "tenant");
  EXPECT_EQ(items[0].int_or("tenant_seq", 0), 1);
  expect_opens(items[0]);
}

TEST_F(Audit, ShowsContentsOnlyToWhoMayReadContents) {
  world_.send("POST", "/v1/agents", R"({"display_name":"XyzzyName"})");
  const auto shown =
      get_as(world_.make_key(world_.tenant, {"audit:read"}), "/v1/audit?type=agent.changed");
  EXPECT_EQ(shown.status, 200);
  EXPECT_EQ(shown.body.find("XyzzyName"), std::string::npos) << shown.body;
  EXPECT_EQ(shown.body.find("salt"), std::string::npos) << shown.body;
  const json::Value item = ApiWorld::body(shown).find("items")->as_array().at(0);
  EXPECT_NE(item.string_or("statement").find("\"record\":"), std::string::npos);
  EXPECT_EQ(
      all("type=agent.changed").at(0).find("record")->find("value")->string_or("display_name"),
      "XyzzyName");
}

TEST_F(Audit, RefusesWhatItDoesNotKnow) {
  for (const std::string query :
       {"type=run.started", "type=log.genesis", "order=up", "after=x", "cursor=", "since=1",
        "limit=0", "limit=1&limit=200", "type=all&type=agent.changed"}) {
    EXPECT_EQ(world_.send("GET", "/v1/audit?" + query).status, 400) << query;
  }
  const std::string reader = world_.make_key(world_.tenant, {"receipts:read"});
  EXPECT_EQ(get_as(reader, "/v1/audit").status, 403);
}

TEST_F(Audit, AChangeThatIsNotMadeIsNotStated) {
  const std::string body = R"({"name":"t","http":{"url":"https://example.com/x"}})";
  EXPECT_EQ(world_.send("POST", "/v1/tools", body).status, 201);
  EXPECT_EQ(world_.send("POST", "/v1/tools", body).status, 409);
  EXPECT_EQ(all("type=all").size(), 1U);
}

}  // namespace
}  // namespace avow::api
