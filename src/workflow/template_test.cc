// SPDX-License-Identifier: Apache-2.0
#include "workflow/template.h"

#include <gtest/gtest.h>

#include "json/parse.h"
#include "json/write.h"
#include "workflow/segments.h"

namespace avow::workflow {
namespace {

json::Value read(std::string_view text) {
  auto parsed = json::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *parsed : json::Value();
}

/// Names from the members of one object.
class DataEnvironment : public cel::Environment {
 public:
  explicit DataEnvironment(json::Value data) : data_(std::move(data)) {}
  const json::Value* find(std::string_view root, std::span<const std::string> /*path*/,
                          std::size_t& used) const override {
    used = 0;
    return data_.find(root);
  }

 private:
  json::Value data_;
};

struct Outcome {
  std::string
      value;  ///< Canonical JSON, or "FAULT <pointer> <code> <line>:<column>", or "ERROR ..."
  std::vector<SecretUse> secrets;
};

Outcome rendered(const json::Value& tree, const json::Value& data, bool may_use_secrets = false) {
  Faults faults;
  const Template compiled = Template::compile(tree, "/config", may_use_secrets, faults);
  if (!faults.empty()) {
    const Fault& f = faults.front();
    return {fmt::format("FAULT {} {} {}:{}", f.pointer, f.code, f.line, f.column), {}};
  }
  std::int64_t fuel = cel::kFuelMax;
  auto outcome = compiled.render(DataEnvironment(data), fuel);
  if (auto* error = std::get_if<cel::EvalError>(&outcome)) {
    return {error->kind == cel::EvalError::Kind::kLimit ? "ERROR limit" : "ERROR error", {}};
  }
  auto& value = std::get<Rendered>(outcome);
  EXPECT_LE(fuel, cel::kFuelMax);
  return {json::write_canonical(value.value), value.secrets};
}

struct Row {
  const char* tree;
  const char* wanted;
};

TEST(Template, RendersWholeStringsWithTheirTypeAndInterpolatesInText) {
  const json::Value data = read(R"({"input": {"n": 5, "s": "text", "d": 1.5, "b": true, "z": null,
      "list": [1, "a"], "map": {"k": {"l": 2}}}})");
  const Row rows[] = {
      {R"("${{ input.n }}")", "5"},
      {R"("${{input.n}}")", "5"},
      {R"("${{ input.s }}")", R"("text")"},
      {R"("${{ input.z }}")", "null"},
      {R"("${{ input.list }}")", R"([1,"a"])"},
      {R"("${{ input.map }}")", R"({"k":{"l":2}})"},
      {R"(" ${{ input.n }}")", R"(" 5")"},
      {R"("${{ input.n }}${{ input.s }}")", R"("5text")"},
      {R"("n=${{ input.n }} d=${{ input.d }} b=${{ input.b }} z=${{ input.z }} m=${{ input.map }}")",
       R"("n=5 d=1.5 b=true z=null m={\"k\":{\"l\":2}}")"},
      {R"({"a": ["${{ input.n }}", {"b": "${{ input.s }}"}], "c": 1})",
       R"({"a":[5,{"b":"text"}],"c":1})"},
      {R"({"${{ input.s }}": 1})", R"({"${{ input.s }}":1})"},  // names are names
      {R"("plain $ {{ }} $x")", R"("plain $ {{ }} $x")"},
      {R"("")", R"("")"},
      {R"([])", "[]"},
      {R"({})", "{}"},
      {R"(null)", "null"},
  };
  for (const auto& [tree, wanted] : rows)
    EXPECT_EQ(rendered(read(tree), data).value, wanted) << tree;
}

TEST(Template, EndsAnExpressionWhereCelDoes) {
  const json::Value data = read(R"({"input": {"n": 5}})");
  const Row rows[] = {
      {R"("${{ '}}' }}")", R"("}}")"},
      {R"("${{ \"}}\" }}")", R"("}}")"},
      {R"("${{ 'a\\'}}' }}")", R"("a'}}")"},
      {R"("${{ r'\\d\\'}}' }}")", R"("\\d\\'}}")"},
      {R"("${{ '''it's }} ''' }}")", R"("it's }} ")"},
      {R"("${{ {'a': {'b': 1}} }}")", R"({"a":{"b":1}})"},
      {R"("${{ {'a': {'b': 1}}}}")", R"({"a":{"b":1}})"},
      {R"("${{ {'}}': 1}['}}'] }}")", "1"},
      {R"("${{ 'a//b' }}")", R"("a//b")"},
      {"\"${{ 1 // }} it's\\n + 1 }}\"", "2"},
      {R"("${{ input.n }} }}")", R"("5 }}")"},
  };
  for (const auto& [tree, wanted] : rows)
    EXPECT_EQ(rendered(read(tree), data).value, wanted) << tree;
}

TEST(Template, EscapesWithADollarMore) {
  const json::Value data = read(R"({"input": 1})");
  const Row rows[] = {{R"("$${{ input }}")", R"("${{ input }}")"},
                      {R"("$$${{ input }}")", R"("$${{ input }}")"},
                      {R"("a $${{ b ${{ input }}")", R"("a ${{ b 1")"},
                      {R"("$$")", R"("$$")"},
                      {R"("$${ {")", R"("$${ {")"}};
  for (const auto& [tree, wanted] : rows)
    EXPECT_EQ(rendered(read(tree), data).value, wanted) << tree;
}

TEST(Template, EscapedTreesRenderToThemselves) {
  // Every string of up to 6 of these pieces, so that escapes meet in every way.
  const std::vector<std::string> pieces = {"$", "{", "}", "${{", "a", "}}"};
  std::size_t count = 1;
  for (int length = 1; length <= 5; ++length) {
    count *= pieces.size();
    for (std::size_t n = 0; n < count; ++n) {
      std::string text;
      for (std::size_t rest = n, i = 0; i < static_cast<std::size_t>(length); ++i) {
        text += pieces[rest % pieces.size()];
        rest /= pieces.size();
      }
      const json::Value tree = json::Object{{"k", json::Array{text}}};
      EXPECT_EQ(rendered(escape_template(tree), {}).value, json::write_canonical(tree)) << text;
    }
  }
}

TEST(Template, NeverExpandsAResultAgain) {
  const json::Value data = read(R"json({"input": {
      "evil": "${{ secrets.KEY }}", "nested": {"x": "${{ input.secret }}"}, "half": "${",
      "secret": "s3cret"}})json");
  const Row rows[] = {
      {R"("${{ input.evil }}")", R"("${{ secrets.KEY }}")"},
      {R"("say ${{ input.evil }}")", R"("say ${{ secrets.KEY }}")"},
      {R"({"a": "${{ input.nested }}"})", R"({"a":{"x":"${{ input.secret }}"}})"},
      {R"("${{ input.half }}{ input.secret }}")", R"("${{ input.secret }}")"},
      {R"("${{ '${' + '{ input.secret }' + '}' }}")", R"("${{ input.secret }}")"},
  };
  for (const auto& [tree, wanted] : rows) {
    const Outcome outcome = rendered(read(tree), data, true);
    EXPECT_EQ(outcome.value, wanted) << tree;
    // Text that looks like a secret is not one: only the definition names secrets.
    EXPECT_TRUE(outcome.secrets.empty()) << tree;
  }
}

TEST(Template, NamesSecretsOnlyAsWholeStringsWhereTheyAreAllowed) {
  const json::Value tree = read(R"({"headers": {"A/B": "${{secrets.KEY}}"}, "x": 1})");
  const Outcome allowed = rendered(tree, {}, true);
  EXPECT_EQ(allowed.value, R"({"headers":{"A/B":"${{ secrets.KEY }}"},"x":1})");
  ASSERT_EQ(allowed.secrets.size(), 1U);
  EXPECT_EQ(allowed.secrets[0].pointer, "/headers/A~1B");
  EXPECT_EQ(allowed.secrets[0].name, "KEY");
  EXPECT_EQ(rendered(tree, {}, false).value, "FAULT /config/headers/A~1B SECRET_NOT_ALLOWED 0:0");
  for (const char* text : {R"("Bearer ${{ secrets.KEY }}")", R"("${{ secrets.KEY + '' }}")",
                           R"("${{ secrets['KEY'] }}")", R"("${{ secrets }}")",
                           R"("${{ [1].map(x, secrets.KEY) }}")", R"("${{ has(secrets.KEY) }}")"}) {
    EXPECT_TRUE(
        rendered(read(text), {}, true).value.starts_with("FAULT /config SECRET_NOT_ALLOWED"))
        << text;
  }
}

TEST(Template, PointsAtTheFaultByLineAndColumnOfTheString) {
  const Row rows[] = {
      {R"({"a": ["ok", "${{ 1 + }}"]})", "FAULT /config/a/1 BAD_EXPRESSION 1:"},
      {R"("é ${{ nope( }}")", "FAULT /config BAD_EXPRESSION 1:"},
      {R"("line\nand ${{ nosuch(1) }}")", "FAULT /config BAD_EXPRESSION 2:9"},
      {R"("abc ${{ input")", "FAULT /config BAD_EXPRESSION 1:5"},
      {R"("${{ 'a }}")", "FAULT /config BAD_EXPRESSION 1:1"},
      {R"("${{ }} }}")", "FAULT /config BAD_EXPRESSION 1:"},
      {R"("${{ size() }}")", "FAULT /config BAD_EXPRESSION 1:"},
  };
  for (const auto& [tree, wanted] : rows) {
    EXPECT_TRUE(rendered(read(tree), {}).value.starts_with(wanted))
        << tree << ": " << rendered(read(tree), {}).value;
  }
}

TEST(Template, TellsItsReferencesWithTheirPlaces) {
  Faults faults;
  const Template compiled = Template::compile(
      read(R"({"a": "x ${{ steps.one.result.text }}", "b": ["${{ input.n + parameters.m }}"]})"),
      "", false, faults);
  ASSERT_TRUE(faults.empty());
  const auto references = compiled.references();
  ASSERT_EQ(references.size(), 3U);
  EXPECT_EQ(references[0].pointer, "/a");
  EXPECT_EQ(references[0].reference.root, "steps");
  EXPECT_EQ(references[0].reference.path, (std::vector<std::string>{"one", "result", "text"}));
  EXPECT_EQ(references[0].reference.column, 7U);
  EXPECT_EQ(references[1].pointer, "/b/0");
  EXPECT_EQ(references[2].reference.root, "parameters");
  EXPECT_FALSE(compiled.is_constant());
}

TEST(Template, IsConstantOnlyIfItRendersToItsSource) {
  Faults faults;
  const auto is_constant = [&](const char* text) {
    return Template::compile(read(text), "", true, faults).is_constant();
  };
  EXPECT_TRUE(is_constant(R"({"a": [1, "b", {}]})"));
  EXPECT_FALSE(is_constant(R"({"a": "$${{ x }}"})"));
  EXPECT_FALSE(is_constant(R"("${{ 1 }}")"));
  EXPECT_FALSE(is_constant(R"("${{ secrets.A }}")"));
  EXPECT_TRUE(Template().is_constant());
}

TEST(Template, EndsWithALimitWhereASmallTemplateWouldMakeALargeValue) {
  json::Array many;
  for (int i = 0; i < 5000; ++i) many.emplace_back("${{ input }}");
  const json::Value data = json::Object{{"input", std::string(1000, 'x')}};
  EXPECT_EQ(rendered(many, data).value, "ERROR limit");
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "${{ input }}";
  EXPECT_EQ(rendered(text, data).value, "ERROR limit");
}

TEST(Template, AnErrorInOneExpressionFailsTheWhole) {
  EXPECT_EQ(rendered(read(R"({"a": "${{ input.missing }}"})"), read(R"({"input": {}})")).value,
            "ERROR error");
}

TEST(Segments, KnowsWholeExpressionsAndSecretNames) {
  EXPECT_TRUE(is_whole_expression("${{ a }}"));
  EXPECT_FALSE(is_whole_expression("${{ a }} "));
  EXPECT_FALSE(is_whole_expression("$${{ a }}"));
  EXPECT_FALSE(is_whole_expression("${{ a }}${{ b }}"));
  EXPECT_FALSE(has_expression("$${{ a }}"));
  EXPECT_TRUE(has_expression("x ${{ a }}"));
  EXPECT_EQ(secret_name("${{ secrets.API_KEY }}"), "API_KEY");
  EXPECT_EQ(secret_name("${{secrets.a1}}"), "a1");
  for (const char* text : {"secrets.A", "x${{ secrets.A }}", "${{ secrets.1 }}", "${{ secrets. }}",
                           "${{ secrets.A.B }}", "${{ secret.A }}", "$${{ secrets.A }}", ""}) {
    EXPECT_EQ(secret_name(text), "") << text;
  }
}

}  // namespace
}  // namespace avow::workflow
