// SPDX-License-Identifier: Apache-2.0
#include "provenance/receipt.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "json/write.h"
#include "provenance/log_for_tests.h"

namespace avow::provenance {
namespace {

class AReceipt : public ::testing::Test {
 protected:
  AReceipt() {
    const auto at = log_.add(encode(run_.statement()));
    step_ = log_.receipt(at, 3);
    step_.events = {run_.proven(2), run_.proven(3)};
    bundle_ = log_.receipt(at);
    bundle_.journal = run_.events;
    bundle_.contents = run_.opened();
    const Content& output = run_.content(3, "output");
    bundle_.contents[4].shown =
        *disclose(output.value, output.salt, std::vector<std::string>{"text", "score"});
    bundle_.contents[1].shown = Withheld::kFromReader;
    bundle_.contents[0].shown = Withheld::kErased;
    bundle_.erasures = {log_.logged(0)};
  }

  /// The code of the error with which `kind` is refused after `change`.
  template <class Change>
  static std::optional<Code> refusal(const Receipt& receipt, const Change& change) {
    json::Value value = *json::parse(encode(receipt));
    change(value.mutable_object());
    const auto decoded = decode_receipt(json::write(value));
    return decoded ? std::nullopt : std::optional(decoded.error().code);
  }

  TestLog log_;
  TestRun run_;
  Receipt step_;
  Receipt bundle_;
};

TEST_F(AReceipt, ComesBackFromItsText) {
  for (const Receipt& receipt : {step_, bundle_}) {
    const std::string text = encode(receipt);
    const auto back = decode_receipt(text);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->id, receipt.id);
    EXPECT_EQ(back->statement, receipt.statement);
    EXPECT_EQ(back->keys, receipt.keys);
    EXPECT_EQ(back->checkpoint, receipt.checkpoint);
    EXPECT_EQ(back->events, receipt.events);
    EXPECT_EQ(back->journal, receipt.journal);
    EXPECT_EQ(back->contents.size(), receipt.contents.size());
    EXPECT_EQ(back->erasures, receipt.erasures);
    EXPECT_EQ(encode(*back), text);
  }
}

TEST_F(AReceipt, MayBeSpelledWithOtherWhiteSpaceAndOrder) {
  json::Object reversed;
  const json::Value value = *json::parse(encode(bundle_));
  std::vector<json::Member> members(value.as_object().begin(), value.as_object().end());
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    reversed.set(member->key, member->value);
  }
  const auto back = decode_receipt(json::write_pretty(std::move(reversed)));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(encode(*back), encode(bundle_));
}

TEST_F(AReceipt, NamesItsStatementAndTheEventThatEndedItsStep) {
  EXPECT_EQ(statement_of(step_.id), run_.id.value);
  EXPECT_EQ(seq_of(step_.id), 3U);
  EXPECT_EQ(seq_of(receipt_id(run_.id.value, (1 << 20) - 1)), (1U << 20) - 1);
}

TEST_F(AReceipt, WithoutOneOfItsMembersIsCorruptUnlessItIsAnEmptyList) {
  const json::Value whole = *json::parse(encode(bundle_));
  for (const auto& member : whole.as_object()) {
    const bool may = member.key == "contents" || member.key == "erasures";
    EXPECT_EQ(refusal(bundle_, [&](json::Object& o) { o.erase(member.key); }),
              may ? std::nullopt : std::optional(Code::kCorruption))
        << member.key;
    EXPECT_EQ(refusal(bundle_, [&](json::Object& o) { o.set(member.key, nullptr); }),
              Code::kCorruption)
        << member.key;
  }
}

TEST_F(AReceipt, OfAnotherFormIsCorrupt) {
  using json::Object;
  const auto content = [](Object& o, std::string_view name, json::Value value) {
    o.find("contents")->mutable_array()[2].set(name, std::move(value));
  };
  const std::vector<std::function<void(Object&)>> changes = {
      [](Object& o) { o.set("more", 1); },
      [](Object& o) { o.set("kind", "Bundle"); },
      [](Object& o) { o.set("kind", "receipt"); },  // which has no journal
      [](Object& o) { o.set("events", json::Array()); },
      [](Object& o) { o.set("contents", json::Array()); },
      [](Object& o) { o.set("v", 0); },
      [](Object& o) { o.set("v", "1"); },
      [](Object& o) { o.set("id", o.find("id")->as_string().substr(5)); },
      [](Object& o) { o.set("id", o.find("id")->as_string() + "0"); },
      [](Object& o) { o.find("statement")->set("index", -1); },
      [](Object& o) { o.find("statement")->set("index", json::Value::number(0.5)); },
      [](Object& o) { o.find("statement")->set("path", json::Array{"AAAA"}); },
      [](Object& o) { o.find("statement")->set("more", 1); },
      [](Object& o) { o.set("journal", json::Array{1}); },
      [&](Object& o) { content(o, "withheld", "erased"); },
      [&](Object& o) { content(o, "seq", -1); },
      [&](Object& o) { content(o, "seq", 4294967296); },
      [&](Object& o) { content(o, "salt", "AAAA"); },
      [](Object& o) { o.find("contents")->mutable_array()[0].set("withheld", "lost"); },
      [](Object& o) { o.find("contents")->mutable_array()[0] = json::Value(1); },
      [](Object& o) {
        o.find("contents")->mutable_array()[4].mutable_object().find("disclosed")->set("mask", "");
      },
      [](Object& o) {
        o.find("contents")
            ->mutable_array()[4]
            .mutable_object()
            .find("disclosed")
            ->set("members", json::Array{json::Array{"s", "k"}});
      },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(refusal(bundle_, changes[i]), Code::kCorruption) << i;
  }
  for (const char* text : {"", "[]", "1", "{}", "{\"v\":1}"}) {
    EXPECT_EQ(decode_receipt(text).error().code, Code::kCorruption) << text;
  }
}

// Each costs a verifier as much as the file's own statement.
TEST_F(AReceipt, WithAnErasureTwiceOrOutOfOrderOrWithTooManyIsCorrupt) {
  const auto with = [this](const std::vector<std::uint64_t>& indexes) {
    Receipt receipt = bundle_;
    receipt.erasures.clear();
    for (const std::uint64_t index : indexes) {
      receipt.erasures.push_back(log_.logged(0));
      receipt.erasures.back().index = index;
    }
    const auto decoded = decode_receipt(encode(receipt));
    return decoded ? std::nullopt : std::optional(decoded.error().code);
  };
  EXPECT_EQ(with({0, 1, 2}), std::nullopt);
  EXPECT_EQ(with({1, 1}), Code::kCorruption);
  EXPECT_EQ(with({2, 1}), Code::kCorruption);
  std::vector<std::uint64_t> most(kErasuresMax);
  std::iota(most.begin(), most.end(), 0);
  EXPECT_EQ(with(most), std::nullopt);
  most.push_back(kErasuresMax);
  EXPECT_EQ(with(most), Code::kCorruption);
}

TEST_F(AReceipt, OfANewerVersionIsNotGuessedAt) {
  EXPECT_EQ(refusal(step_, [](json::Object& o) { o.set("v", 2); }), Code::kUnavailable);
}

TEST_F(AReceipt, LongerThanAllowedIsRefusedUnread) {
  const std::string text = encode(step_);
  EXPECT_TRUE(decode_receipt(text, text.size()));
  EXPECT_EQ(decode_receipt(text, text.size() - 1).error().code, Code::kResourceExhausted);
}

TEST_F(AReceipt, ThatNestsWithoutEndIsCorruptAndNoMore) {
  const std::string deep(500'000, '[');
  EXPECT_EQ(decode_receipt(deep).error().code, Code::kCorruption);
  EXPECT_EQ(decode_receipt("{\"v\":" + deep).error().code, Code::kCorruption);
}

TEST_F(AReceipt, KeepsAContentThatIsAsDeepAsContentsMayBe) {
  json::Value value = 1;
  for (int i = 0; i < 1024; ++i) value = json::Array{value};
  bundle_.contents[2].shown = OpenedContent{filled(1), value};
  const auto back = decode_receipt(encode(bundle_));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(std::get<OpenedContent>(back->contents[2].shown).value, value);
}

}  // namespace
}  // namespace avow::provenance
