// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/bytes.h"
#include "json/pointer.h"
#include "json/schema/multiple_of.h"
#include "json/schema/program.h"
#include "json/write.h"

namespace avow::json::schema {
namespace {

/// Schemas within schemas at one time. A parsed instance is at most 64 deep, so this leaves eight
/// schemas on every level of it; only a schema that refers to itself without going down needs more.
constexpr int kDepthMax = 512;

/// Where we are in the instance; the text is made only for a fault.
struct Path {
  const Path* parent = nullptr;
  std::string_view key;
  std::size_t index = 0;
  bool is_index = false;

  [[nodiscard]] std::string pointer() const {
    std::vector<const Path*> steps;
    for (const Path* at = this; at->parent != nullptr; at = at->parent) steps.push_back(at);
    std::string text;
    for (auto at = steps.rbegin(); at != steps.rend(); ++at) {
      text = (*at)->is_index ? join(text, (*at)->index) : join(text, (*at)->key);
    }
    return text;
  }
};

/// Which members or items of one instance some schema has evaluated, by their place in it.
class Marks {
 public:
  explicit Marks(std::size_t size) : marks_(size) {}
  void add(std::size_t i) { marks_[i] = true; }
  void add_all() { marks_.assign(marks_.size(), true); }
  void add(const Marks& other) {
    for (std::size_t i = 0; i < marks_.size(); ++i) {
      if (other.marks_[i]) marks_[i] = true;
    }
  }
  [[nodiscard]] bool has(std::size_t i) const { return marks_[i]; }

 private:
  std::vector<bool> marks_;
};

std::size_t size_of(const Value& instance) {
  if (instance.is_array()) return instance.as_array().size();
  return instance.is_object() ? instance.as_object().size() : 0;
}

unsigned type_bits_of(const Value& instance) {
  switch (instance.type()) {
    case Type::kNull:
      return kNullBit;
    case Type::kBool:
      return kBooleanBit;
    case Type::kInt:
      return kIntegerBit | kNumberBit;
    case Type::kDouble: {
      const double number = instance.as_double();
      return std::trunc(number) == number ? kIntegerBit | kNumberBit : kNumberBit;
    }
    case Type::kString:
      return kStringBit;
    case Type::kArray:
      return kArrayBit;
    case Type::kObject:
      return kObjectBit;
  }
  return 0;
}

std::string type_names(unsigned bits) {
  constexpr std::pair<unsigned, std::string_view> kNames[] = {
      {kNullBit, "null"},     {kBooleanBit, "boolean"}, {kIntegerBit, "integer"},
      {kNumberBit, "number"}, {kStringBit, "string"},   {kArrayBit, "array"},
      {kObjectBit, "object"}};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((bits & bit) == 0) continue;
    if (!text.empty()) text += " or ";
    text += name;
  }
  return text;
}

double length_of(const std::string& text) {  // in code points
  return static_cast<double>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

std::string number_text(double number) { return write(Value::number(number)); }

/// One validation. Methods that check return whether the instance passes; when `is_quiet` (a branch
/// whose faults are nobody's) or when enough faults are known they may stop at the first.
class Run {
 public:
  explicit Run(const Program& program) : program_(program), fuel_(program.fuel) {}

  Result<std::vector<SchemaFault>> run(const Value& instance) {
    check(*program_.root, instance, Path(), nullptr);
    if (!exhausted_.empty()) return failure(Code::kResourceExhausted, "{}", exhausted_);
    return std::move(faults_);
  }

 private:
  bool check(const Node& node, const Value& instance, const Path& path, Marks* marks) {
    if (!spend(1)) return false;
    if (node.fixed) return *node.fixed || fault(path, "", "nothing is allowed here");
    if (depth_ == kDepthMax) {
      exhausted_ = "the schema refers to itself without end, or schemas are nested too deep";
      return false;
    }
    ++depth_;
    const bool enters = scope_.empty() || scope_.back() != node.resource;
    if (enters) scope_.push_back(node.resource);
    const bool passes = check_node(node, instance, path, marks);
    if (enters) scope_.pop_back();
    --depth_;
    return passes;
  }

  bool check_node(const Node& node, const Value& instance, const Path& path, Marks* marks) {
    const bool watches = (node.unevaluated_items != nullptr && instance.is_array()) ||
                         (node.unevaluated_properties != nullptr && instance.is_object());
    if (!watches) return check_keywords(node, instance, path, marks);
    Marks own = marks_for(instance);
    const bool passes =
        check_keywords(node, instance, path, &own) && check_unevaluated(node, instance, path, own);
    if (passes && marks != nullptr) marks->add_all();  // what was left over is evaluated now
    return passes;
  }

  bool check_keywords(const Node& node, const Value& instance, const Path& path, Marks* marks) {
    bool passes = check_value(node, instance, path);
    if (!passes && is_done()) return false;
    if (instance.is_number() && node.number) {
      passes &= check_number(*node.number, instance.as_double(), path);
    } else if (instance.is_string() && node.string) {
      passes &= check_string(*node.string, instance.as_string(), path);
    } else if (instance.is_array() && node.array) {
      passes &= check_array(*node.array, instance.as_array(), path, marks);
    } else if (instance.is_object() && node.object) {
      passes &= check_object(*node.object, instance, path, marks);
    }
    if (!passes && is_done()) return false;
    passes &= check_references(node, instance, path, marks);
    if (!passes && is_done()) return false;
    return check_combinations(node, instance, path, marks) && passes;
  }

  // ---- any instance

  bool check_value(const Node& node, const Value& instance, const Path& path) {
    bool passes = true;
    if (node.types && (*node.types & type_bits_of(instance)) == 0) {
      const auto is = instance.is_number() ? "number" : type_name(instance.type());
      passes = fault(path, "type", "is {}, must be {}", is, type_names(*node.types));
    }
    if (!spend(node.values_weight)) return false;
    if (node.constant && !(*node.constant == instance)) {
      passes = fault(path, "const", "must be {}", excerpt(*node.constant));
    }
    if (node.enumeration &&
        std::ranges::find(*node.enumeration, instance) == node.enumeration->end()) {
      passes = fault(path, "enum", "must be one of {}", excerpt(Value(*node.enumeration)));
    }
    return passes;
  }

  bool check_number(const NumberRules& rules, double number, const Path& path) {
    bool passes = true;
    if (rules.minimum && number < *rules.minimum) {
      passes = fault(path, "minimum", "must be at least {}", number_text(*rules.minimum));
    }
    if (rules.maximum && number > *rules.maximum) {
      passes = fault(path, "maximum", "must be at most {}", number_text(*rules.maximum));
    }
    if (rules.exclusive_minimum && number <= *rules.exclusive_minimum) {
      passes = fault(path, "exclusiveMinimum", "must be above {}",
                     number_text(*rules.exclusive_minimum));
    }
    if (rules.exclusive_maximum && number >= *rules.exclusive_maximum) {
      passes = fault(path, "exclusiveMaximum", "must be below {}",
                     number_text(*rules.exclusive_maximum));
    }
    if (rules.multiple_of && !is_multiple(number, *rules.multiple_of)) {
      passes =
          fault(path, "multipleOf", "must be a multiple of {}", number_text(*rules.multiple_of));
    }
    return passes;
  }

  bool check_string(const StringRules& rules, const std::string& text, const Path& path) {
    bool passes = true;
    if (!spend(fuel_for(text.size()))) return false;
    const double length = rules.min_length || rules.max_length ? length_of(text) : 0;
    if (rules.min_length && length < *rules.min_length) {
      passes = fault(path, "minLength", "has {} characters, must have at least {}", length,
                     number_text(*rules.min_length));
    }
    if (rules.max_length && length > *rules.max_length) {
      passes = fault(path, "maxLength", "has {} characters, may have at most {}", length,
                     number_text(*rules.max_length));
    }
    if (rules.pattern && !matches(*rules.pattern, text)) {
      passes = fault(path, "pattern", "does not match \"{}\"", shown(rules.pattern_text, 200));
    }
    return passes;
  }

  bool matches(const re2::RE2& pattern, const std::string& text) {
    return spend(1 + 2 * fuel_for(text.size())) && re2::RE2::PartialMatch(text, pattern);
  }

  // ---- arrays

  bool check_array(const ArrayRules& rules, const Array& items, const Path& path, Marks* marks) {
    const auto size = static_cast<double>(items.size());
    bool passes = true;
    if (rules.min_items && size < *rules.min_items) {
      passes = fault(path, "minItems", "has {} items, must have at least {}", size,
                     number_text(*rules.min_items));
    }
    if (rules.max_items && size > *rules.max_items) {
      passes = fault(path, "maxItems", "has {} items, may have at most {}", size,
                     number_text(*rules.max_items));
    }
    if (!passes && is_done()) return false;
    const std::size_t prefix = std::min(rules.prefix_items.size(), items.size());
    for (std::size_t i = 0; i < (rules.items != nullptr ? items.size() : prefix); ++i) {
      const Path at{&path, {}, i, true};
      const bool is_prefix = i < prefix;
      passes &= check_child(is_prefix ? *rules.prefix_items[i] : *rules.items, items[i], at,
                            is_prefix ? "prefixItems" : "items");
      if (marks != nullptr) marks->add(i);
      if (!passes && is_done()) return false;
    }
    if (rules.contains != nullptr) passes &= check_contains(rules, items, path, marks);
    if (rules.unique_items && !all_differ(items)) {
      passes = fault(path, "uniqueItems", "has equal items, all must differ");
    }
    return passes;
  }

  bool check_contains(const ArrayRules& rules, const Array& items, const Path& path, Marks* marks) {
    const double least = rules.min_contains.value_or(1);
    double count = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!check_quietly(*rules.contains, items[i], nullptr)) continue;
      ++count;
      if (marks != nullptr) marks->add(i);
    }
    if (count < least) {
      return fault(path, rules.min_contains ? "minContains" : "contains",
                   "has {} items that match \"contains\", must have at least {}", count,
                   number_text(least));
    }
    if (rules.max_contains && count > *rules.max_contains) {
      return fault(path, "maxContains", "has {} items that match \"contains\", may have at most {}",
                   count, number_text(*rules.max_contains));
    }
    return true;
  }

  /// By canonical text, so that it takes n log n and not n * n comparisons.
  bool all_differ(const Array& items) {
    if (items.size() < 2) return true;
    std::vector<std::string> texts;
    texts.reserve(items.size());
    for (const Value& item : items) {
      texts.push_back(write_canonical(item));
      if (!spend(1 + fuel_for(texts.back().size()))) return false;
    }
    std::ranges::sort(texts);
    return std::ranges::adjacent_find(texts) == texts.end();
  }

  // ---- objects

  bool check_object(const ObjectRules& rules, const Value& instance, const Path& path,
                    Marks* marks) {
    const Object& object = instance.as_object();
    const auto size = static_cast<double>(object.size());
    bool passes = true;
    if (rules.min_properties && size < *rules.min_properties) {
      passes = fault(path, "minProperties", "has {} properties, must have at least {}", size,
                     number_text(*rules.min_properties));
    }
    if (rules.max_properties && size > *rules.max_properties) {
      passes = fault(path, "maxProperties", "has {} properties, may have at most {}", size,
                     number_text(*rules.max_properties));
    }
    passes &= check_required(rules, object, path);
    if (!passes && is_done()) return false;
    std::size_t i = 0;
    for (const Member& member : object) {
      passes &= check_member(rules, member, i++, path, marks);
      if (!passes && is_done()) return false;
    }
    for (const auto& [name, schema] : rules.dependent_schemas) {
      if (spend(1) && object.contains(name)) passes &= check(*schema, instance, path, marks);
    }
    return passes;
  }

  bool check_required(const ObjectRules& rules, const Object& object, const Path& path) {
    bool passes = spend(static_cast<std::int64_t>(rules.required.size()));
    for (const std::string& name : rules.required) {
      if (object.contains(name)) continue;
      passes = fault(path, "required", "\"{}\" is required", shown(name));
      if (is_done()) return false;
    }
    for (const auto& [name, needed] : rules.dependent_required) {
      if (!spend(1) || !object.contains(name)) continue;
      for (const std::string& other : needed) {
        if (!spend(1) || object.contains(other)) continue;
        passes = fault(path, "dependentRequired", "\"{}\" is required beside \"{}\"", shown(other),
                       shown(name));
      }
    }
    return passes;
  }

  bool check_member(const ObjectRules& rules, const Member& member, std::size_t i, const Path& path,
                    Marks* marks) {
    const Path at{&path, member.key};
    bool passes = spend(1 + fuel_for(member.key.size()));
    bool is_evaluated = false;
    if (const auto found = rules.properties.find(member.key); found != rules.properties.end()) {
      is_evaluated = true;
      passes &= check_child(*found->second, member.value, at, "properties");
    }
    for (const auto& [pattern, schema] : rules.pattern_properties) {
      if (!matches(*pattern, member.key)) continue;
      is_evaluated = true;
      passes &= check_child(*schema, member.value, at, "patternProperties");
    }
    if (!is_evaluated && rules.additional_properties != nullptr) {
      is_evaluated = true;
      passes &= check_child(*rules.additional_properties, member.value, at, "additionalProperties");
    }
    if (is_evaluated && marks != nullptr) marks->add(i);
    if (rules.property_names != nullptr &&
        !check_quietly(*rules.property_names, member.key, nullptr)) {
      passes = fault(at, "propertyNames", "has a name that is not allowed");
    }
    return passes;
  }

  /// As `check`, but a false schema is a fault of the keyword that holds it.
  bool check_child(const Node& node, const Value& instance, const Path& path,
                   std::string_view keyword) {
    if (node.fixed == false) return spend(1) && fault(path, keyword, "is not allowed here");
    return check(node, instance, path, nullptr);
  }

  bool check_unevaluated(const Node& node, const Value& instance, const Path& path,
                         const Marks& seen) {
    bool passes = true;
    if (instance.is_array()) {
      const Array& items = instance.as_array();
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (seen.has(i)) continue;
        passes &= check_child(*node.unevaluated_items, items[i], {&path, {}, i, true},
                              "unevaluatedItems");
        if (!passes && is_done()) return false;
      }
      return passes;
    }
    std::size_t i = 0;
    for (const Member& member : instance.as_object()) {
      if (seen.has(i++)) continue;
      passes &= check_child(*node.unevaluated_properties, member.value, {&path, member.key},
                            "unevaluatedProperties");
      if (!passes && is_done()) return false;
    }
    return passes;
  }

  // ---- schemas on the same instance

  bool check_references(const Node& node, const Value& instance, const Path& path, Marks* marks) {
    bool passes = true;
    if (node.ref != nullptr) passes &= check(*node.ref, instance, path, marks);
    if (node.dynamic_ref != nullptr) passes &= check(dynamic_target(node), instance, path, marks);
    for (const Node* schema : node.all_of) {
      passes &= check(*schema, instance, path, marks);
      if (!passes && is_done()) return false;
    }
    return passes;
  }

  /// Core, section 8.2.3.2: the outermost resource we came through that has the anchor.
  const Node& dynamic_target(const Node& node) {
    if (node.dynamic_anchor.empty()) return *node.dynamic_ref;
    spend(static_cast<std::int64_t>(scope_.size()) / 8);
    for (const Resource* resource : scope_) {
      const auto found = resource->dynamic_anchors.find(node.dynamic_anchor);
      if (found != resource->dynamic_anchors.end()) return *found->second;
    }
    return *node.dynamic_ref;
  }

  bool check_combinations(const Node& node, const Value& instance, const Path& path, Marks* marks) {
    bool passes = true;
    if (!node.any_of.empty()) {
      // With marks every branch counts, not only the first that passes.
      if (count_passing(node.any_of, instance, marks, marks == nullptr ? 1 : node.any_of.size()) ==
          0) {
        passes = fault(path, "anyOf", "matches none of {} schemas", node.any_of.size());
      }
    }
    if (!node.one_of.empty()) {
      const std::size_t count = count_passing(node.one_of, instance, marks, 2);
      if (count != 1) {
        passes = fault(path, "oneOf", "matches {} of {} schemas, must match exactly one",
                       count == 0 ? "none" : "several", node.one_of.size());
      }
    }
    if (node.not_schema != nullptr && check_quietly(*node.not_schema, instance, nullptr)) {
      passes = fault(path, "not", "matches the schema that it must not match");
    }
    if (!passes && is_done()) return false;
    if (node.if_schema != nullptr) {
      const bool holds = check_quietly(*node.if_schema, instance, marks);
      const Node* branch = holds ? node.then_schema : node.else_schema;
      if (branch != nullptr) passes &= check(*branch, instance, path, marks);
    }
    return passes;
  }

  /// How many of `schemas` the instance passes, counting up to `enough`.
  std::size_t count_passing(const std::vector<const Node*>& schemas, const Value& instance,
                            Marks* marks, std::size_t enough) {
    std::size_t count = 0;
    for (const Node* schema : schemas) {
      if (count == enough) break;
      if (check_quietly(*schema, instance, marks)) ++count;
    }
    return count;
  }

  /// Whether `instance` passes, without faults; `marks` takes its marks only if so.
  bool check_quietly(const Node& node, const Value& instance, Marks* marks) {
    const bool was_quiet = std::exchange(is_quiet_, true);
    bool passes = false;
    if (marks == nullptr) {
      passes = check(node, instance, Path(), nullptr);
    } else {
      Marks own = marks_for(instance);
      passes = check(node, instance, Path(), &own);
      if (passes) marks->add(own);
    }
    is_quiet_ = was_quiet;
    return passes;
  }

  Marks marks_for(const Value& instance) {
    const std::size_t size = size_of(instance);
    spend(fuel_for(size));
    return Marks(size);
  }

  // ---- fuel and faults

  bool spend(std::int64_t fuel) {
    fuel_ -= std::min(fuel, fuel_ + 1);  // stops at -1: no overflow, however often it is asked
    if (fuel_ < 0 && exhausted_.empty()) {
      exhausted_ = fmt::format("checking takes more than {} units of work", program_.fuel);
    }
    return exhausted_.empty();
  }

  /// Nothing more to learn once something has failed.
  [[nodiscard]] bool is_done() const {
    return is_quiet_ || !exhausted_.empty() || faults_.size() >= program_.faults_max;
  }

  /// Always false, so that a check can end with it.
  template <class... Args>
  bool fault(const Path& path, std::string_view keyword, fmt::format_string<Args...> format,
             Args&&... args) {
    if (!is_done()) {
      faults_.push_back(
          {path.pointer(), std::string(keyword), fmt::format(format, std::forward<Args>(args)...)});
    }
    return false;
  }

  static std::string excerpt(const Value& value) { return shown(write(value), 200); }

  const Program& program_;
  std::int64_t fuel_;
  int depth_ = 0;
  bool is_quiet_ = false;
  std::vector<const Resource*> scope_;  // the dynamic scope, outermost first
  std::vector<SchemaFault> faults_;
  std::string exhausted_;  // why the run has to end
};

}  // namespace

Result<std::vector<SchemaFault>> run(const Program& program, const Value& instance) {
  return Run(program).run(instance);
}

}  // namespace avow::json::schema
