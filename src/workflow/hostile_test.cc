// SPDX-License-Identifier: Apache-2.0
// Definitions and plans that nobody would write: whatever they hold, the answer is faults or a
// plan.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "json/pointer.h"
#include "workflow/catalog_for_tests.h"
#include "workflow/plan.h"

namespace avow::workflow {
namespace {

void collect_pointers(const json::Value& value, const std::string& pointer,
                      std::vector<std::string>& out) {
  out.push_back(pointer);
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.as_array().size(); ++i) {
      collect_pointers(value.as_array()[i], json::join(pointer, i), out);
    }
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      collect_pointers(member, json::join(pointer, key), out);
    }
  }
}

json::Value mutated(const json::Value& body, SeededRng& rng) {
  const std::vector<json::Value> pool = {
      nullptr,
      true,
      -1,
      0,
      101,
      json::Value::number(1e300),
      "",
      "a",
      "${{",
      "${{ steps.extract.result }}",
      "$${{ x }}",
      "${{ secrets.NOTIFY_KEY }}",
      "${{ [1, 2].map(x, x) }}",
      "\xC3\xA9 ${{ 'a'",
      "steps",
      "agent",
      "decision",
      "/",
      "~",
      json::Array(),
      json::Object(),
      json::Array{nullptr, 5, "x"},
      json::Object{{"", nullptr}, {"a/b~", json::Object()}, {"name", "x"}}};
  json::Value out = body;
  const std::size_t changes = 1 + rng.below(4);
  for (std::size_t i = 0; i < changes; ++i) {
    std::vector<std::string> pointers;
    collect_pointers(out, "", pointers);
    const std::string target = pointers[rng.below(pointers.size())];
    json::Value replacement = pool[rng.below(pool.size())];
    if (rng.below(3) == 0) replacement = *json::at(out, pointers[rng.below(pointers.size())]);
    if (rng.below(4) == 0) {  // a step or member more than once, or in another place
      const json::Value* at = json::at(out, target);
      if (at->is_object()) {
        replacement = *at;
        replacement.set(rng.below(2) == 0 ? "config" : "depends_on", pool[rng.below(pool.size())]);
      } else if (at->is_array()) {
        json::Array doubled = at->as_array();
        doubled.push_back(replacement);
        replacement = doubled;
      }
    }
    EXPECT_TRUE(json::replace(out, target, std::move(replacement)).has_value()) << target;
  }
  return out;
}

TEST(HostileInput, GivesFaultsThatPointAtWhatWasSent) {
  const json::Value dialect = read(R"({"name": "q", "steps": [
      {"action": "profile", "agent_id": "0192f0c1-7a3b-7c4d-8e5f-607182900000",
       "parameters": {"table": "${{ input.table }}"}},
      {"action": "webhook", "parameters": {"url": "https://example.com/", "body": {"a": 1}}}]})");
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    SeededRng rng(seed);
    const json::Value body = mutated(seed % 3 == 0 ? dialect : review_definition(), rng);
    const auto outcome = normalise(body, CatalogForTests());
    if (const auto* faults = std::get_if<Faults>(&outcome)) {
      ++refused;
      ASSERT_FALSE(faults->empty()) << "seed " << seed;
      for (const Fault& fault : *faults) {
        ASSERT_NE(json::at(body, fault.pointer), nullptr)
            << "seed " << seed << ": " << fault.pointer << " " << fault.code;
        ASSERT_FALSE(fault.message.empty()) << "seed " << seed;
      }
      continue;
    }
    // What is accepted normalises to itself, and can be run.
    const auto& definition = std::get<Definition>(outcome);
    ASSERT_EQ(normalised(definition.body).digest, definition.digest) << "seed " << seed;
    ASSERT_TRUE(
        Plan::compile(make_plan(definition.body, json::Object(), json::Object())).has_value())
        << "seed " << seed << json::write(definition.body);
  }
  EXPECT_GT(refused, 500U);
}

TEST(HostileInput, AsInlineStepsOrParametersGivesFaultsToo) {
  const Definition definition = normalised(review_definition());
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SeededRng rng(seed);
    const json::Value body = mutated(review_definition(), rng);
    const json::Value* steps = body.find("steps");
    const json::Value sent = json::Object{{"steps", steps == nullptr ? json::Value() : *steps}};
    auto outcome = normalise_steps(*sent.find("steps"), CatalogForTests());
    if (const auto* faults = std::get_if<Faults>(&outcome)) {
      for (const Fault& f : *faults) ASSERT_NE(json::at(sent, f.pointer), nullptr) << f.pointer;
    }
    json::Value configs = json::Object();
    for (const json::Value& step : definition.body.find("steps")->as_array()) {
      configs.set(step.string_or("name"), *step.find("config"));
    }
    const json::Value parameters = json::Object{{"parameters", mutated(configs, rng)}};
    const auto applied =
        apply_parameters(definition, *parameters.find("parameters"), CatalogForTests());
    if (const auto* faults = std::get_if<Faults>(&applied)) {
      for (const Fault& f : *faults) {
        ASSERT_NE(json::at(parameters, f.pointer), nullptr) << "seed " << seed << " " << f.pointer;
      }
    }
  }
}

// 256 KiB of nothing but mistakes, each near to something that exists.
TEST(HostileInput, OfTheLargestSizeIsJudgedWithinBounds) {
  const auto repeated = [](const std::string& element, const std::string& separator) {
    std::string out = element;
    while (out.size() < 240'000) out += separator + element;
    return out;
  };
  json::Object unknown;
  json::Object branches;
  for (int i = 0; i < 12'000; ++i) {
    unknown.set(fmt::format("depends_{}", i), 1);
    branches.set(fmt::format("labe{}", i), json::Array());
  }
  const json::Array dependencies(30'000, "stpe");
  const json::Array expressions(7'000, "${{ steps.stpe.result + inptu }}");
  const auto with = [](json::Object step) {
    step.set("name", "step");
    return json::Object{{"name", "w"}, {"steps", json::Array{std::move(step)}}};
  };
  const json::Value bodies[] = {
      with(unknown),
      with({{"type", "wait"}, {"depends_on", dependencies}}),
      with({{"type", "transform"}, {"config", json::Object{{"output", expressions}}}}),
      with({{"type", "transform"}, {"config", json::Object{{"output", repeated("${{ x }}", "")}}}}),
      with({{"type", "transform"}, {"config", json::Object{{"output", repeated("${{", " ")}}}}),
      with({{"type", "decision"},
            {"config",
             json::Object{{"cases", json::Array{read(R"({"when": "true", "then": "label"})")}},
                          {"branches", branches}}}}),
  };
  for (const json::Value& body : bodies) {
    const Faults faults = faults_of(body);
    ASSERT_FALSE(faults.empty());
    EXPECT_LE(faults.size(), kFaultsMax);
    EXPECT_NE(faults.front().code, "TOO_LARGE");
  }
}

TEST(HostileInput, AsAPlanIsRefusedOrCompiled) {
  const json::Value plan = make_plan(
      normalised(review_definition()).body,
      json::Object{{kAgentUuid, read(R"({"model": "m", "tools": ["t"]})")}}, json::Object());
  std::size_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    SeededRng rng(seed);
    const auto outcome = Plan::compile(mutated(plan, rng));
    if (outcome) continue;
    ++refused;
    ASSERT_TRUE(outcome.error().code == Code::kCorruption ||
                outcome.error().code == Code::kUnavailable)
        << "seed " << seed;
  }
  EXPECT_GT(refused, 250U);
}

}  // namespace
}  // namespace avow::workflow
