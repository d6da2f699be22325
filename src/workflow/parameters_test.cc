// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "json/pointer.h"
#include "workflow/catalog_for_tests.h"

namespace avow::workflow {
namespace {

std::variant<Overrides, Faults> applied(const Definition& definition, std::string_view parameters) {
  return apply_parameters(definition, read(parameters), CatalogForTests());
}

std::multiset<std::string> fault_codes(const Definition& definition, std::string_view parameters) {
  const auto outcome = applied(definition, parameters);
  const auto* faults = std::get_if<Faults>(&outcome);
  return faults == nullptr ? std::multiset<std::string>() : codes(*faults);
}

using Codes = std::multiset<std::string>;

TEST(ApplyParameters, MergesOverAStepsConfig) {
  const Definition definition = normalised(review_definition());
  const auto outcome =
      applied(definition, R"({"known": {"arguments": {"limit": null, "country": "CH"}},
                                               "cool_down": {"seconds": 5}, "language": "fr"})");
  ASSERT_TRUE(std::holds_alternative<Overrides>(outcome))
      << shown_faults(std::get<Faults>(outcome));
  const auto& overrides = std::get<Overrides>(outcome);
  EXPECT_EQ(*json::at(overrides.definition, "/steps/2/config/arguments"),
            read(R"({"name": "${{ steps.extract.result.json.name }}", "country": "CH"})"));
  EXPECT_EQ(*json::at(overrides.definition, "/steps/5/config/seconds"), json::Value(5));
  EXPECT_EQ(overrides.parameters, read(R"({"threshold": 0.7, "language": "fr"})"));
  EXPECT_TRUE(overrides.changed_steps);
  // The definition itself stays as it was.
  EXPECT_EQ(normalised(definition.body).digest, definition.digest);
}

TEST(ApplyParameters, WithoutOverridesChangesNothing) {
  const Definition definition = normalised(review_definition());
  for (const char* parameters : {"{}", "null", R"({"threshold": 0.2})"}) {
    const auto outcome = applied(definition, parameters);
    ASSERT_TRUE(std::holds_alternative<Overrides>(outcome)) << parameters;
    EXPECT_EQ(std::get<Overrides>(outcome).definition, definition.body);
    EXPECT_FALSE(std::get<Overrides>(outcome).changed_steps);
  }
}

TEST(ApplyParameters, TakesAnOverrideAsLiteralText) {
  const Definition definition = normalised(review_definition());
  const auto outcome =
      applied(definition, R"({"known": {"arguments": {"name": "${{ secrets.NOTIFY_KEY }}"}}})");
  ASSERT_TRUE(std::holds_alternative<Overrides>(outcome));
  EXPECT_EQ(*json::at(std::get<Overrides>(outcome).definition, "/steps/2/config/arguments/name"),
            json::Value("$${{ secrets.NOTIFY_KEY }}"));
}

TEST(ApplyParameters, RefusesWhatOnlyTheDefinitionMaySet) {
  const Definition definition = normalised(review_definition());
  struct Row {
    const char* parameters;
    Codes wanted;
  };
  const Row rows[] = {
      {R"({"tell": {"url": "https://evil.example"}})", {"/parameters/tell/url OVERRIDE_FORBIDDEN"}},
      {R"({"tell": {"url": null}})", {"/parameters/tell/url OVERRIDE_FORBIDDEN"}},
      {R"({"tell": {"headers": {"X-Team": "b"}, "method": "PUT"}})",
       {"/parameters/tell/headers/X-Team OVERRIDE_FORBIDDEN",
        "/parameters/tell/method OVERRIDE_FORBIDDEN"}},
      {R"({"tell": {"headers": {}}})", {"/parameters/tell/headers OVERRIDE_FORBIDDEN"}},
      {R"({"tell": {"body": {"note": "x"}}})", {}},
      {R"({"known": {"tool": "file_report"}})", {"/parameters/known/tool OVERRIDE_FORBIDDEN"}},
      {R"({"extract": {"system": "x", "tools": [], "model": "avow/echo"}})",
       {"/parameters/extract/system OVERRIDE_FORBIDDEN",
        "/parameters/extract/tools OVERRIDE_FORBIDDEN"}},
      {R"({"screen": {"on_violation": "flag"}})",
       {"/parameters/screen/on_violation OVERRIDE_FORBIDDEN"}},
      {R"({"decide": {"default": "accept"}})", {"/parameters/decide/default OVERRIDE_FORBIDDEN"}},
      {R"({"tell": 5})", {"/parameters/tell WRONG_TYPE"}},
      {R"({"cool_down": {"seconds": -1}})", {"/parameters/cool_down/seconds OUT_OF_RANGE"}},
      {R"({"cool_down": {"secs": 1}})", {"/parameters/cool_down/secs UNKNOWN_FIELD"}},
      {R"({"cool_down": {"seconds": null}})", {"/parameters/cool_down MISSING_FIELD"}},
      {R"({"extract": {"model": "none"}})", {"/parameters/extract/model UNKNOWN_MODEL"}},
      {R"({"extract": {"temperature": "${{ 1 }}"}})",
       {"/parameters/extract/temperature WRONG_TYPE"}},
      {R"({"extract": {"prompt": null, "messages": [{"role": "user", "content": "a"},
           {"role": "system", "content": "b"}]}})",
       {"/parameters/extract/messages/1/role OVERRIDE_FORBIDDEN"}},
      {R"({"thresold": 1, "a/b": 2})",
       {"/parameters/thresold UNDECLARED_PARAMETER", "/parameters/a~1b UNDECLARED_PARAMETER"}},
  };
  for (const auto& [parameters, wanted] : rows) {
    EXPECT_EQ(fault_codes(definition, parameters), wanted) << parameters;
  }
  EXPECT_EQ(fault_codes(definition, "[]"), Codes{"/parameters WRONG_TYPE"});
}

TEST(ApplyParameters, RefusesMembersThatUseASecretAndWhatContainsThem) {
  const Definition definition = normalised(read(R"({"name": "w", "steps": [
      {"name": "call", "type": "tool_call", "config": {"tool": "search_cases",
       "arguments": {"auth": {"key": "${{ secrets.NOTIFY_KEY }}"}, "q": "x"}}}]})"));
  const auto leaf = [&](const char* parameters) { return fault_codes(definition, parameters); };
  EXPECT_EQ(leaf(R"({"call": {"arguments": {"auth": {"key": "mine"}}}})"),
            Codes{"/parameters/call/arguments/auth/key OVERRIDE_FORBIDDEN"});
  EXPECT_EQ(leaf(R"({"call": {"arguments": {"auth": {"key": {"x": 1}}}}})"),
            Codes{"/parameters/call/arguments/auth/key/x OVERRIDE_FORBIDDEN"});
  EXPECT_EQ(leaf(R"({"call": {"arguments": {"auth": null}}})"),
            Codes{"/parameters/call/arguments/auth OVERRIDE_FORBIDDEN"});
  EXPECT_EQ(leaf(R"({"call": {"arguments": null}})"),
            Codes{"/parameters/call/arguments OVERRIDE_FORBIDDEN"});
  EXPECT_EQ(leaf(R"({"call": {"arguments": {"q": "y", "auth": {"more": 1}}}})"), Codes{});
}

TEST(ApplyParameters, AllowsWhatTheStepLists) {
  json::Value body = review_definition();
  body.mutable_object().find("steps")->mutable_array()[4].set(
      "overridable", read(R"(["/url", "/headers/X-Team"])"));
  const Definition definition = normalised(body);
  EXPECT_EQ(fault_codes(definition,
                        R"({"tell": {"url": "https://b.example/", "headers": {"X-Team": "b"}}})"),
            Codes{});
  EXPECT_EQ(fault_codes(definition, R"({"tell": {"url": "ftp://b.example/"}})"),
            Codes{"/parameters/tell/url BAD_URL"});
  EXPECT_EQ(fault_codes(definition, R"({"tell": {"headers": {"X-Tea": "b"}}})"),
            Codes{"/parameters/tell/headers/X-Tea OVERRIDE_FORBIDDEN"});
}

TEST(ApplyParameters, OfADefinitionWithoutParametersTakesEveryName) {
  const Definition definition = normalised(read(R"({"name": "w", "steps": [
      {"name": "a", "type": "wait", "config": {"seconds": 1}}]})"));
  const auto outcome = applied(definition, R"({"anything": [1, null], "a": {"seconds": 500}})");
  ASSERT_TRUE(std::holds_alternative<Overrides>(outcome));
  EXPECT_EQ(std::get<Overrides>(outcome).parameters, read(R"({"anything": [1, null]})"));
  EXPECT_TRUE(std::get<Overrides>(outcome).needs_timeout);
}

TEST(ApplyParameters, WorksOnInlineSteps) {
  auto inline_steps = normalise_steps(read(R"([{"action": "collect", "parameters": {"q": 1}}])"),
                                      CatalogForTests());
  ASSERT_TRUE(std::holds_alternative<Definition>(inline_steps));
  const auto outcome = applied(std::get<Definition>(inline_steps),
                               R"({"step_1": {"parameters": {"q": 2}}, "x": 1})");
  ASSERT_TRUE(std::holds_alternative<Overrides>(outcome));
  EXPECT_EQ(*json::at(std::get<Overrides>(outcome).definition, "/steps/0/config/parameters/q"),
            json::Value(2));
  EXPECT_EQ(std::get<Overrides>(outcome).definition.find("version"), nullptr);
  EXPECT_FALSE(std::get<Overrides>(outcome).needs_timeout);

  inline_steps = normalise_steps(read(R"([{"action": "wait", "parameters": {"seconds": 900}}])"),
                                 CatalogForTests());
  const auto unchanged = applied(std::get<Definition>(inline_steps), "{}");
  EXPECT_TRUE(std::get<Overrides>(unchanged).needs_timeout);
  const auto shorter = applied(std::get<Definition>(inline_steps), R"({"step_1": {"seconds": 9}})");
  EXPECT_FALSE(std::get<Overrides>(shorter).needs_timeout);
}

TEST(ApplyParameters, ChoosesNoWorkflowForAStepThatStartsOne) {
  const Definition definition = normalised(read(R"({"name": "w", "steps": [
      {"name": "a", "type": "orchestration", "config": {"workflow": "x", "version": "1.0.0"}},
      {"name": "b", "type": "orchestration", "config": {"workflow": "x"},
       "overridable": ["/workflow"]}]})"));
  EXPECT_EQ(fault_codes(definition, R"({"a": {"workflow": "y", "version": "2.0.0"}})"),
            (Codes{"/parameters/a/workflow OVERRIDE_FORBIDDEN",
                   "/parameters/a/version OVERRIDE_FORBIDDEN"}));
  EXPECT_EQ(fault_codes(definition, R"({"a": {"input": {"n": 1}}, "b": {"workflow": "y"}})"),
            Codes{});
}

}  // namespace
}  // namespace avow::workflow
