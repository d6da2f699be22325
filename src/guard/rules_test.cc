// SPDX-License-Identifier: Apache-2.0
#include "guard/rules.h"

#include <gtest/gtest.h>

#include "json/parse.h"
#include "json/write.h"

namespace avow::guard {
namespace {

json::Value read(std::string_view text) {
  auto parsed = json::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *parsed : json::Value();
}

/// "id pointer" of each violation, then what is left: "a /x; b  => {...}".
std::string checked(std::string_view rules, std::string_view content,
                    std::string_view context = "{}", std::int64_t fuel = 1'000'000) {
  const auto compiled = Rules::compile(read(rules));
  if (!compiled) return "REFUSED " + compiled.error().message;
  const auto verdict = compiled->check(read(content), read(context), fuel);
  if (!verdict) return std::string("ERROR ") + code_name(verdict.error().code);
  EXPECT_EQ(verdict->allowed, verdict->violations.empty());
  std::string out;
  for (const Violation& violation : verdict->violations) {
    out += violation.rule_id + " " + violation.pointer + "; ";
  }
  return out + "=> " + json::write(verdict->redacted);
}

struct Row {
  const char* rules;
  const char* content;
  const char* wanted;
};

TEST(Rules, FindAndRedactByTheirType) {
  const Row rows[] = {
      {R"([{"id": "key", "type": "regex", "pattern": "AKIA[0-9A-Z]{4}"}])",
       R"("use AKIA1234 or AKIA5678")", R"(key ; => "use [REDACTED:key] or [REDACTED:key]")"},
      {R"([{"id": "key", "type": "regex", "pattern": "AKIA[0-9A-Z]{4}"}])", R"("use AKIA123")",
       R"(=> "use AKIA123")"},
      {R"([{"id": "kw", "type": "keywords", "keywords": ["Project X", "ass"]}])",
       R"(["the project x plan", "a class", "ASS"])",
       R"(kw /0; kw /2; => ["the [REDACTED:kw] plan","a class","[REDACTED:kw]"])"},
      {R"([{"id": "kw", "type": "keywords", "keywords": ["Secret"], "case_sensitive": true}])",
       R"("secret Secret Secrets")", R"(kw ; => "secret [REDACTED:kw] Secrets")"},
      {R"([{"id": "kw", "type": "keywords", "keywords": ["c++", "密"]}])", R"("C++17 秘密")",
       R"(kw ; => "[REDACTED:kw]17 秘[REDACTED:kw]")"},
      {R"([{"id": "len", "type": "max_length", "max": 3}])",
       R"({"a": "äöü", "b": "äöüx", "c": 12345})",
       R"(len /b; len /c; => {"a":"äöü","b":"[REDACTED:len]","c":"[REDACTED:len]"})"},
      {R"([{"id": "pii", "type": "pii"}])",
       R"({"card": 4111111111111111, "a@b.io": "ssn 123-45-6789", "n": 4111111111111112})",
       R"(pii /card; pii /a@b.io; pii /a@b.io; => )"
       R"({"card":"[REDACTED:pii]","[REDACTED:pii]":"ssn [REDACTED:pii]","n":4111111111111112})"},
      {R"([{"id": "pii", "type": "pii", "kinds": ["iban"]}])",
       R"("a@b.io DE89 3704 0044 0532 0130 00")", R"(pii ; => "a@b.io [REDACTED:pii]")"},
      {R"([{"id": "shape", "type": "json_schema", "schema": {"properties": {"n": {"type": "integer"}}}}])",
       R"({"n": "x", "m": 1})", R"(shape /n; => {"n":"[REDACTED:shape]","m":1})"},
      {R"([{"id": "shape", "type": "json_schema", "schema": {"required": ["n"]}}])", R"({"m": 1})",
       R"(shape ; => "[REDACTED:shape]")"},
      {R"([{"id": "rule", "type": "cel", "expression": "content.amount <= context.limit"}])",
       R"({"amount": 5})", R"(=> {"amount":5})"},
      {R"([{"id": "rule", "type": "cel", "expression": "content.amount <= context.limit"}])",
       R"({"amount": 50})", R"(rule ; => "[REDACTED:rule]")"},
      {R"([{"id": "rule", "type": "cel", "expression": "content.missing > 1"}])", "{}",
       "ERROR invalid_argument"},
      {R"([{"id": "rule", "type": "cel", "expression": "content"}])", "5",
       "ERROR invalid_argument"},
      // Overlapping finds: the first one's marker covers both.
      {R"([{"id": "a", "type": "regex", "pattern": "bcd"}, {"id": "b", "type": "regex", "pattern": "ab+"}])",
       R"("xabcdx")", R"(a ; b ; => "x[REDACTED:b]x")"},
      // Two names that become one keep both values.
      {R"([{"id": "p", "type": "regex", "pattern": "[0-9]+"}])", R"({"k1": "a", "k2": "b"})",
       R"(p /k1; p /k2; => {"k[REDACTED:p]":"a","k[REDACTED:p]#2":"b"})"},
  };
  for (const auto& [rules, content, wanted] : rows) {
    EXPECT_EQ(checked(rules, content, R"({"limit": 10})"), wanted) << rules << content;
  }
}

TEST(Rules, SayWhatTheyAreAndNeverWhatTheyFound) {
  const auto rules = Rules::compile(read(R"([
      {"id": "pii", "type": "pii", "severity": "critical"},
      {"id": "own", "type": "keywords", "keywords": ["4111"], "message": "Not this one."}])"));
  ASSERT_TRUE(rules.has_value());
  std::int64_t fuel = 1000;
  const auto verdict = rules->check("card 4111-1111-1111-1111", {}, fuel);
  ASSERT_TRUE(verdict.has_value());
  ASSERT_EQ(verdict->violations.size(), 2U);
  EXPECT_EQ(verdict->violations[0].severity, "critical");
  EXPECT_EQ(verdict->violations[0].message, "contains a payment card number");
  EXPECT_EQ(verdict->violations[1].severity, "medium");
  EXPECT_EQ(verdict->violations[1].message, "Not this one.");
  EXPECT_LT(fuel, 1000);
}

TEST(Rules, AreRefusedWithEveryFaultAtItsPlace) {
  struct FaultRow {
    const char* rules;
    std::vector<std::string> pointers;
  };
  const FaultRow rows[] = {
      {"5", {""}},
      {"[]", {""}},
      {"[5]", {"/0"}},
      {"[{}]", {"/0", "/0"}},
      {R"([{"id": "a b", "type": "max_length", "max": 1}])", {"/0/id"}},
      {R"([{"id": "a", "type": "max_length", "max": 1}, {"id": "a", "type": "pii"}])", {"/1/id"}},
      {R"([{"id": "a", "type": "magic"}])", {"/0/type"}},
      {R"([{"id": "a", "type": "pii", "severity": "huge", "message": 5, "pattern": "x"}])",
       {"/0/severity", "/0/message", "/0/pattern"}},
      {R"([{"id": "a", "type": "pii", "kinds": ["dna"]}])", {"/0/kinds"}},
      {R"([{"id": "a", "type": "regex"}])", {"/0"}},
      {R"re([{"id": "a", "type": "regex", "pattern": "(a"}])re", {"/0/pattern"}},
      {R"re([{"id": "a", "type": "regex", "pattern": "(?=a)"}])re", {"/0/pattern"}},
      {R"([{"id": "a", "type": "regex", "pattern": "a*"}])", {"/0/pattern"}},
      {R"([{"id": "a", "type": "keywords", "keywords": [""]}])", {"/0/keywords"}},
      {R"([{"id": "a", "type": "keywords", "keywords": ["x"], "case_sensitive": 1}])",
       {"/0/case_sensitive"}},
      {R"([{"id": "a", "type": "max_length", "max": -1}])", {"/0/max"}},
      {R"([{"id": "a", "type": "json_schema", "schema": {"type": "text"}}])", {"/0/schema/type"}},
      {R"([{"id": "a", "type": "cel", "expression": "content +"}])", {"/0/expression"}},
      {R"([{"id": "a", "type": "cel", "expression": "steps.a == 1"}])", {"/0/expression"}},
      {R"([{"id": "a", "type": "cel", "expression": 5}])", {"/0/expression"}},
  };
  for (const auto& [rules, pointers] : rows) {
    std::vector<RuleFault> faults;
    EXPECT_FALSE(Rules::compile(read(rules), &faults).has_value()) << rules;
    std::vector<std::string> found;
    for (const RuleFault& fault : faults) found.push_back(fault.pointer);
    EXPECT_EQ(found, pointers) << rules;
  }
  json::Array many;
  for (int i = 0; i < 101; ++i) {
    many.push_back(json::Object{{"id", std::to_string(i)}, {"type", "pii"}});
  }
  EXPECT_FALSE(Rules::compile(many).has_value());
}

TEST(Rules, AreBoundedInWorkAndContent) {
  const char* pii = R"([{"id": "p", "type": "pii"}])";
  EXPECT_EQ(checked(pii, "\"" + std::string(10'000, 'x') + "\"", "{}", 100),
            "ERROR resource_exhausted");
  const auto rules = Rules::compile(read(pii));
  ASSERT_TRUE(rules.has_value());
  std::int64_t fuel = 50'000'000;
  const auto verdict = rules->check(std::string(kContentBytesMax + 1, 'x'), {}, fuel);
  ASSERT_FALSE(verdict.has_value());
  EXPECT_EQ(verdict.error().code, Code::kResourceExhausted);
  json::Array many;
  for (int i = 0; i < 500; ++i) many.emplace_back("a@b.io");
  const auto all = rules->check(many, {}, fuel);
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->violations.size(), kViolationsMax);
  EXPECT_EQ(all->redacted.as_array()[499], json::Value("[REDACTED:p]"));
}

TEST(Rules, WithoutRulesAllowEverything) {
  std::int64_t fuel = 10;
  const auto verdict = Rules().check("x", {}, fuel);
  ASSERT_TRUE(verdict.has_value());
  EXPECT_TRUE(verdict->allowed);
  EXPECT_EQ(verdict->redacted, json::Value("x"));
}

}  // namespace
}  // namespace avow::guard
