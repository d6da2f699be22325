// SPDX-License-Identifier: Apache-2.0
#include "cel/expression.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::cel {
namespace {

json::Value json_of(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : json::Value();
}

/// `input` as one value, and `steps.NAME.result` without an object of all steps.
class World : public Environment {
 public:
  explicit World(std::string_view input = "null") : input_(json_of(input)) {}
  void add_step(const std::string& name, std::string_view result) {
    steps_[name] = json_of(result);
  }

  const json::Value* find(std::string_view root, std::span<const std::string> path,
                          std::size_t& used) const override {
    used = 0;
    if (root == "input") return &input_;
    if (root != "steps" || path.size() < 2 || path[1] != "result") return nullptr;
    const auto found = steps_.find(path[0]);
    if (found == steps_.end()) return nullptr;
    used = 2;
    return &found->second;
  }

 private:
  json::Value input_;
  std::map<std::string, json::Value> steps_;
};

Expression parsed(const std::string& source) {
  auto expression = Expression::parse(source);
  CHECK(expression.has_value());
  return *expression;
}

/// The result as JSON text, or "error: ..." or "limit: ...".
std::string result_of(const std::string& source, const Environment& env = World()) {
  const auto expression = Expression::parse(source);
  if (!expression) return "fault: " + expression.error().message;
  std::int64_t fuel = kFuelMax;
  const auto result = expression->evaluate(env, fuel);
  if (const auto* value = std::get_if<json::Value>(&result)) return json::write(*value);
  const auto& error = std::get<EvalError>(result);
  return (error.kind == EvalError::Kind::kLimit ? "limit: " : "error: ") + error.message;
}

std::string fault_of(const std::string& source) {
  std::vector<Fault> faults;
  if (Expression::parse(source, &faults)) return "none";
  EXPECT_EQ(faults.size(), 1U);
  return fmt::format("{}:{} {}", faults[0].line, faults[0].column, faults[0].message);
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Parse, FaultsNameLineAndColumnInCharacters) {
  EXPECT_EQ(fault_of("1 +"), "1:4 expected a value, found the end");
  EXPECT_EQ(fault_of("'é' +\n  'ü' ]"), "2:7 unexpected ']'");
  EXPECT_EQ(fault_of("'ééé' 1"), "1:7 unexpected a number");
  EXPECT_EQ(fault_of("a.in"), "1:3 expected a member name, found 'in'");
  EXPECT_EQ(fault_of("1 + while"), "1:5 'while' is a reserved word");
  EXPECT_EQ(fault_of("'abc"), "1:1 unterminated string");
  EXPECT_EQ(fault_of(""), "1:1 expected a value, found the end");
  EXPECT_EQ(fault_of("a ? b"), "1:6 expected ':', found the end");
  EXPECT_EQ(fault_of("f(1,)"), "1:5 expected a value, found ')'");
}

TEST(Parse, RefusesWhatJsonExpressionsDoNotHave) {
  EXPECT_EQ(fault_of("1u"), "1:1 unsigned ints are not supported");
  EXPECT_EQ(fault_of("b'x'"), "1:1 bytes are not supported");
  EXPECT_EQ(fault_of("rb'x'"), "1:1 bytes are not supported");
  EXPECT_EQ(fault_of("9223372036854775808"), "1:1 int out of range");
  EXPECT_EQ(fault_of("99999999999999999999"), "1:1 int out of range");
  EXPECT_EQ(fault_of("1e999"), "1:1 double out of range");
  EXPECT_EQ(fault_of("1a"), "1:2 a number runs into a name");
  EXPECT_EQ(fault_of("'\\ud800'"), "1:2 escape sequence is not a Unicode character");
  EXPECT_EQ(fault_of("'\\q'"), "1:2 unknown escape sequence");
  EXPECT_EQ(fault_of("'\n'"), "1:1 unterminated string");
  EXPECT_EQ(fault_of("a # b"), "1:3 unexpected '#'");
  EXPECT_EQ(fault_of("a é b"), "1:3 unexpected 'é'");
  EXPECT_EQ(fault_of("\xFF"), "1:1 not well-formed UTF-8");
  EXPECT_EQ(fault_of("T{a: 1}"), "1:2 unexpected '{'");
  EXPECT_EQ(fault_of(std::string("a\0b", 3)), "1:2 unexpected '?'");
}

TEST(Parse, BoundsSourceNodesDepthAndMacros) {
  EXPECT_EQ(fault_of(repeated(" ", kSourceBytesMax) + "1"), "1:1 longer than 8192 bytes");
  EXPECT_EQ(fault_of("1" + repeated("+1", 499)), "none");
  EXPECT_EQ(fault_of("1" + repeated("+1", 500)), "1:1000 more than 1000 nodes");
  EXPECT_EQ(fault_of(repeated("-", 1000) + "x"), "1:1 more than 1000 nodes");
  EXPECT_EQ(fault_of(repeated("(", 63) + "1" + repeated(")", 63)), "none");
  EXPECT_EQ(fault_of(repeated("(", 64) + "1" + repeated(")", 64)), "1:65 nested deeper than 64");
  EXPECT_EQ(fault_of(repeated("[", 8000)), "1:65 nested deeper than 64");
  EXPECT_EQ(fault_of("a.map(x, b.map(y, x + y))"), "none");
  EXPECT_EQ(fault_of("a.map(x, b.map(y, c.map(z, x)))"), "1:21 macros nested deeper than 2");
  EXPECT_EQ(fault_of("a.map(x, x).map(x, x).map(x, x)"), "none")
      << "one after the other is not nested";
}

TEST(Parse, MacrosNeedSimpleAndDifferentNames) {
  EXPECT_EQ(fault_of("a.map(1, 2)"),
            "1:7 expected a name for the macro's variable, found a number");
  EXPECT_EQ(fault_of("a.map(for, 2)"), "1:7 expected a name for the macro's variable, found 'for'");
  EXPECT_EQ(fault_of("a.all(x, x, true)"),
            "1:10 expected a name for the macro's variable, found 'x'");
  EXPECT_EQ(fault_of("a.all(x.y, true)"), "1:8 expected ',', found '.'");
  EXPECT_EQ(fault_of("has(a)"), "1:1 has() takes a member selection, as in has(a.b)");
  EXPECT_EQ(fault_of("has(a['b'])"), "1:1 has() takes a member selection, as in has(a.b)");
}

std::string references_of(const std::string& source) {
  std::string out;
  const Expression expression = parsed(source);
  for (const Reference& reference : expression.references()) {
    out += fmt::format("{}:{} {}", reference.line, reference.column, reference.root);
    for (const std::string& member : reference.path) out += "/" + member;
    out += reference.dynamic ? "/* " : " ";
  }
  return out;
}

TEST(Parse, RefusesAMacroThatLacksItsLastArgument) {
  for (const char* source :
       {"[1].all(k, )", "[1].exists(i, v, )", "[1].map(x, )", "[1].transformList(i, v, )"}) {
    std::vector<Fault> faults;
    EXPECT_FALSE(Expression::parse(source, &faults).has_value()) << source;
    EXPECT_EQ(faults.size(), 1U) << source;
  }
}

TEST(References, AreTheFreeNamesWithTheirLiteralPaths) {
  EXPECT_EQ(references_of("steps.a.result.x"), "1:1 steps/a/result/x ");
  EXPECT_EQ(references_of("steps[\"a-b\"].result['x'].y"), "1:1 steps/a-b/result/x/y ");
  EXPECT_EQ(references_of("input.items[0].id + 1"), "1:1 input/items ");
  EXPECT_EQ(references_of("steps[input.name].result"), "1:1 steps/* 1:7 input/name ");
  EXPECT_EQ(references_of("has(input.a.b)"), "1:5 input/a/b ");
  EXPECT_EQ(references_of("input.a.size() +\n x.`y z`"), "1:1 input/a 2:2 x/y z ");
  EXPECT_EQ(references_of("true ? int(a) : f(b.c)"), "1:12 a 1:19 b/c ");
}

TEST(References, LeaveOutWhatMacrosBindAndNamesOfTypesAndFunctions) {
  EXPECT_EQ(references_of("input.l.map(x, x.y + z)"), "1:1 input/l 1:22 z ");
  EXPECT_EQ(references_of("a.all(k, v, k == v) && k"), "1:1 a 1:24 k ");
  EXPECT_EQ(references_of("a.map(x, x.map(x, x))"), "1:1 a ");
  EXPECT_EQ(references_of("a.map(x, .x)"), "1:1 a 1:11 x ");
  EXPECT_EQ(references_of("type(a) == string"), "1:6 a ");
  EXPECT_EQ(references_of("strings.quote(a)"), "1:15 a ");
}

std::string check_of(const std::string& source) {
  std::string out;
  for (const Fault& fault : parsed(source).check()) {
    out += fmt::format("{}:{} {}; ", fault.line, fault.column, fault.message);
  }
  return out;
}

TEST(Check, FindsUnknownFunctionsAndWrongArityWithoutData) {
  EXPECT_EQ(check_of("size(a) + a.size() + 'x'.indexOf('y', 1)"), "");
  EXPECT_EQ(check_of("now() + \n a.foo(1)"),
            "1:1 unknown function 'now'; 2:4 unknown function 'foo'; ");
  EXPECT_EQ(check_of("a.substring()"), "1:3 substring() takes 1 to 2 arguments, not 0; ");
  EXPECT_EQ(check_of("int(1, 2)"), "1:1 int() takes 1 arguments, not 2; ");
  EXPECT_EQ(check_of("a.int()"), "1:3 int() is no member: write int(x); ");
  EXPECT_EQ(check_of("contains(a, b)"),
            "1:1 contains() is called on a value: write x.contains(...); ");
  EXPECT_EQ(check_of("a.map(x)"), "1:3 unknown function 'map'; ") << "a macro with a wrong arity";
  EXPECT_EQ(check_of("a.matches('(')"), "1:3 bad pattern: missing ): (; ");
}

TEST(Evaluate, ReadsTheInputWithoutBuildingTheWorld) {
  World world(R"({"n": 5.0, "text": "hé", "list": [1, {"a": null}], "a b": true})");
  world.add_step("a-b", R"({"x": {"y": [7]}})");
  EXPECT_EQ(result_of("input.n + 1", world), "6");
  EXPECT_EQ(result_of("input['a b'] && input.`a b`", world), "true");
  EXPECT_EQ(result_of("input.list[1]", world), R"({"a":null})");
  EXPECT_EQ(result_of("steps['a-b'].result.x.y[0]", world), "7");
  EXPECT_EQ(result_of("has(steps['a-b'].result.x) && !has(steps['a-b'].result.z)", world), "true");
  EXPECT_EQ(result_of("has(steps['a-b'].result)", world), "true") << "known to the environment";
  EXPECT_EQ(result_of("size(steps)", world), "error: unknown name 'steps'");
  EXPECT_EQ(result_of("steps.c.result", world), "error: unknown name 'steps.c.result'");
  EXPECT_EQ(result_of("input.nope", world), "error: no such key 'nope'");
  EXPECT_EQ(result_of("input.n.x", world), "error: int has no member 'x'");
  EXPECT_EQ(result_of("input.list[2]", world), "error: index 2 is outside a list of 2");
}

TEST(Evaluate, IntsAndDoublesMix) {
  EXPECT_EQ(result_of("1 + 0.5"), "1.5");
  EXPECT_EQ(result_of("2.0 * 3"), "6");
  EXPECT_EQ(result_of("7 / 2"), "3");
  EXPECT_EQ(result_of("7 / 2.0"), "3.5");
  EXPECT_EQ(result_of("1 < 1.5 && 2 == 2.0 && 1.0 in [1]"), "true");
  EXPECT_EQ(result_of("{1: 'a'}[1.0] + ['b'][0.0]"), "\"ab\"");
  EXPECT_EQ(result_of("5.0 % 2"), "error: '%' is not defined for double and int");
}

TEST(Evaluate, IntOverflowAndDivisionByZeroAreErrors) {
  EXPECT_EQ(result_of("9223372036854775807 + 1"), "error: int overflow");
  EXPECT_EQ(result_of("-9223372036854775808 / -1"), "error: int overflow");
  EXPECT_EQ(result_of("-9223372036854775808 % -1"), "error: int overflow");
  EXPECT_EQ(result_of("-(-9223372036854775808)"), "error: int overflow");
  EXPECT_EQ(result_of("1 / 0"), "error: division by zero");
  EXPECT_EQ(result_of("1 % 0"), "error: modulus by zero");
}

TEST(Evaluate, ResultsThatAreNotJsonAreErrors) {
  EXPECT_EQ(result_of("1.0 / 0"), "error: result is NaN or infinite, which JSON cannot hold");
  EXPECT_EQ(result_of("[0.0 / 0.0]"), "error: result is NaN or infinite, which JSON cannot hold");
  EXPECT_EQ(result_of("{1: 2}"), "error: result has a key of type int, which JSON cannot hold");
  EXPECT_EQ(result_of("type(1)"), "error: result is a type, which JSON cannot hold");
  EXPECT_EQ(result_of("9007199254740993"), "9007199254740992") << "beyond 2^53 - 1 it is a double";
  EXPECT_EQ(result_of("[4.0, -0.0]"), "[4,0]");
}

TEST(Evaluate, OneDecisiveOperandAbsorbsErrors) {
  for (const std::string error : {"1/0 > 0", "x", "f()", "'text'", "1.foo()"}) {
    EXPECT_EQ(result_of("(" + error + ") || true"), "true");
    EXPECT_EQ(result_of("true || (" + error + ")"), "true");
    EXPECT_EQ(result_of("(" + error + ") && false"), "false");
    EXPECT_EQ(result_of("false && (" + error + ")"), "false");
    EXPECT_TRUE(result_of("(" + error + ") || false").starts_with("error: ")) << error;
    EXPECT_TRUE(result_of("(" + error + ") && true").starts_with("error: ")) << error;
  }
  EXPECT_EQ(result_of("[1, 0].exists(x, 1 / x == 1)"), "true");
  EXPECT_EQ(result_of("[0, 1].exists(x, 1 / x == 1)"), "true");
  EXPECT_EQ(result_of("[0, 1].all(x, 1 / x == 2)"), "false");
  EXPECT_EQ(result_of("[0, 1].exists_one(x, 1 / x == 1)"), "error: division by zero");
}

TEST(Evaluate, LimitsAreNotAbsorbed) {
  World world("\"" + repeated("x", 4000) + "\"");
  const std::string grown = "input.replace('x', input).size() > 0";
  EXPECT_EQ(result_of(grown, world), "limit: a string is longer than 4 MiB");
  EXPECT_EQ(result_of("(" + grown + ") || true", world), "limit: a string is longer than 4 MiB");
  EXPECT_EQ(result_of("true || " + grown, world), "true") << "not evaluated";
  EXPECT_EQ(result_of("[1].exists(x, " + grown + " || true)", world),
            "limit: a string is longer than 4 MiB");
}

TEST(Evaluate, MacrosOverListsAndMaps) {
  EXPECT_EQ(result_of("[1, 2, 3].filter(x, x > 1).map(x, x * 2)"), "[4,6]");
  EXPECT_EQ(result_of("[1, 2, 3].map(x, x > 1, x * 2)"), "[4,6]");
  EXPECT_EQ(result_of("{'a': 1, 'b': 2}.map(k, k)"), R"(["a","b"])");
  EXPECT_EQ(result_of("['a', 'b'].transformList(i, v, v + string(i))"), R"(["a0","b1"])");
  EXPECT_EQ(result_of("['a', 'b'].transformList(i, v, i > 0, v)"), R"(["b"])");
  EXPECT_EQ(result_of("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 2)"), R"({"b":4})");
  EXPECT_EQ(result_of("['a', 'b'].transformMapEntry(i, v, {v: i})"), R"({"a":0,"b":1})");
  EXPECT_EQ(result_of("['a', 'a'].transformMapEntry(i, v, {v: i})"),
            "error: a key stands twice in a map");
  EXPECT_EQ(result_of("[[1, 2], [3]].map(l, l.map(x, x + size(l)))"), "[[3,4],[4]]");
  EXPECT_EQ(result_of("[1].map(x, [2].map(x, x))"), "[[2]]") << "the inner name hides the outer";
  EXPECT_EQ(result_of("'abc'.map(x, x)"), "error: macros go over lists and maps, not over string");
}

TEST(Evaluate, MapsWithManyKeysAreSearchedByTheirTypedKeys) {
  std::string source = "{";
  for (int i = 0; i < 100; ++i) source += fmt::format("{}: {}, '{}': -{}, ", i, i, i, i);
  source += "true: 'yes'}";
  EXPECT_EQ(result_of(source + "[57]"), "57");
  EXPECT_EQ(result_of(source + "['57']"), "-57");
  EXPECT_EQ(result_of(source + "[true]"), "\"yes\"");
  EXPECT_EQ(result_of(source + "[false]"), "error: no such key");
  EXPECT_EQ(result_of("{'a': 1, 'a': 2}"), "error: a key stands twice in a map");
  EXPECT_EQ(result_of("{1.5: 1}"), "error: double cannot be a key");
  EXPECT_EQ(result_of("null in {'a': 1} || [] in {'a': 1}"), "false");
}

TEST(Evaluate, TypesAndConversions) {
  EXPECT_EQ(result_of("type(1) == int && type(1.5) == double && type('') == string"), "true");
  EXPECT_EQ(result_of("type(null) == null_type && type(type(1)) == type && type([]) != map"),
            "true");
  EXPECT_EQ(result_of("int('-12') + int(3.9)"), "-9");
  EXPECT_EQ(result_of("int('1.5')"), "error: '1.5' is not an int");
  EXPECT_EQ(result_of("int('+-1')"), "error: '+-1' is not an int");
  EXPECT_EQ(result_of("double('1e3')"), "1000");
  EXPECT_EQ(result_of("double('')"), "error: '' is not a double");
  EXPECT_EQ(result_of("[string(1.5), string(true), string(2.0), string(double('NaN'))]"),
            R"(["1.5","true","2","NaN"])");
  EXPECT_EQ(result_of("string([])"), "error: string() is not defined for list");
}

TEST(Strings, CountInCharactersNotInBytes) {
  EXPECT_EQ(result_of("size('añ😀')"), "3");
  EXPECT_EQ(result_of("'añ😀b'.charAt(2) + 'añ😀b'.charAt(4)"), R"("😀")");
  EXPECT_EQ(result_of("'añ😀b'.indexOf('b') + 10 * 'añ😀b'.lastIndexOf('😀')"), "23");
  EXPECT_EQ(result_of("'añ😀b'.substring(1, 3)"), R"("ñ😀")");
  EXPECT_EQ(result_of("'añ😀b'.substring(1, 5)"), "error: index 5 is outside the string");
  EXPECT_EQ(result_of("'añ😀'.reverse()"), R"("😀ña")");
  EXPECT_EQ(result_of("'añ😀'.split('')"), R"(["a","ñ","😀"])");
}

TEST(Strings, ReplaceSplitAndJoinHonourTheirCounts) {
  EXPECT_EQ(result_of("'a.b.c'.replace('.', '-', 1)"), R"("a-b.c")");
  EXPECT_EQ(result_of("'abab'.lastIndexOf('ab', 1) + 10 * 'abab'.lastIndexOf('ab', 2)"), "20");
  EXPECT_EQ(result_of("'ab'.lastIndexOf('abc') + 'ab'.lastIndexOf('')"), "1");
  EXPECT_EQ(result_of("'aé'.replace('', '_')"), R"("_a_é_")");
  EXPECT_EQ(result_of("'ab'.replace('', '_', 2)"), R"("_a_b")");
  EXPECT_EQ(result_of("'ab'.replace('a', 'x', 0)"), R"("ab")");
  EXPECT_EQ(result_of("'a,b,c'.split(',', 2)"), R"(["a","b,c"])");
  EXPECT_EQ(result_of("'abc'.split('', 2)"), R"(["a","bc"])");
  EXPECT_EQ(result_of("''.split('')"), "[]");
  EXPECT_EQ(result_of("''.split(',')"), R"([""])");
  EXPECT_EQ(result_of("['a', 'b'].join(', ')"), R"("a, b")");
  EXPECT_EQ(result_of("['a', 1].join()"), "error: join() of a list with int");
}

TEST(Strings, FormatWritesEachClause) {
  EXPECT_EQ(result_of("'%d|%x|%X|%o|%b|%%'.format([-10, 255, 255, 8, 5])"),
            R"("-10|ff|FF|10|101|%")");
  EXPECT_EQ(result_of("'%.2f|%e|%f'.format([3.14159, 12.5, 1])"),
            R"("3.14|1.250000e+01|1.000000")");
  EXPECT_EQ(result_of("'%s'.format([{'b': [1, 'x'], 'a': null, 2: true}])"),
            R"("{2: true, a: null, b: [1, x]}")");
  EXPECT_EQ(result_of("'%d'.format([1.5])"), "error: format(): '%d' is not defined for double");
  EXPECT_EQ(result_of("'%.f'.format([1])"), "error: format(): malformed precision");
  EXPECT_EQ(result_of("'%.101f'.format([1])"), "error: format(): malformed precision");
  EXPECT_EQ(result_of("'%'.format([1])"),
            "error: format(): the format string ends inside a clause");
  EXPECT_EQ(result_of("'%s %s'.format([1])"), "error: format(): fewer arguments than clauses");
  EXPECT_EQ(result_of("'%.100f'.format([1.7976931348623157e308])").size(), 309U + 1 + 100 + 2);
}

TEST(Strings, MatchesAnywhereInTheText) {
  EXPECT_EQ(result_of("'hello'.matches('l+') && matches('hello', '^h.*o$')"), "true");
  EXPECT_EQ(result_of("'a1'.matches('[a-z]' + '[0-9]')"), "true") << "a computed pattern";
  EXPECT_EQ(result_of("'x'.matches('(' + '')"), "error: bad pattern: missing ): (");
  EXPECT_EQ(result_of("1.matches('x')"), "error: matches() is not defined for int, string");
}

TEST(Fuel, IsTakenFromTheCallersAllowance) {
  std::int64_t fuel = 100;
  const World world;
  auto result = parsed("1 + 2").evaluate(world, fuel);
  EXPECT_TRUE(std::holds_alternative<json::Value>(result));
  EXPECT_EQ(fuel, 96) << "three nodes and one value of the result";
  fuel = 2;
  result = parsed("1 + 2").evaluate(world, fuel);
  EXPECT_EQ(std::get<EvalError>(result).kind, EvalError::Kind::kLimit);
  EXPECT_EQ(fuel, 0);
  result = parsed("1").evaluate(world, fuel);
  EXPECT_EQ(std::get<EvalError>(result).kind, EvalError::Kind::kLimit);
}

TEST(Fuel, OneExpressionCannotTakeMoreThanItsShare) {
  json::Array many(2000, json::Value(1));
  World world(json::write(json::Value(std::move(many))));
  std::int64_t fuel = 10 * kFuelMax;
  const auto result = parsed("input.all(x, input.all(y, x == y))").evaluate(world, fuel);
  EXPECT_EQ(std::get<EvalError>(result).kind, EvalError::Kind::kLimit);
  EXPECT_EQ(fuel, 9 * kFuelMax);
}

TEST(Fuel, HostileSearchesAreLinear) {
  // A naive search for a^n b in a^2n takes n^2 steps, here 2 * 10^11.
  const std::string text = repeated("a", 900'000);
  World world(R"({"text": ")" + text + R"(", "part": ")" + text.substr(450'000) + R"(b"})");
  EXPECT_EQ(result_of("input.text.contains(input.part)", world), "false");
  EXPECT_EQ(result_of("input.text.lastIndexOf('b' + input.part)", world), "-1");
  EXPECT_EQ(result_of("input.text.split(input.part).size()", world), "1");
}

TEST(Fuel, PatternsPayForTheirTextAndTheirSize) {
  World world(R"({"l": [)" + repeated("\"ab\",", 999) + R"("ab"], "p": "^a", "t": ")" +
              repeated("a", 1'000'000) + "\"}");
  EXPECT_EQ(result_of("input.l.all(x, x.matches(input.p))", world), "true") << "compiled once";
  EXPECT_EQ(result_of("input.l.all(x, x.matches(x + 'b*' + input.p) || true)", world), "true");
  EXPECT_EQ(result_of("input.l.transformList(i, x, x.matches(string(i)))", world),
            "limit: fuel is used up");
  EXPECT_EQ(result_of("input.t.matches('(x+x+)+y')", world), "false");
  EXPECT_EQ(result_of("input.t.matches('(a|b)*a[ab]{900}c')", world), "limit: fuel is used up");
  EXPECT_EQ(result_of("'a'.matches('\\\\pL{500}')"),
            "error: bad pattern: pattern too large - compile failed");
}

TEST(Fuel, AResultThatRepeatsItsInputIsMeasuredEachTime) {
  World world("\"" + repeated("x", 1'000'000) + "\"");
  EXPECT_EQ(result_of("[input, input, input].size()", world), "3");
  EXPECT_EQ(result_of("[input, input, input, input, input]", world),
            "limit: result is larger than 4 MiB");
  World nested("[" + repeated("1,", 999) + "1]");
  EXPECT_EQ(result_of("input.map(x, input)", nested), "limit: fuel is used up");
}

TEST(Evaluate, DeepChainsAreSafe) {
  EXPECT_EQ(result_of("1" + repeated("+1", 499)), "500");
  EXPECT_EQ(result_of(repeated("-", 900) + "(1)"), "1");
  EXPECT_EQ(result_of("true" + repeated(" && true", 900)), "true");
  World world("{}");
  EXPECT_EQ(result_of("input" + repeated(".a", 4000), world), "error: no such key 'a'");
  EXPECT_TRUE(result_of("[]" + repeated(".a", 900)).starts_with("error: "));
  EXPECT_TRUE(result_of("'a'" + repeated(".trim()", 900)).starts_with("\"a\""));
}

TEST(Evaluate, CopiesOfAnExpressionOutliveTheOriginal) {
  Expression copy = parsed("'kept'");
  {
    const Expression original = parsed("'lite' + 'ral'");
    copy = original;
  }
  std::int64_t fuel = kFuelMax;
  EXPECT_EQ(std::get<json::Value>(copy.evaluate(World(), fuel)), json::Value("literal"));
  EXPECT_EQ(copy.source(), "'lite' + 'ral'");
}

TEST(ReservedWords, AreThoseOfTheSpecification) {
  for (const char* word : {"in", "true", "null", "while", "package", "void"}) {
    EXPECT_TRUE(is_reserved_word(word)) << word;
  }
  for (const char* word : {"input", "steps", "size", "True", ""})
    EXPECT_FALSE(is_reserved_word(word));
}

/// Random token soup: whatever comes, parsing and evaluating end with a value, a fault or an error.
TEST(Fuzz, RandomTokensNeverCrash) {
  constexpr std::uint64_t kSeed = 20261121;
  RecordProperty("seed", std::to_string(kSeed));
  const std::vector<std::string> tokens = {"1",           "0",
                                           "-",           "9223372036854775807",
                                           "1.5",         "1e308",
                                           "'a'",         "\"é\"",
                                           "r'\\'",       "true",
                                           "null",        "input",
                                           "x",           "y",
                                           ".",           "[",
                                           "]",           "(",
                                           ")",           "{",
                                           "}",           ",",
                                           ":",           "?",
                                           "&&",          "||",
                                           "!",           "==",
                                           "<",           "in",
                                           "+",           "*",
                                           "/",           "%",
                                           ".map(x,",     ".all(x,",
                                           ".size()",     ".exists(x,y,",
                                           "has(",        ".list",
                                           ".text",       ".matches(",
                                           "int(",        "string(",
                                           ".split(",     ".replace(",
                                           ".join(",      ".format([",
                                           ".substring(", "''",
                                           "'%s%.2f'",    ".transformMap(x,y,",
                                           "type(",       "double(",
                                           "[1,2,3]",     "{'k':1}"};
  World world(R"({"list": [1, "two", null, [3.5], {"k": "v"}], "text": "añ😀"})");
  SeededRng rng(kSeed);
  std::size_t values = 0;
  for (int i = 0; i < 40'000; ++i) {
    std::string source;
    std::string closing;
    for (std::uint64_t n = 1 + rng.below(14); n > 0; --n) {
      const std::string& token = tokens[rng.below(tokens.size())];
      source += token + (rng.below(4) == 0 ? " " : "");
      if (token.ends_with("(") || token.ends_with(",")) closing.insert(0, ")");
      if (token.ends_with("([")) closing.insert(0, "])");
    }
    if (rng.below(2) == 0) source += closing;
    const auto expression = Expression::parse(source);
    if (!expression) continue;
    static_cast<void>(expression->check());
    std::int64_t fuel = 10'000;
    const auto result = expression->evaluate(world, fuel);
    EXPECT_GE(fuel, 0) << source;
    values += std::holds_alternative<json::Value>(result) ? 1 : 0;
  }
  EXPECT_GT(values, 100U) << "the soup should hold some expressions that work";
}

TEST(Fuzz, RandomBytesNeverCrash) {
  SeededRng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string source;
    for (std::uint64_t n = rng.below(40); n > 0; --n) source += static_cast<char>(rng.below(256));
    static_cast<void>(Expression::parse(source));
  }
}

}  // namespace
}  // namespace avow::cel
