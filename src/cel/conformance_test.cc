// SPDX-License-Identifier: Apache-2.0
// The vectors of google/cel-spec. What they expect is translated by the documented deviations, each
// a rule about the expected value, never about a vector's name.
#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <iostream>
#include <map>
#include <optional>

#include "cel/expression.h"
#include "json/parse.h"
#include "json/write.h"
#include "testing/conformance.h"

namespace avow::cel {
namespace {

double double_of(const std::string& text) {
  double d = 0;
  std::from_chars(text.data(), text.data() + text.size(), d);
  return d;
}

/// The JSON that a tagged value stands for; nothing where JSON cannot hold it (NaN, infinities,
/// keys that are no strings), in which case DESIGN.md section 3 wants an error. Doubles with an
/// integral value become ints there, and ints beyond 2^53 - 1 doubles: those are the rules of JSON
/// numbers.
std::optional<json::Value> json_of(const json::Value& tagged) {
  const json::Member& tag = *tagged.as_object().begin();
  if (tag.key == "int") {
    std::int64_t n = 0;
    std::from_chars(tag.value.as_string().data(),
                    tag.value.as_string().data() + tag.value.as_string().size(), n);
    const bool safe = n >= -json::kSafeIntegerMax && n <= json::kSafeIntegerMax;
    return safe ? json::Value(n) : json::Value::number(static_cast<double>(n));
  }
  if (tag.key == "double") {
    const double d = double_of(tag.value.as_string());
    if (!std::isfinite(d)) return std::nullopt;
    return json::Value::number(d);
  }
  if (tag.key == "list") {
    json::Array array;
    for (const json::Value& element : tag.value.as_array()) {
      auto converted = json_of(element);
      if (!converted) return std::nullopt;
      array.push_back(std::move(*converted));
    }
    return json::Value(std::move(array));
  }
  if (tag.key == "map") {
    json::Object object;
    for (const json::Value& entry : tag.value.as_array()) {
      const auto key = json_of(entry.as_array()[0]);
      auto value = json_of(entry.as_array()[1]);
      if (!key || !key->is_string() || !value) return std::nullopt;
      object.set(key->as_string(), std::move(*value));
    }
    return json::Value(std::move(object));
  }
  return tag.value;  // string, bool, null
}

/// Bindings whose names may have dots: the longest name that is a prefix of the reference wins.
class Bindings : public Environment {
 public:
  explicit Bindings(const json::Value& tagged) {
    for (const auto& [name, value] : tagged.as_object()) {
      if (auto converted = json_of(value)) values_.emplace(name, std::move(*converted));
    }
  }

  const json::Value* find(std::string_view root, std::span<const std::string> path,
                          std::size_t& used) const override {
    for (std::size_t length = path.size() + 1; length-- > 0;) {
      std::string name(root);
      for (const std::string& member : path.first(length)) name += "." + member;
      if (const auto found = values_.find(name); found != values_.end()) {
        used = length;
        return &found->second;
      }
    }
    return nullptr;
  }

 private:
  std::map<std::string, json::Value> values_;
};

std::variant<json::Value, EvalError> evaluate(const std::string& source, const Environment& env) {
  const auto expression = Expression::parse(source);
  if (!expression) return EvalError{EvalError::Kind::kError, expression.error().message};
  std::int64_t fuel = kFuelMax;
  return expression->evaluate(env, fuel);
}

std::string shown_result(const std::variant<json::Value, EvalError>& result) {
  const auto* error = std::get_if<EvalError>(&result);
  return error != nullptr ? "error: " + error->message : json::write(std::get<json::Value>(result));
}

TEST(CelConformance, EveryVectorGivesItsValueOrItsError) {
  const auto folder = testing::conformance_dir("cel");
  if (!folder) GTEST_SKIP() << testing::kNoConformance;
  std::size_t rows = 0;
  std::size_t no_json = 0;
  for (const auto& file : testing::files_of(*folder, ".jsonl")) {
    for (const std::string& line : testing::lines_of(file)) {
      const auto row = json::parse(line);
      ASSERT_TRUE(row) << file << ": " << row.error().message;
      ++rows;
      const std::string source = row->string_or("expr");
      const auto result = evaluate(source, Bindings(*row->find("bindings")));
      const auto* value = std::get_if<json::Value>(&result);
      SCOPED_TRACE(file.filename().string() + ": " + row->string_or("name") + ": " + source);
      if (row->bool_or("error", false)) {
        EXPECT_EQ(value, nullptr) << shown_result(result);
        continue;
      }
      const auto expected = json_of(*row->find("value"));
      if (!expected) {
        ++no_json;
        EXPECT_EQ(value, nullptr) << "not JSON, yet " << shown_result(result);
        continue;
      }
      ASSERT_NE(value, nullptr) << shown_result(result);
      EXPECT_EQ(*value, *expected) << json::write(*value) << " is not " << json::write(*expected);
    }
  }
  std::cout << rows << " vectors; " << no_json
            << " expect a value that is not JSON, where an error is right\n";
}

}  // namespace
}  // namespace avow::cel
