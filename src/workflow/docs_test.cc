// SPDX-License-Identifier: Apache-2.0
// What docs/ shows must work. Run from the root of the repository, as CTest does.
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "guard/rules.h"
#include "workflow/catalog_for_tests.h"

namespace avow::workflow {
namespace {

/// The blocks fenced as JSON in a page.
std::vector<json::Value> examples_in(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path << ": run this from the root of the repository";
  std::vector<json::Value> out;
  std::optional<std::string> block;
  for (std::string line; std::getline(file, line);) {
    if (line == "```json") {
      block.emplace();
    } else if (line == "```" && block) {
      out.push_back(read(*block));
      block.reset();
    } else if (block) {
      *block += line + "\n";
    }
  }
  return out;
}

TEST(Docs, ShowDefinitionsThatAreAccepted) {
  const auto examples = examples_in("docs/workflows.md");
  EXPECT_EQ(examples.size(), 4U);
  for (const json::Value& body : examples) EXPECT_NE(normalised(body).digest, "");
}

TEST(Docs, ShowRulesThatCompile) {
  const auto examples = examples_in("docs/guardrails.md");
  EXPECT_EQ(examples.size(), 2U);
  for (const json::Value& example : examples) {
    const json::Value* rules = example.is_array() ? &example : example.find("rules");
    ASSERT_NE(rules, nullptr);
    const auto compiled = guard::Rules::compile(*rules);
    EXPECT_TRUE(compiled.has_value()) << (compiled ? "" : compiled.error().message);
  }
}

/// The codes as the sources write them, so that a new one cannot be forgotten.
TEST(Docs, ExplainEveryFaultCode) {
  std::ifstream file("docs/errors/README.md");
  std::stringstream page;
  page << file.rdbuf();
  const std::string text = page.str();
  for (const char* path : {"src/workflow/check/checker.cc", "src/workflow/check/config.cc",
                           "src/workflow/check/step.cc", "src/workflow/check/references.cc",
                           "src/workflow/check/members.cc", "src/workflow/check/names.cc",
                           "src/workflow/check/retry.cc", "src/workflow/check/config_reader.cc",
                           "src/workflow/check/dialect.cc", "src/workflow/definition.cc",
                           "src/workflow/parameters.cc", "src/workflow/template.cc"}) {
    std::ifstream source(path);
    ASSERT_TRUE(source.is_open()) << path;
    for (std::string line; std::getline(source, line);) {
      // A code is a literal of capitals and underscores.
      for (std::size_t at = line.find('"'); at != line.npos; at = line.find('"', at + 1)) {
        const std::size_t end = line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", at + 1);
        if (end == line.npos || line[end] != '"' || end - at < 6) continue;
        const std::string code = line.substr(at + 1, end - at - 1);
        EXPECT_NE(text.find("`" + code + "`"), text.npos) << code << " of " << path;
      }
    }
  }
}

}  // namespace
}  // namespace avow::workflow
