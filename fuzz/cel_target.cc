// SPDX-License-Identifier: Apache-2.0
#include "cel/expression.h"
#include "fuzz/targets.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::fuzz {
namespace {

/// The names that expressions of a run see, each with a little of every type.
class World : public cel::Environment {
 public:
  World() {
    auto input = json::parse(
        R"({"n": 3, "d": 0.5, "s": "Zoë", "b": true, "z": null, "l": [1, 2.5, "x", [], {}],)"
        R"( "m": {"a": {"b": [{"c": 1}]}, "": 0}, "text": "a1 b2 c3", "big": 9007199254740991})");
    CHECK(input);
    roots_.set("input", *input);
    roots_.set("parameters", json::Object{{"limit", 10}});
    roots_.set("steps",
               json::Object{{"a", json::Object{{"result", *input}, {"status", "completed"}}}});
    roots_.set("run", json::Object{{"id", "01ARZ3NDEKTSV4RRFFQ69G5FAV"}});
  }

  const json::Value* find(std::string_view root, std::span<const std::string> path,
                          std::size_t& used) const override {
    const json::Value* value = roots_.find(root);
    for (used = 0; value != nullptr && used < path.size(); ++used) {
      const json::Value* member = value->find(path[used]);
      if (member == nullptr) break;
      value = member;
    }
    return value;
  }

 private:
  json::Value roots_ = json::Object();
};

}  // namespace

void fuzz_cel(std::string_view bytes) {
  static const World kWorld;
  constexpr std::int64_t kFuel = 20'000;
  std::vector<cel::Fault> faults;
  const auto expression = cel::Expression::parse(bytes, &faults);
  CHECK(expression.has_value() == faults.empty());
  if (!expression) return;
  CHECK(expression->source() == bytes);
  for (const cel::Fault& fault : expression->check()) CHECK(fault.line > 0 && fault.column > 0);
  for (const cel::Reference& reference : expression->references()) CHECK(!reference.root.empty());

  std::int64_t fuel = kFuel;
  const auto first = expression->evaluate(kWorld, fuel);
  CHECK(fuel <= kFuel);
  std::int64_t fuel_again = kFuel;
  const auto second = expression->evaluate(kWorld, fuel_again);
  // No clock and no chance: the same again, at the same price.
  CHECK(fuel == fuel_again && first.index() == second.index());
  const auto* value = std::get_if<json::Value>(&first);
  if (value == nullptr) return;
  CHECK(*value == std::get<json::Value>(second));
  const std::string text = json::write_canonical(*value);
  const auto read = json::parse(text, {.depth_max = cel::kValueDepthMax, .bytes_max = text.size()});
  CHECK(read);
  CHECK(*read == *value);
}

}  // namespace avow::fuzz
