// SPDX-License-Identifier: Apache-2.0
// provenance/log_for_tests.h: a log in memory, with its keys and witnesses, and a run to put into
// it. Trees and paths are the recursive oracle's, so that they share no code with the verifier. For
// *_test.cc only.
#pragma once
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "crypto/sha256.h"
#include "json/parse.h"
#include "merkle/checkpoint.h"
#include "merkle/recursive_tree.h"
#include "provenance/entry.h"
#include "provenance/event.h"
#include "provenance/receipt.h"
#include "provenance/verify.h"

namespace avow::provenance {

inline constexpr std::string_view kTestOrigin = "log.example.com";
inline constexpr std::chrono::sys_seconds kTestWitnessed{std::chrono::seconds(1'795'000'000)};

/// How GoogleTest shows one.
// NOLINTNEXTLINE(readability-identifier-naming): the name is GoogleTest's
inline void PrintTo(Verdict verdict, std::ostream* out) { *out << verdict_name(verdict); }

inline Bytes32 filled(std::uint8_t byte) {
  Bytes32 out{};
  out.fill(byte);
  return out;
}

inline Time test_time(int second) {
  return *parse_time("2026-11-21T20:59:00.000Z") + std::chrono::seconds(second);
}

/// An id whose low 20 bits are zero.
inline Id test_id(std::uint64_t n) { return {0x0192f0c17a3b7c4dULL, n << 20 | 1ULL << 63}; }

struct TestLog {
  crypto::Ed25519PrivateKey log_key = crypto::Ed25519PrivateKey::from_seed(filled(1));
  std::vector<crypto::Ed25519PrivateKey> witnesses = {
      crypto::Ed25519PrivateKey::from_seed(filled(11)),
      crypto::Ed25519PrivateKey::from_seed(filled(12)),
      crypto::Ed25519PrivateKey::from_seed(filled(13))};
  crypto::P256PrivateKey statement_key = crypto::P256PrivateKey::generate();
  std::vector<std::string> statements;
  std::vector<std::string> entries;
  std::uint64_t keys_at = 0;  ///< Index of the statement that names the keys.

  TestLog() {
    Statement genesis = about_keys(StatementType::kLogGenesis);
    genesis.keys = {{0, {}, statement_key.public_key().spki_der()}};
    sign_keys(genesis, {&log_key, 1});
    add(encode(genesis));
  }

  [[nodiscard]] merkle::VerifierKey log_vkey() const {
    return merkle::VerifierKey::ed25519(std::string(kTestOrigin), merkle::SignatureType::kEd25519,
                                        log_key.public_key());
  }

  [[nodiscard]] Statement about_keys(StatementType type) const {
    Statement s;
    s.type = type;
    s.id = test_id(9000 + entries.size());
    s.created_at = test_time(0);
    s.nonce = filled(99);
    s.origin = kTestOrigin;
    s.log_keys = {log_vkey()};
    return s;
  }

  std::uint64_t add(std::string statement) {
    entries.push_back(encode(make_entry(statement, statement_key)));
    statements.push_back(std::move(statement));
    return entries.size() - 1;
  }

  [[nodiscard]] LoggedStatement logged(std::uint64_t index) const {
    return {statements[index], entries[index], index, merkle::oracle::path(index, entries)};
  }

  [[nodiscard]] std::string checkpoint() const {
    const merkle::Checkpoint head{std::string(kTestOrigin), entries.size(),
                                  merkle::oracle::root(entries)};
    merkle::Note note{head.text(), {}};
    note.signatures.push_back(merkle::sign_note(note.text, std::string(kTestOrigin), log_key));
    for (std::size_t i = 0; i < witnesses.size(); ++i) {
      note.signatures.push_back(
          merkle::cosign_note(note.text, witness_name(i), witnesses[i], kTestWitnessed));
    }
    return note.format();
  }

  static std::string witness_name(std::size_t i) { return "witness" + std::to_string(i); }

  /// Trusts the log's key, and asks for `threshold` of the witnesses.
  [[nodiscard]] Trust policy(std::size_t threshold) const {
    std::string text = "log " + log_vkey().text() + "\n";
    for (std::size_t i = 0; i < witnesses.size(); ++i) {
      const auto key = merkle::VerifierKey::ed25519(
          witness_name(i), merkle::SignatureType::kCosignature, witnesses[i].public_key());
      text += "witness w" + std::to_string(i) + " " + key.text() + "\n";
    }
    text += "group all " + std::to_string(threshold) + " w0 w1 w2\nquorum all\n";
    auto policy = merkle::Policy::parse(text);
    EXPECT_TRUE(policy) << policy.error().message;
    return {{}, *policy};
  }

  [[nodiscard]] Trust key_alone() const { return {{log_vkey()}, {}}; }

  [[nodiscard]] Receipt receipt(std::uint64_t index, std::uint32_t seq = 0) const {
    Receipt out;
    out.id = receipt_id(decode_statement(statements[index])->id, seq);
    out.statement = logged(index);
    out.keys = logged(keys_at);
    out.checkpoint = checkpoint();
    return out;
  }
};

/// A finished run of two steps, the second one skipped, with its contents.
struct TestRun {
  RunId id;
  TenantId tenant{test_id(2)};
  AgentId agent{test_id(3)};
  std::vector<std::string> events;
  std::vector<Content> contents;

  explicit TestRun(std::uint64_t number = 1) : id{test_id(number)} {
    const auto digest = to_hex(view_of(crypto::sha256("workflow")));
    add("run.started", "", 0,
        {{"input", *json::parse(R"({"question":"why?","user":"é"})")},
         {"parameters", json::Object()},
         {"plan", *json::parse(R"({"steps":[1,2.5]})")}},
        {{"mode", "workflow"}, {"workflow_digest", digest}});
    add("step.started", "extract", 1, {{"input", "why?"}}, {});
    add("step.completed", "extract", 1,
        {{"output", *json::parse(R"({"score":0.75,"text":"because"})")}}, {});
    add("step.skipped", "publish", 0, {}, {{"cause", "condition"}});
    add("run.completed", "", 0, {{"output", *json::parse(R"({"score":0.75,"text":"because"})")}},
        {});
  }

  void add(std::string_view type, std::string_view step, std::uint32_t attempt,
           const std::map<std::string, json::Value>& members, json::Object data) {
    Event event;
    event.run = id;
    event.seq = static_cast<std::uint32_t>(events.size() + 1);
    event.time = test_time(static_cast<int>(event.seq));
    event.type = type;
    event.step = step;
    event.attempt = attempt;
    if (event.seq == 1) event.agent = agent;
    for (const auto& [member, value] : members) {
      const ContentRef ref{event.seq, member};
      contents.push_back({ref, derive_salt(filled(7), ref), value});
      data.set(member, to_hex(view_of(commitment(value, contents.back().salt))));
    }
    event.data = std::move(data);
    events.push_back(encode(event));
  }

  [[nodiscard]] Statement statement(StatementType type = StatementType::kRunFinished) const {
    const auto first = *decode(events.front());
    Statement s;
    s.type = type;
    s.tenant = tenant;
    s.id = id.value;
    s.tenant_seq = 2;
    s.prev = filled(5);
    s.created_at = test_time(0);
    s.nonce = filled(6);
    s.status = type == StatementType::kRunFinished ? "completed" : "running";
    s.workflow_digest = crypto::sha256("workflow");
    s.plan = commitment(content(1, "plan").value, content(1, "plan").salt);
    s.agent = agent;
    s.events = static_cast<std::uint32_t>(events.size());
    s.root = merkle::oracle::root(events);
    s.started_at = first.time;
    if (type == StatementType::kRunFinished) s.completed_at = decode(events.back())->time;
    return s;
  }

  [[nodiscard]] const Content& content(std::uint32_t seq, std::string_view member) const {
    for (const Content& one : contents) {
      if (one.ref == ContentRef{seq, std::string(member)}) return one;
    }
    ADD_FAILURE() << "no content " << member << " of event " << seq;
    return contents.front();
  }

  [[nodiscard]] ProvenEvent proven(std::uint32_t seq) const {
    return {events[seq - 1], merkle::oracle::path(seq - 1, events)};
  }

  [[nodiscard]] std::vector<ContentAccount> opened() const {
    std::vector<ContentAccount> out;
    out.reserve(contents.size());
    for (const Content& one : contents) {
      out.push_back({one.ref, OpenedContent{one.salt, one.value}});
    }
    return out;
  }
};

}  // namespace avow::provenance
