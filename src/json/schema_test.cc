// SPDX-License-Identifier: Apache-2.0
#include "json/schema.h"

#include <gtest/gtest.h>

#include "json/parse.h"
#include "json/write.h"
#include "testing/conformance.h"

namespace avow::json {
namespace {

Value parsed(std::string_view text) {
  auto value = parse(text);
  EXPECT_TRUE(value) << text << ": " << value.error().message;
  return value ? *value : Value();
}

Schema compiled(std::string_view text, const SchemaOptions& options = {}) {
  auto schema = Schema::compile(parsed(text), options);
  EXPECT_TRUE(schema) << text << ": " << schema.error().message;
  return schema ? *schema : *Schema::compile(true);
}

std::vector<SchemaFault> faults_of(const Schema& schema, std::string_view instance) {
  auto faults = schema.validate(parsed(instance));
  EXPECT_TRUE(faults) << instance << ": " << faults.error().message;
  return faults ? *faults : std::vector<SchemaFault>();
}

bool accepts(const Schema& schema, std::string_view instance) {
  return faults_of(schema, instance).empty();
}

TEST(Schema, AFaultNamesThePlaceAndTheKeyword) {
  const Schema schema = compiled(R"({
    "type": "object", "required": ["id"], "additionalProperties": false,
    "properties": {"id": {"type": "string", "minLength": 2},
                   "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": true}}})");
  const auto faults = faults_of(schema, R"({"tags": ["a", "c", "a"], "x/y": 1})");
  std::vector<std::string> seen;
  for (const SchemaFault& fault : faults) seen.push_back(fault.pointer + " " + fault.keyword);
  EXPECT_EQ(seen, (std::vector<std::string>{" required", "/tags/1 enum", "/tags uniqueItems",
                                            "/x~1y additionalProperties"}));
  EXPECT_EQ(faults[0].message, "\"id\" is required");
  EXPECT_EQ(faults_of(compiled("false"), "1").at(0).keyword, "");
}

TEST(Schema, FaultsAreBounded) {
  const Schema schema = compiled(R"({"items": {"type": "string"}})", {.faults_max = 3});
  EXPECT_EQ(faults_of(schema, "[1,2,3,4,5,6]").size(), 3U);
}

TEST(Schema, WhatIsNoSchemaIsRefusedWithItsPlace) {
  struct Case {
    const char* schema;
    const char* pointer;
  };
  const Case cases[] = {
      {"1", ""},
      {R"({"type":"text"})", "/type"},
      {R"({"type":["string","string"]})", "/type"},
      {R"({"properties":{"a":{"minLength":-1}}})", "/properties/a/minLength"},
      {R"({"properties":{"a":1}})", "/properties/a"},
      {R"({"$defs":{"unused":{"required":"a"}}})", "/$defs/unused/required"},
      {R"-({"allOf":[true,{"pattern":"(?=a)"}]})-", "/allOf/1/pattern"},
      {R"({"allOf":[]})", "/allOf"},
      {R"({"multipleOf":0})", "/multipleOf"},
      {R"({"$ref":"#/$defs/absent"})", "/$ref"},
      {R"({"items":{"$ref":"http://example.com/elsewhere"}})", "/items/$ref"},
      {R"({"$schema":"http://json-schema.org/draft-07/schema#"})", "/$schema"},
      {R"({"$id":"http://example.com/a#b"})", "/$id"},
      {R"({"$anchor":"a b"})", "/$anchor"},
      {R"({"patternProperties":{"[":true}})", "/patternProperties"},
  };
  for (const Case& c : cases) {
    std::vector<SchemaFault> faults;
    const auto schema = Schema::compile(parsed(c.schema), {}, &faults);
    ASSERT_FALSE(schema) << c.schema;
    EXPECT_EQ(schema.error().code, Code::kInvalidArgument);
    ASSERT_EQ(faults.size(), 1U) << c.schema;
    EXPECT_EQ(faults[0].pointer, c.pointer) << c.schema << ": " << faults[0].message;
  }
}

TEST(Schema, AReferenceMayNameAPlaceThatNoKeywordHolds) {
  const Schema schema = compiled(R"({
    "x-types": {"a/b": [true, {"k": {"$ref": "#/x-types/a~1b/1/n"}, "n": {"type": "null"}}]},
    "properties": {"p": {"$ref": "#/x-types/a~1b/1/k"}, "q": {"$ref": "#/x-types/a~1b/0"},
                   "r": {"$ref": "#/properties/s"}, "s": {"type": "string"}}})");
  EXPECT_TRUE(accepts(schema, R"({"p": null, "q": 1, "r": "1"})"));
  EXPECT_FALSE(accepts(schema, R"({"p": 1})"));
  EXPECT_FALSE(accepts(schema, R"({"r": 1})"));
  std::vector<SchemaFault> faults;
  EXPECT_FALSE(
      Schema::compile(parsed(R"({"$ref":"#/x/a~1b/0","x":{"a/b":[{"type":1}]}})"), {}, &faults));
  EXPECT_EQ(faults.at(0).pointer, "/x/a~1b/0/type");
}

TEST(Schema, ASchemaThatNeverEndsIsAnError) {
  for (const char* text :
       {R"({"$ref":"#"})", R"({"$dynamicRef":"#"})", R"({"allOf":[{"$ref":"#"}]})",
        R"({"not":{"$ref":"#"}})", R"({"anyOf":[{"$ref":"#"},{"$ref":"#"}]})",
        R"({"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"})",
        R"({"unevaluatedProperties":{"$ref":"#"},"if":{"$ref":"#"}})"}) {
    const auto faults = compiled(text).validate(Object{{"a", 1}});
    ASSERT_FALSE(faults) << text;
    EXPECT_EQ(faults.error().code, Code::kResourceExhausted) << text;
  }
}

TEST(Schema, WorkIsBounded) {
  // Each level asks the next one twice: 2^40 checks.
  std::string doubling = R"({"$defs":{"d0":{"type":"string"})";
  for (int i = 1; i <= 40; ++i) {
    doubling +=
        fmt::format(R"(,"d{}":{{"oneOf":[{{"$ref":"#/$defs/d{}"}},{{"$ref":"#/$defs/d{}"}}]}})", i,
                    i - 1, i - 1);
  }
  const auto faults = compiled(doubling + R"(},"$ref":"#/$defs/d40"})").validate(1);
  ASSERT_FALSE(faults);
  EXPECT_EQ(faults.error().code, Code::kResourceExhausted);

  const Value long_text = std::string(1'000'000, 'a');
  const Schema pattern = compiled(R"({"pattern":"(a|aa)+$"})");
  EXPECT_TRUE(pattern.validate(long_text));
  EXPECT_FALSE(compiled(R"({"pattern":"(a|aa)+$"})", {.fuel = 1000}).validate(long_text));
}

TEST(Schema, AChainOfReferencesOrAWideSchemaExhaustsNoStack) {
  Object definitions;
  for (int i = 0; i < 20'000; ++i) {
    definitions.add(std::to_string(i), Object{{"$ref", fmt::format("#/$defs/{}", i + 1)}});
  }
  definitions.add("20000", true);
  const auto schema = Schema::compile(Object{{"$defs", definitions}, {"$ref", "#/$defs/0"}});
  ASSERT_TRUE(schema);
  EXPECT_FALSE(schema->validate(1));

  Array many(200'000, Object{{"type", "string"}});
  for (std::size_t i = 0; i < many.size(); ++i) many[i].set("minLength", i);  // shared no more
  EXPECT_FALSE(Schema::compile(Object{{"allOf", many}}));
}

TEST(Schema, PatternsOfHugeSizeAreRefused) {
  EXPECT_FALSE(Schema::compile(Object{{"pattern", "((a{100}){100}){100}"}}));
  Array many;
  for (int i = 0; i < 5000; ++i)
    many.push_back(Object{{"pattern", fmt::format("(abc|{}){{300}}", i)}});
  EXPECT_FALSE(Schema::compile(Object{{"allOf", many}}));
}

TEST(Schema, MultiplesAreThoseOfDecimals) {
  EXPECT_TRUE(accepts(compiled(R"({"multipleOf":0.1})"), "0.3"));
  EXPECT_TRUE(accepts(compiled(R"({"multipleOf":0.01})"), "19.99"));
  EXPECT_FALSE(accepts(compiled(R"({"multipleOf":0.01})"), "19.995"));
  EXPECT_TRUE(accepts(compiled(R"({"multipleOf":1e-8})"), "12391239123"));
  EXPECT_FALSE(accepts(compiled(R"({"type":"integer","multipleOf":0.123456789})"), "1e308"));
  EXPECT_TRUE(accepts(compiled(R"({"multipleOf":0.5})"), "1e308"));
  EXPECT_FALSE(accepts(compiled(R"({"multipleOf":100})"), "50"));
  EXPECT_TRUE(accepts(compiled(R"({"multipleOf":100})"), "-300"));
  EXPECT_TRUE(accepts(compiled(R"({"multipleOf":5e-324})"), "1e308"));
}

TEST(Schema, MetaschemaTellsSchemasFromOthers) {
  const Schema metaschema = compiled(R"({"$ref":"https://json-schema.org/draft/2020-12/schema"})");
  EXPECT_TRUE(accepts(metaschema, R"({"properties":{"a":{"type":"string"}}})"));
  EXPECT_FALSE(accepts(metaschema, R"({"properties":{"a":{"type":"text"}}})"));
  EXPECT_FALSE(accepts(metaschema, R"({"allOf":[{"items":{"minimum":"1"}}]})"));
}

TEST(Schema, ACompiledSchemaOutlivesWhatItWasMadeFrom) {
  auto schema = [] {
    auto text = std::make_unique<Value>(parsed(R"({"properties":{"a":{"const":[1,"x"]}}})"));
    return *Schema::compile(*text);
  }();
  EXPECT_TRUE(accepts(schema, R"({"a":[1,"x"]})"));
  EXPECT_FALSE(accepts(schema, R"({"a":[1,"y"]})"));
}

/// The suite's remote documents under the URIs that its schemas use.
std::map<std::string, Value, std::less<>> remotes_of(const std::filesystem::path& folder) {
  std::map<std::string, Value, std::less<>> remotes;
  const auto root = folder / "remotes";
  if (!std::filesystem::is_directory(root)) return remotes;
  for (const auto& file : testing::files_of(root, ".json")) {
    remotes.emplace("http://localhost:1234/draft2020-12/" +
                        std::filesystem::relative(file, root).generic_string(),
                    parsed(testing::read_file(file)));
  }
  return remotes;
}

TEST(SchemaConformance, DecidesEveryCaseAsTheSuiteDoes) {
  const auto folder = testing::conformance_dir("json-schema");
  if (!folder) GTEST_SKIP() << testing::kNoConformance;
  const auto remotes = remotes_of(*folder);
  SchemaOptions options;
  options.registered = [&](std::string_view uri) {
    const auto found = remotes.find(uri);
    return found == remotes.end() ? nullptr : &found->second;
  };
  for (const auto& file : testing::files_of(*folder, ".jsonl")) {
    for (const std::string& line : testing::lines_of(file)) {
      const Value group = parsed(line);
      const std::string name = group.string_or("file") + ": " + group.string_or("description");
      ASSERT_TRUE(group.find("schema") != nullptr && group.find("tests") != nullptr) << name;
      const auto schema = Schema::compile(*group.find("schema"), options);
      EXPECT_TRUE(schema) << name << ": " << schema.error().message;
      if (!schema) continue;
      for (const Value& test : group.find("tests")->as_array()) {
        const auto faults = schema->validate(*test.find("data"));
        ASSERT_TRUE(faults) << name << ": " << faults.error().message;
        EXPECT_EQ(faults->empty(), test.bool_or("valid", false))
            << name << ": " << test.string_or("description")
            << (faults->empty() ? ""
                                : ": " + faults->front().pointer + " " + faults->front().message);
      }
    }
  }
}

}  // namespace
}  // namespace avow::json
